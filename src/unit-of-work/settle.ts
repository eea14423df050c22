/** Writes into the identity map what a flush has done, once its last statement has succeeded. */
import type { FlushPlan } from './flush-plan.js';
import { foreignKey } from './row-values.js';
import { isObject, relationValue, takeRelations } from './relation-values.js';
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
    followImplied(tracked, walk);
    takeRelations(tracked);
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

/** Where only a collection said to whom an object belongs, the object says it now, as far as it can. */
function followImplied(tracked: TrackedObject, walk: FlushPlan['walk']): void {
  const { entity, shape } = tracked;
  for (const relation of shape.metadata.relationsWithJoinColumns) {
    const end = walk.endOf(tracked, relation);
    if (end === undefined) continue;
    if (walk.isImplied(tracked, relation) && relationValue(relation, entity) !== undefined) {
      // TypeORM's own way of setting a relation merges into the object that was there.
      const { embeddedMetadata, isLazy, propertyName } = relation;
      if (embeddedMetadata === undefined && !isLazy) Object.assign(entity, { [propertyName]: end });
    }
    if (!walk.isImplied(tracked, relation) && isObject(end)) continue;
    for (const [column, value] of foreignKey(relation, end)) {
      if (!column.isVirtual) column.setEntityValue(entity, value);
    }
  }
}
