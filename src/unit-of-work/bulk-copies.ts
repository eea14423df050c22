/** What bulk operations are given, checked and copied: only the columns and owning relations, so that it stays as it is. */
import type { ColumnMetadata } from 'typeorm/metadata/ColumnMetadata.js';
import { InvalidParameterError } from '../errors.js';
import type { EntityShape } from './entity-shape.js';
import { ownValue } from './own-keys.js';
import type { Member } from './property-roots.js';
import { relationValue } from './relation-values.js';
import type { TrackedObject } from './tracked-object.js';

type Values = Record<string, unknown>;

/** All of them are checked before any is stored; messages name properties, never values. */
export function readMappings(shape: EntityShape, mappings: Iterable<object>): object[] {
  const paths = pathsOf(shape);
  const entity = shape.metadata.name;
  return [...mappings].map((mapping, place) => {
    if (!isRecord(mapping))
      throw new InvalidParameterError(`Mapping ${place} of a ${entity} must be an object such as { id: 1 }.`);
    const unknown = unknownIn(mapping, '', paths);
    if (unknown.length === 0) return mapping;
    throw new InvalidParameterError(
      `Mapping ${place} of a ${entity} has what is no column of it, and no relation that has one: ` +
        `${unknown.join(', ')}.`,
    );
  });
}

/** Throws where the mapping does not say which row it is. */
export function requireKey({ metadata }: EntityShape, copy: object, place: number): void {
  const missing = metadata.primaryColumns.filter((column) => {
    const value = column.getEntityValue(copy) as unknown;
    return value === undefined || value === null;
  });
  if (missing.length === 0) return;
  throw new InvalidParameterError(
    `Mapping ${place} of a ${metadata.name} does not say which row it is: it has no ` +
      `${missing.map(({ propertyPath }) => propertyPath).join(', ')}.`,
  );
}

export function copyOfMapping(
  mapping: object,
  { columns, metadata }: EntityShape,
  rendersNulls: boolean,
): object {
  const copy = {};
  for (const column of columns) {
    const value = ownValue(column, mapping);
    if (rendersNulls || value !== null) put(copy, column, column.propertyName, value);
  }
  for (const relation of metadata.relationsWithJoinColumns) {
    const { isLazy, propertyName } = relation;
    const value = ownValue(relation as Member as ColumnMetadata, mapping);
    if (value instanceof Promise)
      throw new InvalidParameterError(
        `${metadata.name}.${relation.propertyPath} is a promise: a mapping takes what it leads to.`,
      );
    put(copy, relation, isLazy ? `__${propertyName}__` : propertyName, value);
  }
  return copy;
}

/** @param known - of an object that was loaded; what is expired there has no value */
export function copyOfObject(
  entity: object,
  { columns, metadata, roots }: EntityShape,
  known: TrackedObject | undefined,
): object {
  const copy = {};
  for (const [place, column] of columns.entries()) {
    if (known?.expired?.has(roots[place]!) === true) continue;
    put(copy, column, column.propertyName, ownValue(column, entity));
  }
  for (const relation of metadata.relationsWithJoinColumns) {
    const { isLazy, propertyName } = relation;
    put(copy, relation, isLazy ? `__${propertyName}__` : propertyName, relationValue(relation, entity));
  }
  return copy;
}

/** Embedded objects are made plain: a class of theirs would fill in what was not given. */
function put(copy: object, { embeddedMetadata }: Member, name: string, value: unknown): void {
  if (value === undefined) return;
  let holder = copy as Values;
  for (const { propertyName } of embeddedMetadata?.embeddedMetadataTree ?? [])
    holder = (holder[propertyName] ??= {}) as Values;
  holder[name] = value;
}

function pathsOf({ columns, metadata }: EntityShape): ReadonlySet<string> {
  return new Set([...columns, ...metadata.relationsWithJoinColumns].map(({ propertyPath }) => propertyPath));
}

function unknownIn(value: object, before: string, paths: ReadonlySet<string>): string[] {
  return Object.entries(value).flatMap(([name, inside]) => {
    const path = before + name;
    if (paths.has(path) || inside === undefined) return [];
    const isEmbedded = [...paths].some((known) => known.startsWith(`${path}.`));
    return isEmbedded && isRecord(inside) ? unknownIn(inside, `${path}.`, paths) : [path];
  });
}

function isRecord(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
