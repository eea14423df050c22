/** What an object's relations hold, read without ever asking the database. */
import type { RelationMetadata } from 'typeorm/metadata/RelationMetadata.js';
import { shapeOf } from './entity-shape.js';
import { keyFrom } from './identity-key.js';
import { rootOf } from './property-roots.js';
import { trackedOf } from './stamp.js';
import type { RelationSnapshot, TrackedObject } from './tracked-object.js';

/** Stands in a snapshot for an object that has no key yet; no key looks like it. */
const UNSAVED = '\u0000unsaved';

/** Undefined: not loaded. TypeORM reads a lazy relation past its getter, so that nothing is loaded by looking. */
export function relationValue(relation: RelationMetadata, entity: object): unknown {
  if (trackedOf(entity)?.expired?.has(rootOf(relation)) === true) return undefined;
  return relation.getEntityValue(entity) as unknown;
}

/** The objects that a relation leads to; a bare key is none. */
export function relatedObjects(relation: RelationMetadata, entity: object): readonly object[] {
  const value = relationValue(relation, entity);
  return (Array.isArray(value) ? value : [value]).filter(isObject);
}

export function isObject(value: unknown): value is object {
  return (
    typeof value === 'object' && value !== null && !(value instanceof Date) && !(value instanceof Uint8Array)
  );
}

/** Names what a relation leads to, be it an object or its key alone. */
export function keyOfRelated(relation: RelationMetadata, value: unknown): string {
  const key = isObject(value) ? shapeOf(relation.inverseEntityMetadata).keyOf(value) : keyFrom([value]);
  return key ?? UNSAVED;
}

export function relationSnapshot(relation: RelationMetadata, entity: object): RelationSnapshot | undefined {
  return snapshotOfValue(relation, relationValue(relation, entity));
}

export function snapshotOfValue(relation: RelationMetadata, value: unknown): RelationSnapshot | undefined {
  if (value === undefined || value === null) return value;
  return Array.isArray(value)
    ? value.map((one) => keyOfRelated(relation, one))
    : keyOfRelated(relation, value);
}

/** The same of what was stored: what has no key was not, and is new when it is. */
export function storedSnapshot(relation: RelationMetadata, value: unknown): RelationSnapshot | undefined {
  const snapshot = snapshotOfValue(relation, value);
  if (snapshot === UNSAVED) return undefined;
  return Array.isArray(snapshot) ? snapshot.filter((key) => key !== UNSAVED) : snapshot;
}

/** What the object's loaded relations hold now is what is stored. */
export function takeRelations({ entity, relations, shape }: TrackedObject): void {
  for (const relation of shape.metadata.relations) {
    const snapshot = storedSnapshot(relation, relationValue(relation, entity));
    if (snapshot !== undefined) relations.set(relation, snapshot);
  }
}
