/** Writes into the identity map what a flush has done, once its last statement has succeeded. */
import type { EntityWrites } from './entity-writes.js';
import type { FlushPlan } from './flush-plan.js';
import { foreignKey } from './row-values.js';
import { relationValue, storedSnapshot } from './relation-values.js';
import type { RowStore } from './row-store.js';
import type { Condition } from './statement-text.js';
import { storedKey } from './stored-row.js';
import { giveToJson } from './to-json.js';
import type { RelationSnapshot, TrackedObject } from './tracked-object.js';

/** What became of objects in a flush, for a rollback to take back. */
export interface FlushedWork {
  readonly created: readonly TrackedObject[];
  readonly deleted: readonly TrackedObject[];
  /** Their rows or what their collections hold. */
  readonly changed: readonly TrackedObject[];
  /** What named their rows before. */
  readonly renamed: ReadonlyMap<TrackedObject, OldName>;
}

/** The key that an object's row had, and the values of the properties that it consists of. */
export interface OldName {
  readonly key: string;
  readonly values: readonly Condition[];
}

export function settle({ walk }: FlushPlan, { sent, writes }: RowStore): FlushedWork {
  const { map } = walk;
  const renamed = new Map([...sent.keys()].filter(isRenamed).map((tracked) => [tracked, nameOf(tracked)]));
  const deleted = [...walk.deleted].filter(({ state }) => state === 'persistent');
  for (const tracked of walk.deleted) {
    tracked.isMarkedDeleted = false;
    tracked.state = tracked.state === 'pending' ? 'detached' : 'deleted';
    map.remove(tracked);
  }
  const related = new Set<TrackedObject>();
  for (const tracked of [...walk.pending, ...walk.persistent]) {
    followEnds(tracked, walk, writes);
    for (const [relation, held] of walk.heldBy(tracked)) {
      const value = walk.isImplied(tracked, relation) ? walk.endOf(tracked, relation) : held;
      const snapshot = storedSnapshot(relation, value);
      if (snapshot === undefined) continue;
      if (!isSameSnapshot(snapshot, tracked.relations.get(relation))) related.add(tracked);
      tracked.relations.set(relation, snapshot);
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
    if (tracked.relations.size > 0) giveToJson(tracked);
  }
  for (const tracked of sent.keys()) {
    const key = tracked.shape.keyOf(tracked.entity);
    if (key !== tracked.key || map.get(tracked.shape.metadata, key ?? '') !== tracked)
      map.rename(tracked, key);
  }
  const changed = [...sent.keys(), ...related, ...walk.softDeleted];
  return { created: walk.pending, deleted, changed, renamed };
}

function isSameSnapshot(now: RelationSnapshot, was: RelationSnapshot | undefined): boolean {
  if (!Array.isArray(now) || !Array.isArray(was)) return now === was;
  return now.length === was.length && now.every((key, place) => key === was[place]);
}

function isRenamed({ entity, key, shape, state }: TrackedObject): boolean {
  return state === 'persistent' && key !== undefined && shape.keyOf(entity) !== key;
}

function nameOf(tracked: TrackedObject): OldName {
  return { key: tracked.key!, values: storedKey(tracked, tracked) };
}

/** What an object has of a relation besides its end, and the end itself where only a collection told it. */
function followEnds(tracked: TrackedObject, walk: FlushPlan['walk'], writes: EntityWrites): void {
  const { entity, relations, shape } = tracked;
  for (const relation of shape.metadata.relationsWithJoinColumns) {
    const end = walk.endOf(tracked, relation);
    const isImplied = walk.isImplied(tracked, relation);
    const isCut = end === null && typeof relations.get(relation) === 'string';
    if (!isImplied && !isCut) continue;
    // Known, though the property is not loaded: whoever is deleted may take this one along.
    const snapshot = isImplied ? storedSnapshot(relation, end) : undefined;
    if (snapshot !== undefined) relations.set(relation, snapshot);
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
