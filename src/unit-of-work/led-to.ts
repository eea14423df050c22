/** Which objects an object leads to, found without running any code of theirs: no getter is called, no relation loaded. */
import type { DataSource } from 'typeorm';
import type { ColumnMetadata } from 'typeorm/metadata/ColumnMetadata.js';
import type { EntityShape } from './entity-shape.js';
import { trackedOf } from './stamp.js';
import { dataSourceOf } from './typeorm-versions.js';

/** Prototypes of the classes that one DataSource knows. */
export type KnownClasses = ReadonlySet<unknown>;

/** What is known of the objects of one class. */
export interface Outline {
  /** The properties that hold texts, numbers, dates and the like, and need no look. */
  readonly scalars: ReadonlySet<string>;
  readonly classes: KnownClasses;
}

const OUTLINES = new WeakMap<EntityShape, Outline>();
const KNOWN_CLASSES = new WeakMap<DataSource, KnownClasses>();
const NOTHING: readonly object[] = [];
const JSON_TYPES: ReadonlySet<unknown> = new Set(['json', 'jsonb', 'simple-json', 'object']);

/**
 * Arrays, plain objects and tracked ones. Of other objects nobody knows what a copy would lack (a stream, a decimal
 * number), but for the classes of entities, and of what is embedded in them, when they are met behind a tracked one.
 */
export function isLookedThrough(value: object, classes: KnownClasses | undefined): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype === Object.prototype || prototype === null || Array.isArray(value)) return true;
  if (prototype === Date.prototype) return false;
  return classes?.has(prototype) === true || trackedOf(value) !== undefined;
}

export function ledTo(
  source: object,
  scalars: ReadonlySet<string> | undefined,
  classes: KnownClasses | undefined,
): readonly object[] {
  let found: object[] | undefined;
  const look = (value: unknown): void => {
    if (typeof value === 'object' && value !== null && isLookedThrough(value, classes))
      (found ??= []).push(value);
  };
  if (Array.isArray(source)) {
    for (const value of source as unknown[]) look(value);
    return found ?? NOTHING;
  }
  // The quickest way over properties; those of a prototype have no descriptor here.
  for (const key in source) {
    if (scalars?.has(key) !== true) look(Object.getOwnPropertyDescriptor(source, key)?.value);
  }
  return found ?? NOTHING;
}

export function outlineOf(shape: EntityShape): Outline {
  let outline = OUTLINES.get(shape);
  if (outline === undefined) {
    const scalars = shape.columns.filter(isScalar).map(({ propertyName }) => propertyName);
    outline = { scalars: new Set(scalars), classes: classesOf(dataSourceOf(shape.metadata)) };
    OUTLINES.set(shape, outline);
  }
  return outline;
}

function isScalar({ embeddedMetadata, relationMetadata, transformer, type }: ColumnMetadata): boolean {
  const isOwn = embeddedMetadata === undefined && relationMetadata === undefined;
  return isOwn && transformer === undefined && !JSON_TYPES.has(type);
}

function classesOf(dataSource: DataSource): KnownClasses {
  let known = KNOWN_CLASSES.get(dataSource);
  if (known === undefined) {
    const classes = dataSource.entityMetadatas.flatMap(({ target, allEmbeddeds }) => [
      target,
      ...allEmbeddeds.map(({ type }) => type),
    ]);
    known = new Set(classes.flatMap((one) => (typeof one === 'function' ? [one.prototype as unknown] : [])));
    KNOWN_CLASSES.set(dataSource, known);
  }
  return known;
}
