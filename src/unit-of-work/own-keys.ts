/** Relations whose key is a column of the class too: either may be changed, and after a flush both say the same again. */
import type { ColumnMetadata } from 'typeorm/metadata/ColumnMetadata.js';
import type { RelationMetadata } from 'typeorm/metadata/RelationMetadata.js';
import { ApplyValueTransformers } from 'typeorm/util/ApplyValueTransformers.js';
import type { EntityWrites } from './entity-writes.js';
import { freeze, type FrozenValue, isSame } from './frozen-value.js';
import type { IdentityMap } from './identity-map.js';
import { assignRelation, unloadRelation } from './loaded-relations.js';
import { isObject, relationValue, snapshotOfValue, storedSnapshot } from './relation-values.js';
import type { TrackedObject } from './tracked-object.js';

const OWN_COLUMNS = new WeakMap<RelationMetadata, readonly ColumnMetadata[]>();

/** Empty where the class has not the whole key as properties of their own. */
export function ownColumns(relation: RelationMetadata): readonly ColumnMetadata[] {
  let columns = OWN_COLUMNS.get(relation);
  if (columns === undefined) {
    const { joinColumns, isWithJoinColumn, propertyPath } = relation;
    const isOwn = joinColumns.every((column) => !column.isVirtual && column.propertyPath !== propertyPath);
    OWN_COLUMNS.set(relation, (columns = isWithJoinColumn && isOwn ? joinColumns : []));
  }
  return columns;
}

/** What the property itself holds; TypeORM would read the key of the object that the relation leads to. */
export function ownValue({ embeddedMetadata, propertyName }: ColumnMetadata, entity: object): unknown {
  let holder = entity as Record<string, unknown> | null | undefined;
  for (const embedded of embeddedMetadata?.embeddedMetadataTree ?? [])
    holder = holder?.[embedded.propertyName] as typeof holder;
  if (holder === undefined || holder === null) return undefined;
  // An accessor stands where nothing is loaded.
  const isLoaded = Object.getOwnPropertyDescriptor(holder, propertyName)?.get === undefined;
  return isLoaded ? holder[propertyName] : undefined;
}

interface Seen {
  readonly value: unknown;
  readonly keys: readonly unknown[];
  readonly end: unknown;
  /** Whether the columns say where the relation is to lead, and not what it holds. */
  readonly isByKey: boolean;
}

export class OwnKeys {
  readonly #seen = new Map<TrackedObject, Map<RelationMetadata, Seen>>();

  constructor(private readonly map: IdentityMap) {}

  /** Where a relation leads, as its object says. */
  endOf(tracked: TrackedObject, relation: RelationMetadata): unknown {
    return ownColumns(relation).length === 0
      ? relationValue(relation, tracked.entity)
      : this.#see(tracked, relation).end;
  }

  /** The same, which is going to be stored. */
  hold(tracked: TrackedObject, relation: RelationMetadata): unknown {
    if (ownColumns(relation).length === 0) return relationValue(relation, tracked.entity);
    let seen = this.#seen.get(tracked);
    if (seen === undefined) this.#seen.set(tracked, (seen = new Map()));
    const now = this.#see(tracked, relation);
    seen.set(relation, now);
    return now.end;
  }

  isByKey(tracked: TrackedObject, relation: RelationMetadata): boolean {
    if (ownColumns(relation).length === 0) return false;
    return (this.#seen.get(tracked)?.get(relation) ?? this.#see(tracked, relation)).isByKey;
  }

  /** The values of all columns as they are sent. */
  sentValues(tracked: TrackedObject): FrozenValue[] {
    const values = tracked.values();
    for (const [relation, { isByKey, keys }] of this.#seen.get(tracked) ?? []) {
      if (!isByKey) continue;
      for (const [index, column] of ownColumns(relation).entries())
        values[tracked.shape.columns.indexOf(column)] = frozen(column, keys[index]);
    }
    return values;
  }

  /** They were stored: columns and relation agree, unless either was changed meanwhile. */
  settle(tracked: TrackedObject, writes: EntityWrites): void {
    for (const [relation, seen] of this.#seen.get(tracked) ?? []) {
      if (relationValue(relation, tracked.entity) !== seen.value) continue;
      if (seen.isByKey) this.#follow(tracked, relation, seen);
      else if (isObject(seen.value)) takeKeys(tracked.entity, relation, seen, writes);
    }
  }

  #follow({ entity, relations }: TrackedObject, relation: RelationMetadata, { value, end }: Seen): void {
    // What is not the key of a row is not known by it.
    if (storedSnapshot(relation, end) === undefined) relations.delete(relation);
    if (value === undefined) return;
    if (end === null || (isObject(end) && this.map.of(end) !== undefined))
      assignRelation(relation, entity, end);
    else unloadRelation(relation, entity);
  }

  #see(tracked: TrackedObject, relation: RelationMetadata): Seen {
    const { entity } = tracked;
    const value = relationValue(relation, entity);
    const keys = ownColumns(relation).map((column) => ownValue(column, entity));
    const isByKey = isToldByKey(tracked, relation, value, keys);
    return { value, keys, isByKey, end: isByKey ? this.#leadTo(relation, keys) : value };
  }

  /** The tracked object that the key names, or else something that has the key. */
  #leadTo(relation: RelationMetadata, keys: readonly unknown[]): unknown {
    if (keys.some((key) => key === null)) return null;
    const metadata = relation.inverseEntityMetadata;
    const named = {};
    for (const [index, column] of relation.joinColumns.entries())
      column.referencedColumn!.setEntityValue(named, keys[index]);
    const key = snapshotOfValue(relation, named);
    return (typeof key === 'string' ? this.map.get(metadata, key)?.entity : undefined) ?? named;
  }
}

/** Whether only the columns were changed: where both were, TypeORM stores what the relation says, and so do we. */
function isToldByKey(
  tracked: TrackedObject,
  relation: RelationMetadata,
  value: unknown,
  keys: readonly unknown[],
): boolean {
  const { relations, shape, snapshot, state } = tracked;
  if (keys.some((key) => key === undefined)) return false;
  const isGiven = keys.every((key) => key !== null);
  if (state === 'pending') return isGiven && (value === undefined || value === null);
  const columns = ownColumns(relation);
  const isChanged = columns.some((column, index) => {
    const was = snapshot[shape.columns.indexOf(column)];
    return was !== undefined && !isSame(frozen(column, keys[index]), was);
  });
  if (!isChanged || value === undefined) return isChanged;
  if (relations.has(relation)) return relations.get(relation) === snapshotOfValue(relation, value);
  // What was assigned without having been loaded is compared by the columns.
  return columns.every((column) => {
    const place = shape.columns.indexOf(column);
    return isObject(value) && isSame(tracked.read(place), snapshot[place]);
  });
}

function takeKeys(
  entity: object,
  relation: RelationMetadata,
  { value, keys }: Seen,
  writes: EntityWrites,
): void {
  for (const [index, column] of ownColumns(relation).entries()) {
    const key = column.referencedColumn!.getEntityValue(value as object) as unknown;
    const isChanged = ownValue(column, entity) !== keys[index];
    if (!isChanged && key !== undefined && key !== keys[index]) writes.set(column, entity, key);
  }
}

function frozen({ transformer }: ColumnMetadata, value: unknown): FrozenValue {
  return freeze(
    transformer === undefined ? value : (ApplyValueTransformers.transformTo(transformer, value) as unknown),
  );
}
