/** What TypeORM stored, told to the tracked objects that were stored: no statement is needed. */
import { followDatabase } from './on-delete.js';
import { relationValue, storedSnapshot, takeRelations } from './relation-values.js';
import { storedKey } from './stored-row.js';
import { giveToJson } from './to-json.js';
import { TrackedObject } from './tracked-object.js';
import type { OldName } from './settle.js';
import type { UnitOfWork } from './unit-of-work.js';

const NOTHING = { created: [], deleted: [], changed: [], renamed: new Map<TrackedObject, OldName>() };

/**
 * An object that was to be stored, and was.
 *
 * @param isItselfOnly - what it leads to, unless by its own columns, was not stored
 */
export function takeIn(work: UnitOfWork, entity: object, isItselfOnly: boolean): void {
  const shape = work.shapeFor(entity);
  const tracked = new TrackedObject(entity, shape, shape.keyOf(entity));
  if (!isItselfOnly) takeRelations(tracked);
  else
    for (const relation of shape.metadata.relationsWithJoinColumns) {
      const snapshot = storedSnapshot(relation, relationValue(relation, entity));
      if (snapshot !== undefined) tracked.relations.set(relation, snapshot);
    }
  work.map.add(tracked);
  giveToJson(tracked);
  work.undo.record({ ...NOTHING, created: [tracked] });
}

/** What it holds is stored, but for what is never updated. */
export function takeOver({ map, undo }: UnitOfWork, tracked: TrackedObject): void {
  const { entity, shape, snapshot } = tracked;
  const renamed = new Map<TrackedObject, OldName>();
  const key = shape.keyOf(entity);
  if (key !== undefined && key !== tracked.key) {
    renamed.set(tracked, { key: tracked.key!, values: storedKey(tracked, tracked) });
    map.rename(tracked, key);
  }
  tracked.snapshot = tracked
    .values()
    .map((value, place) =>
      value === undefined || !shape.columns[place]!.isUpdate ? snapshot[place] : value,
    );
  takeRelations(tracked);
  undo.record({ ...NOTHING, changed: [tracked], renamed });
}

/** Their rows are gone, and with them what the database deletes. */
export function takeOut({ map, undo }: UnitOfWork, gone: readonly TrackedObject[]): void {
  if (gone.length === 0) return;
  const renamed = new Map<TrackedObject, OldName>();
  for (const tracked of gone) {
    // TypeORM takes the key away from what it removes; a rollback gives it back.
    renamed.set(tracked, { key: tracked.key!, values: storedKey(tracked, tracked) });
    tracked.isMarkedDeleted = false;
    tracked.state = 'deleted';
    map.remove(tracked);
  }
  const { changed, deleted } = followDatabase(map, gone);
  undo.record({ created: [], deleted: [...gone, ...deleted], changed, renamed });
}
