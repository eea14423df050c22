/** Which objects an object leads to, found without running any code of theirs: no getter is called, no relation loaded. */
import type { DataSource } from 'typeorm';
import type { EntityShape } from './entity-shape.js';
import { trackedOf } from './stamp.js';
import { dataSourceOf } from './typeorm-versions.js';

/** Prototypes of the classes that one DataSource knows. */
export type KnownClasses = ReadonlySet<unknown>;

const KNOWN_CLASSES = new WeakMap<DataSource, KnownClasses>();
const SCALARS = new WeakMap<EntityShape, ReadonlySet<string>>();
const NOTHING: readonly object[] = [];
const JSON_TYPES: ReadonlySet<unknown> = new Set(['json', 'jsonb', 'simple-json', 'object']);

/**
 * Arrays, plain objects and tracked ones. Of other objects nobody knows what a copy would lack (a stream, a decimal
 * number), but for the classes of entities, and of what is embedded in them, when they are met behind a tracked one.
 */
export function isLookedThrough(value: unknown, classes: KnownClasses | undefined): value is object {
  if (typeof value !== 'object' || value === null) return false;
  if (Array.isArray(value)) return true;
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype === Object.prototype || prototype === null) return true;
  return trackedOf(value) !== undefined || classes?.has(prototype) === true;
}

/** @param shape - of the object, where it is tracked: most of its properties are columns, and need no look */
export function ledTo(
  source: object,
  shape: EntityShape | undefined,
  classes: KnownClasses | undefined,
): readonly object[] {
  let found: object[] | undefined;
  if (Array.isArray(source)) {
    for (const value of source as unknown[]) if (isLookedThrough(value, classes)) (found ??= []).push(value);
    return found ?? NOTHING;
  }
  const scalars = shape === undefined ? undefined : scalarsOf(shape);
  // The quickest way over properties; those of a prototype have no descriptor here.
  for (const key in source) {
    if (scalars?.has(key) === true) continue;
    const value: unknown = Object.getOwnPropertyDescriptor(source, key)?.value;
    if (isLookedThrough(value, classes)) (found ??= []).push(value);
  }
  return found ?? NOTHING;
}

export function classesBehind({ metadata }: EntityShape): KnownClasses {
  const dataSource = dataSourceOf(metadata);
  let known = KNOWN_CLASSES.get(dataSource);
  if (known === undefined) {
    const classes = dataSource.entityMetadatas.flatMap(({ target, allEmbeddeds }) => [
      target,
      ...allEmbeddeds.map(({ type }) => type),
    ]);
    known = new Set(classes.map((one) => (typeof one === 'function' ? (one.prototype as unknown) : one)));
    KNOWN_CLASSES.set(dataSource, known);
  }
  return known;
}

/** The properties that hold texts, numbers, dates and the like. */
function scalarsOf(shape: EntityShape): ReadonlySet<string> {
  let scalars = SCALARS.get(shape);
  if (scalars === undefined) {
    const columns = shape.columns.filter(
      ({ embeddedMetadata, relationMetadata, transformer, type }) =>
        embeddedMetadata === undefined &&
        relationMetadata === undefined &&
        transformer === undefined &&
        !JSON_TYPES.has(type),
    );
    SCALARS.set(shape, (scalars = new Set(columns.map(({ propertyName }) => propertyName))));
  }
  return scalars;
}
