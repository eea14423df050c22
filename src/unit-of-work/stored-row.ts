/** How the row of a loaded object is found again: by the key and the version that it had when it was loaded. */
import { ApplyValueTransformers } from 'typeorm/util/ApplyValueTransformers.js';
import { isSame, thaw } from './frozen-value.js';
import type { Condition } from './statement-text.js';
import type { TrackedObject } from './tracked-object.js';

/** @param base - what the row holds, where the object's own key was changed */
export function storedKey({ entity, shape }: TrackedObject, base: TrackedObject): Condition[] {
  return shape.metadata.primaryColumns.map((column) => {
    const now = column.getEntityValue(entity) as unknown;
    const place = shape.columns.indexOf(column);
    const was = base.snapshot[place];
    if (place < 0 || was === undefined || isSame(shape.read(entity, place), was)) return [column, now];
    const { transformer } = column;
    const stored = thaw(was, now);
    const value =
      transformer === undefined
        ? stored
        : (ApplyValueTransformers.transformFrom(transformer, stored) as unknown);
    return [column, value];
  });
}

/** Nothing where the class has no version, or it was not loaded. */
export function storedVersion({ shape, snapshot }: TrackedObject): Condition[] {
  const { versionColumn } = shape.metadata;
  if (versionColumn === undefined) return [];
  const version = snapshot[shape.columns.indexOf(versionColumn)];
  return version === undefined || version === null ? [] : [[versionColumn, version]];
}

/** Numbers by their size, everything else by its text. */
export function inKeyOrder<Row extends { readonly tracked: TrackedObject; readonly base: TrackedObject }>(
  rows: readonly Row[],
): Row[] {
  const keyed = rows.map((row) => ({ row, key: storedKey(row.tracked, row.base).map(([, value]) => value) }));
  return keyed.toSorted((one, other) => compare(one.key, other.key)).map(({ row }) => row);
}

function compare(one: readonly unknown[], other: readonly unknown[]): number {
  for (const [place, value] of one.entries()) {
    const difference = compareValues(value, other[place]);
    if (difference !== 0) return difference;
  }
  return 0;
}

function compareValues(one: unknown, other: unknown): number {
  if (typeof one === 'number' && typeof other === 'number') return one - other;
  const [first, second] = [String(one), String(other)];
  if (first === second) return 0;
  return first < second ? -1 : 1;
}
