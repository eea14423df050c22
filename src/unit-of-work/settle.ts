/** Writes into the identity map what a flush has done, once its last statement has succeeded. */
import type { EntityWrites } from './entity-writes.js';
import type { FlushPlan } from './flush-plan.js';
import { foreignKey } from './row-values.js';
import { relationValue, storedSnapshot } from './relation-values.js';
import type { RowStore } from './row-store.js';
import type { TrackedObject } from './tracked-object.js';

export function settle({ walk }: FlushPlan, { sent, writes }: RowStore): void {
  const { map } = walk;
  for (const tracked of walk.deleted) {
    tracked.isMarkedDeleted = false;
    tracked.state = tracked.state === 'pending' ? 'detached' : 'deleted';
    map.remove(tracked);
  }
  for (const tracked of [...walk.pending, ...walk.persistent]) {
    followEnds(tracked, walk, writes);
    for (const [relation, held] of walk.heldBy(tracked)) {
      const value = walk.isImplied(tracked, relation) ? walk.endOf(tracked, relation) : held;
      const snapshot = storedSnapshot(relation, value);
      if (snapshot !== undefined) tracked.relations.set(relation, snapshot);
    }
    walk.ownKeys.settle(tracked, writes);
  }
  for (const [tracked, values] of sent) {
    const { entity, shape } = tracked;
    for (const [place, column] of shape.columns.entries()) {
      if (writes.has(column, entity)) values[place] = shape.read(entity, place);
    }
    tracked.snapshot = values;
  }
  for (const tracked of walk.pending) {
    tracked.state = 'persistent';
    if (map.of(tracked.entity) === undefined) map.add(tracked);
  }
  for (const tracked of sent.keys()) {
    const key = tracked.shape.keyOf(tracked.entity);
    if (key !== tracked.key || map.get(tracked.shape.metadata, key ?? '') !== tracked)
      map.rename(tracked, key);
  }
}

/** What an object has of a relation besides its end, and the end itself where only a collection told it. */
function followEnds(tracked: TrackedObject, walk: FlushPlan['walk'], writes: EntityWrites): void {
  const { entity, relations, shape } = tracked;
  for (const relation of shape.metadata.relationsWithJoinColumns) {
    const end = walk.endOf(tracked, relation);
    const isImplied = walk.isImplied(tracked, relation);
    const isCut = end === null && typeof relations.get(relation) === 'string';
    if (!isImplied && !isCut) continue;
    const { embeddedMetadata, isLazy, propertyName } = relation;
    const isPlain = embeddedMetadata === undefined && !isLazy;
    // TypeORM's own way of setting a relation merges into the object that was there.
    if (isPlain && relationValue(relation, entity) !== undefined)
      Object.assign(entity, { [propertyName]: end });
    for (const [column, value] of foreignKey(relation, end)) {
      if (!column.isVirtual) writes.set(column, entity, value);
    }
  }
}
