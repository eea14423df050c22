/** Writes what a query joined into an object, and keeps what it held; TypeORM's own way would merge into what is there. */
import type { RelationMetadata } from 'typeorm/metadata/RelationMetadata.js';
import { forgetExpired } from './expired-properties.js';
import { rootOf } from './property-roots.js';
import { relationSnapshot, relationValue, snapshotOfValue } from './relation-values.js';
import type { Row, RowReader } from './row-reader.js';
import { giveToJson } from './to-json.js';
import type { TrackedObject } from './tracked-object.js';

/** A lazy relation is three properties behind an accessor, which is never touched: its value, whether it is there, its loading. */
export function propertiesOf({ isLazy, propertyName }: RelationMetadata): readonly string[] {
  return isLazy ? ['', 'has_', 'promise_'].map((prefix) => `__${prefix}${propertyName}__`) : [propertyName];
}

/** The object that has the relation's property: the entity, or what is embedded in it. */
function holderOf({ embeddedMetadata }: RelationMetadata, entity: object): Record<string, unknown> {
  let holder = entity as Record<string, unknown>;
  for (const embedded of embeddedMetadata?.embeddedMetadataTree ?? []) {
    holder = (holder[embedded.propertyName] ??= embedded.create()) as Record<string, unknown>;
  }
  return holder;
}

export function assignRelation(relation: RelationMetadata, entity: object, value: unknown): void {
  const [property, isLoaded] = propertiesOf(relation);
  const holder = holderOf(relation, entity);
  holder[property!] = value;
  if (isLoaded !== undefined) holder[isLoaded] = true;
}

/** The relation is not loaded any more. */
export function unloadRelation(relation: RelationMetadata, entity: object): void {
  const holder = holderOf(relation, entity);
  for (const property of propertiesOf(relation)) delete holder[property];
}

/** What a relation holds in the database, for a flush to compare with. */
export function keepRelation(tracked: TrackedObject, relation: RelationMetadata, value: unknown): void {
  const snapshot = snapshotOfValue(relation, value);
  if (snapshot !== undefined) tracked.relations.set(relation, snapshot);
  // From now on it may be led back to.
  if (snapshot !== undefined && snapshot !== null) giveToJson(tracked);
}

/** What was assigned to the object before it was loaded stays a change. */
export function fillRelation(tracked: TrackedObject, relation: RelationMetadata, value: unknown): void {
  const { entity, relations } = tracked;
  forgetExpired(tracked, rootOf(relation));
  const isAssigned = relationValue(relation, entity) !== undefined;
  if (!isAssigned) assignRelation(relation, entity, value);
  if (!isAssigned || !relations.has(relation)) keepRelation(tracked, relation, value);
}

/** Where owning relations lead is known by the row, also of those that were not asked for. */
export function keepForeignKeys({ relations, shape }: TrackedObject, row: Row, reader: RowReader): void {
  for (const relation of shape.metadata.relationsWithJoinColumns) {
    if (relations.has(relation)) continue;
    const key = reader.foreignKeyOf(relation, row);
    if (key !== undefined) relations.set(relation, key);
  }
}

export function replaceRelation(tracked: TrackedObject, relation: RelationMetadata, value: unknown): void {
  assignRelation(relation, tracked.entity, value);
  keepRelation(tracked, relation, value);
}

/** Whether it leads elsewhere than it did when it was loaded. */
export function isRelationChanged({ entity, relations }: TrackedObject, relation: RelationMetadata): boolean {
  const now = relationSnapshot(relation, entity);
  const was = relations.get(relation);
  if (now === undefined || now === was) return false;
  if (!Array.isArray(now) || !Array.isArray(was)) return true;
  const before = new Set<unknown>(was);
  return now.length !== was.length || now.some((key) => !before.has(key));
}
