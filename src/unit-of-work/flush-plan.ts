/** What a flush is going to do, before the first statement is sent. */
import type { EntityMetadata } from 'typeorm';
import type { DirtyWalk } from './dirty-walk.js';
import { relationSnapshot } from './relation-values.js';
import type { RowOf } from './row-store.js';
import { isToBeUpdated } from './row-values.js';
import type { TrackedObject } from './tracked-object.js';

export class FlushPlan {
  readonly inserts: readonly TrackedObject[];
  readonly updates: readonly RowOf[];
  readonly deletes: readonly TrackedObject[];
  /** Objects whose many-to-many relations changed. */
  readonly junctions: readonly TrackedObject[];

  constructor(readonly walk: DirtyWalk) {
    const leaving = new Map<EntityMetadata, Map<string, TrackedObject>>();
    for (const tracked of walk.deleted) {
      if (tracked.key !== undefined && tracked.state === 'persistent')
        tableOf(leaving, tracked.shape.metadata).set(tracked.key, tracked);
    }
    const inserts: TrackedObject[] = [];
    const updates: RowOf[] = [];
    const replaced = new Set<TrackedObject>();
    for (const tracked of walk.pending) {
      const key = tracked.shape.keyOf(tracked.entity);
      const base = key === undefined ? undefined : leaving.get(tracked.shape.metadata)?.get(key);
      if (base === undefined) inserts.push(tracked);
      else {
        // One row goes and another of its name comes: that is a change of the row.
        replaced.add(base);
        updates.push({ tracked, base });
      }
    }
    for (const tracked of walk.persistent) {
      if (isToBeUpdated(tracked, tracked, walk)) updates.push({ tracked, base: tracked });
    }
    this.inserts = inserts;
    this.updates = updates;
    this.deletes = [...walk.deleted].filter(
      (tracked) => tracked.state === 'persistent' && !replaced.has(tracked),
    );
    this.junctions = [...walk.pending, ...walk.persistent].filter(hasChangedJunctions);
  }

  get isEmpty(): boolean {
    const { inserts, updates, junctions, walk } = this;
    return [inserts, updates, junctions, [...walk.deleted, ...walk.softDeleted]].every(
      ({ length }) => length === 0,
    );
  }
}

function tableOf(
  tables: Map<EntityMetadata, Map<string, TrackedObject>>,
  metadata: EntityMetadata,
): Map<string, TrackedObject> {
  let table = tables.get(metadata);
  if (table === undefined) tables.set(metadata, (table = new Map()));
  return table;
}

/** The order of a collection is not stored. */
function hasChangedJunctions(tracked: TrackedObject): boolean {
  return tracked.shape.metadata.manyToManyRelations.some((relation) => {
    if (!relation.persistenceEnabled) return false;
    const now = relationSnapshot(relation, tracked.entity);
    if (!Array.isArray(now)) return false;
    const was = tracked.state === 'pending' ? [] : tracked.relations.get(relation);
    if (!Array.isArray(was) || was.length !== now.length) return true;
    const known = new Set<string>(was);
    return now.some((key) => !known.has(key));
  });
}
