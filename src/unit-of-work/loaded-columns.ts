/** Writes the columns of a row into a tracked object: all of them, what is missing, or what may be newer. */
import { forgetAllExpired, forgetExpired } from './expired-properties.js';
import type { FrozenValue } from './frozen-value.js';
import { unloadRelation } from './loaded-relations.js';
import { relationValue } from './relation-values.js';
import { type AskedColumn, frozenAs, type Row, type RowReader } from './row-reader.js';
import { TrackedObject } from './tracked-object.js';

/** How a row meets an object that is there already. */
export const MEETINGS = ['fill', 'refresh', 'renew', 'overwrite'] as const;
/**
 * `fill`: only what was not loaded. `refresh`: all but unflushed changes. `renew`: the same, and what the row does not say is
 * not loaded any more. `overwrite`: everything.
 */
export type Meeting = (typeof MEETINGS)[number];

/** Writes a row into a new object as TypeORM does, and tracks it: one pass for both. */
export function hydrate(entity: object, row: Row, reader: RowReader, key: string): TrackedObject {
  const { shape } = reader;
  // As long as it will ever be: a list that grows takes twice the memory.
  const snapshot = reader.stored.map((asked, place) => {
    const raw = asked === undefined ? undefined : row[asked.name];
    if (raw === undefined) return notAsked(entity, row, reader, place);
    const value = reader.hydrate(asked!.column, raw);
    setValue(entity, asked!, value);
    return frozenAs(asked!.column, value);
  });
  for (const { column, name } of reader.others) {
    const raw = row[name];
    if (raw !== undefined) column.setEntityValue(entity, reader.hydrate(column, raw));
  }
  for (const relation of shape.metadata.relations) {
    if (relationValue(relation, entity) !== undefined) unloadRelation(relation, entity);
  }
  return new TrackedObject(entity, shape, key, snapshot);
}

function setValue(entity: object, { column, property }: AskedColumn, value: unknown): void {
  if (property === undefined) column.setEntityValue(entity, value);
  else (entity as Record<string, unknown>)[property] = value;
}

/**
 * What the constructor of a class gives to its properties was not loaded, and is not to be stored. A key is in the query
 * even where it was not asked for; TypeORM then leaves it out of the object.
 */
function notAsked(entity: object, row: Row, reader: RowReader, place: number): FrozenValue {
  const { shape } = reader;
  const column = shape.columns[place]!;
  if (column.isPrimary) {
    const value = reader.hydrate(column, row[reader.nameOf(column)]);
    column.setEntityValue(entity, value);
    return frozenAs(column, value);
  }
  if (shape.read(entity, place) !== undefined) column.setEntityValue(entity, undefined);
  return undefined;
}

/** What is loaded stays as it is; what is not a part of what is stored is always of the last query. */
export function fillColumns(tracked: TrackedObject, row: Row, reader: RowReader): void {
  const { entity, shape, snapshot } = tracked;
  for (const { column, name, place } of reader.columns) {
    if (place >= 0 && snapshot[place] !== undefined) continue;
    const raw = row[name];
    if (raw === undefined) continue;
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
