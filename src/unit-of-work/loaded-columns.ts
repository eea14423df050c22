/** Writes the columns of a row into a tracked object: all of them, what is missing, or what may be newer. */
import { forgetAllExpired, forgetExpired } from './expired-properties.js';
import type { FrozenValue } from './frozen-value.js';
import { unloadRelation } from './loaded-relations.js';
import { relationValue } from './relation-values.js';
import { frozenAs, type Row, type RowReader } from './row-reader.js';
import { TrackedObject } from './tracked-object.js';

/** How a row meets an object that is there already. */
export const MEETINGS = ['fill', 'refresh', 'renew', 'overwrite'] as const;
/**
 * `fill`: only what was not loaded. `refresh`: all but unflushed changes. `renew`: the same, and what the row does not say is
 * not loaded any more. `overwrite`: everything.
 */
export type Meeting = (typeof MEETINGS)[number];

/** Tracks what TypeORM has just hydrated from a row. */
export function trackHydrated(entity: object, row: Row, reader: RowReader, key: string): TrackedObject {
  const { metadata } = reader.shape;
  for (const column of metadata.primaryColumns) {
    // The key is in the query even where it was not asked for; TypeORM then leaves it out of the object.
    const isMissing = !column.isVirtual && column.getEntityValue(entity) === undefined;
    if (isMissing) column.setEntityValue(entity, reader.hydrate(column, row[reader.nameOf(column)]));
  }
  const tracked = new TrackedObject(entity, reader.shape, key);
  forgetDefaults(tracked, row, reader);
  return tracked;
}

/** What the constructor of a class gives to its properties was not loaded, and is not to be stored. */
function forgetDefaults({ entity, shape, snapshot }: TrackedObject, row: Row, reader: RowReader): void {
  for (const [place, column] of shape.columns.entries()) {
    const name = reader.names[place];
    const raw = name === undefined ? undefined : row[name];
    // An embedded object that is null holds columns that are null.
    if (raw === null) snapshot[place] ??= null;
    if (raw !== undefined || column.isPrimary || snapshot[place] === undefined) continue;
    column.setEntityValue(entity, undefined);
    snapshot[place] = undefined;
  }
  for (const relation of shape.metadata.relations) {
    if (relationValue(relation, entity) !== undefined) unloadRelation(relation, entity);
  }
}

/** What is loaded stays as it is; what is not a part of what is stored is always of the last query. */
export function fillColumns(tracked: TrackedObject, row: Row, reader: RowReader): void {
  const { entity, shape, snapshot } = tracked;
  for (const { column, name, place } of reader.columns) {
    const raw = row[name];
    if (raw === undefined || (place >= 0 && snapshot[place] !== undefined)) continue;
    const value = reader.hydrate(column, raw);
    if (place >= 0) forgetExpired(tracked, shape.roots[place]!);
    // What was assigned before it was loaded is a change.
    if (place < 0 || shape.read(entity, place) === undefined) column.setEntityValue(entity, value);
    if (place >= 0) snapshot[place] = frozenAs(column, value);
  }
}

export function refreshColumns(tracked: TrackedObject, row: Row, reader: RowReader, how: Meeting): void {
  const { entity, shape, snapshot } = tracked;
  const expired = new Set(tracked.expired);
  forgetAllExpired(tracked);
  const kept = new Set(how === 'overwrite' ? [] : tracked.changedColumns());
  const seen = new Map<number, FrozenValue>();
  for (const { column, name, place } of reader.columns) {
    const raw = row[name];
    if (raw === undefined) continue;
    const value = reader.hydrate(column, raw);
    if (!kept.has(place)) column.setEntityValue(entity, value);
    if (place >= 0) seen.set(place, frozenAs(column, value));
  }
  for (const [place, column] of shape.columns.entries()) {
    if (seen.has(place)) snapshot[place] = seen.get(place);
    // What was assigned, and stored, after it was expired is known.
    else if (
      how === 'renew' &&
      !column.isPrimary &&
      (expired.has(shape.roots[place]!) || snapshot[place] === undefined)
    ) {
      snapshot[place] = undefined;
      if (!kept.has(place) && shape.read(entity, place) !== undefined)
        column.setEntityValue(entity, undefined);
    }
  }
}
