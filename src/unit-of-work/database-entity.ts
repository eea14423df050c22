/** The object as TypeORM would load it to compare with: made from the snapshot, without a SELECT. */
import type { EntityMetadata, ObjectLiteral } from 'typeorm';
import type { ColumnMetadata } from 'typeorm/metadata/ColumnMetadata.js';
import type { RelationMetadata } from 'typeorm/metadata/RelationMetadata.js';
import { ApplyValueTransformers } from 'typeorm/util/ApplyValueTransformers.js';
import { isSame, thaw } from './frozen-value.js';
import { partsOf } from './identity-key.js';
import type { IdentityMap } from './identity-map.js';
import type { TrackedObject } from './tracked-object.js';

/** @param base - what the row holds */
export function databaseEntity(tracked: TrackedObject, base: TrackedObject, map: IdentityMap): ObjectLiteral {
  const { entity, shape } = tracked;
  const { metadata } = shape;
  const stored = metadata.create(undefined, { fromDeserializer: true });
  for (const [place, column] of shape.columns.entries()) {
    const was = base.snapshot[place];
    if (was === undefined) continue;
    const now = column.getEntityValue(entity) as unknown;
    const isUnchanged = isSame(shape.read(entity, place), was);
    column.setEntityValue(stored, isUnchanged ? now : fromStored(thaw(was, now), column));
  }
  for (const [relation, snapshot] of base.relations) {
    const ids = Array.isArray(snapshot)
      ? snapshot.map((key: string) => idMapOf(relation, key, map))
      : snapshot === null
        ? null
        : idMapOf(relation, snapshot as string, map);
    relation.setEntityValue(stored, ids);
  }
  return stored;
}

function fromStored(value: unknown, { transformer }: ColumnMetadata): unknown {
  return transformer === undefined
    ? value
    : (ApplyValueTransformers.transformFrom(transformer, value) as unknown);
}

function idMapOf(relation: RelationMetadata, key: string, map: IdentityMap): ObjectLiteral | undefined {
  const metadata = relation.inverseEntityMetadata;
  const known = map.get(metadata, key);
  if (known === undefined) return fromKey(metadata, key);
  const isToOne = relation.isManyToOne || relation.isOneToOneOwner;
  return isToOne ? relation.getRelationIdMap(known.entity) : metadata.getEntityIdMap(known.entity);
}

/** Of an object that is not in the map any more. */
function fromKey({ primaryColumns }: EntityMetadata, key: string): ObjectLiteral {
  const parts = partsOf(key);
  return Object.assign(
    {},
    ...primaryColumns.map((column, place) => {
      const isNumber =
        column.type === Number ||
        /^(int|integer|smallint|mediumint|tinyint|serial)/.test(String(column.type));
      return column.createValueMap(isNumber ? Number(parts[place]) : parts[place]);
    }),
  ) as ObjectLiteral;
}
