/** What a flush is going to do, before the first statement is sent. */
import type { EntityMetadata } from 'typeorm';
import { IllegalStateChangeError } from '../errors.js';
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
        tableOf(leaving, tracked.shape.root).set(tracked.key, tracked);
    }
    const inserts: TrackedObject[] = [];
    const updates: RowOf[] = [];
    const replaced = new Set<TrackedObject>();
    for (const tracked of walk.pending) {
      const key = tracked.shape.keyOf(tracked.entity);
      const base = key === undefined ? undefined : leaving.get(tracked.shape.root)?.get(key);
      // The row can be taken over once; who comes next is refused by the database.
      if (base === undefined || replaced.has(base)) inserts.push(tracked);
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

  /** Before anything is sent: what a row of another class held could not be taken out of it. */
  refuseOtherClasses(): void {
    for (const { tracked, base } of this.updates) {
      const [now, was] = [tracked.shape.metadata.name, base.shape.metadata.name];
      if (tracked.shape === base.shape) continue;
      throw new IllegalStateChangeError(
        `An object of class ${was} is to be deleted and one of class ${now} is to be added under the same key, in one ` +
          'flush: a row cannot change its class. Delete the one, flush, and add the other then.',
      );
    }
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
