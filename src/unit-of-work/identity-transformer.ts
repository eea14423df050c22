/** Makes rows into tracked objects: one object per row of the database, in the map before what it leads to is looked at. */
import type { EntityMetadata, ObjectLiteral, QueryRunner } from 'typeorm';
import type { Alias } from 'typeorm/query-builder/Alias.js';
import type { JoinAttribute } from 'typeorm/query-builder/JoinAttribute.js';
import type { QueryExpressionMap } from 'typeorm/query-builder/QueryExpressionMap.js';
import type { RelationIdLoadResult } from 'typeorm/query-builder/relation-id/RelationIdLoadResult.js';
import { RawSqlResultsToEntityTransformer } from 'typeorm/query-builder/transformer/RawSqlResultsToEntityTransformer.js';
import type { RelationMetadata } from 'typeorm/metadata/RelationMetadata.js';
import type { IdentityMap } from './identity-map.js';
import type { LazyRelations } from './lazy-relations.js';
import { fillColumns, type Meeting, hydrate, refreshColumns } from './loaded-columns.js';
import {
  assignRelation,
  fillRelation,
  isRelationChanged,
  keepForeignKeys,
  keepRelation,
  replaceRelation,
  unloadRelation,
} from './loaded-relations.js';
import { rootOf } from './property-roots.js';
import { relationValue } from './relation-values.js';
import type { Row, RowReader } from './row-reader.js';
import { RowReaders } from './row-readers.js';
import type { TrackedObject } from './tracked-object.js';
import { dataSourceOf, transformerArguments } from './typeorm-versions.js';

export interface IdentityLoad {
  readonly map: IdentityMap;
  readonly runner: QueryRunner;
  readonly lazyRelations: LazyRelations;
  /** How the rows meet an object that is there already, and is not expired. */
  meetingOf(tracked: TrackedObject): Meeting;
}

const NONE: ReadonlySet<never> = new Set();

export class IdentityTransformer extends RawSqlResultsToEntityTransformer {
  /** What was hydrated from these rows, what is led to before what leads to it. */
  readonly hydrated: TrackedObject[] = [];
  readonly #load: IdentityLoad;
  /** How each object was met the first time; when its row comes again there is only to fill. */
  readonly #meetings = new Map<TrackedObject, Meeting | 'hydrate'>();
  readonly #readers: RowReaders;

  constructor(expressionMap: QueryExpressionMap, relationIds: RelationIdLoadResult[], load: IdentityLoad) {
    super(...transformerArguments(expressionMap, dataSourceOf(load.runner), relationIds, load.runner));
    this.#load = load;
    this.#readers = new RowReaders(expressionMap, this.driver, (alias, column) =>
      this.buildAlias(alias, column),
    );
  }

  /** Writes what was loaded for a relation in another way than by a join. */
  relate(tracked: TrackedObject, relation: RelationMetadata, value: unknown): void {
    const meeting = this.#meetings.get(tracked) ?? 'fill';
    this.#relate(tracked, relation, value, meeting === 'hydrate' ? 'fill' : meeting);
  }

  /** Loading failed: what it began is not to be found, and what it began to refresh is not to be trusted. */
  giveUp(): void {
    for (const [tracked, meeting] of this.#meetings) {
      if (meeting === 'hydrate') this.#load.map.remove(tracked);
      else if (meeting !== 'fill') tracked.isExpired = true;
    }
  }

  protected override transformRawResultsGroup(rows: Row[], alias: Alias): ObjectLiteral | undefined {
    const key = this.#keyOf(rows[0]!, alias);
    // What has no key is nobody: no row was joined, or the query did not ask for it.
    if (key === undefined) return super.transformRawResultsGroup(rows, alias);
    const known = this.#load.map.get(alias.metadata, key);
    if (known !== undefined) return this.#meet(known, rows, alias);
    const metadata = this.#classOf(rows, alias);
    if (metadata === undefined) return super.transformRawResultsGroup(rows, alias);
    return this.#hydrate(metadata, key, rows, alias);
  }

  /** Of an object that is not tracked. */
  protected override transformJoins(
    rows: Row[],
    entity: ObjectLiteral,
    alias: Alias,
    metadata: EntityMetadata,
  ): boolean {
    return (
      this.#join(rows, entity, alias, metadata, (relation, value) =>
        assignRelation(relation, entity, value),
      ) > 0
    );
  }

  #hydrate(metadata: EntityMetadata, key: string, rows: Row[], alias: Alias): object {
    const entity = metadata.create(this.queryRunner, { fromDeserializer: true }) as ObjectLiteral;
    if (metadata.lazyRelations.length > 0) {
      const { lazyRelations, runner } = this.#load;
      lazyRelations.enable(metadata.lazyRelations, entity, runner);
    }
    const reader = this.#readers.of(alias, metadata);
    const tracked = hydrate(entity, rows[0]!, reader, key);
    this.#meetings.set(tracked, 'hydrate');
    this.#load.map.add(tracked);
    this.#joinTracked(tracked, rows, alias, 'fill');
    if (metadata.relations.length > 0) keepForeignKeys(tracked, rows[0]!, reader);
    this.hydrated.push(tracked);
    return entity;
  }

  #meet(tracked: TrackedObject, rows: Row[], alias: Alias): object {
    const { entity, shape, state } = tracked;
    // What was never stored, or is deleted, is not what the row says.
    if (state !== 'persistent') return entity;
    const meeting = this.#meetings.has(tracked) ? 'fill' : this.#meetingOf(tracked);
    if (!this.#meetings.has(tracked)) this.#meetings.set(tracked, meeting);
    const reader = this.#readers.of(alias, shape.metadata);
    const expired = tracked.expired === undefined ? NONE : new Set(tracked.expired);
    if (meeting === 'fill') fillColumns(tracked, rows[0]!, reader);
    else this.#refresh(tracked, rows[0]!, reader, meeting);
    const joined = this.#joinTracked(tracked, rows, alias, meeting);
    if (meeting !== 'fill') {
      this.#followRow(tracked, { joined, expired }, rows[0]!, reader, meeting);
      this.hydrated.push(tracked);
    }
    keepForeignKeys(tracked, rows[0]!, reader);
    return entity;
  }

  #meetingOf(tracked: TrackedObject): Meeting {
    const meeting = this.#load.meetingOf(tracked);
    return tracked.isExpired && meeting !== 'overwrite' ? 'renew' : meeting;
  }

  #refresh(tracked: TrackedObject, row: Row, reader: RowReader, meeting: Meeting): void {
    refreshColumns(tracked, row, reader, meeting);
    tracked.isExpired = false;
  }

  #joinTracked(
    tracked: TrackedObject,
    rows: Row[],
    alias: Alias,
    meeting: Meeting,
  ): ReadonlySet<RelationMetadata> {
    const { joinAttributes, relationIdAttributes } = this.expressionMap;
    if (joinAttributes.length === 0 && relationIdAttributes.length === 0) return NONE;
    const { entity, shape } = tracked;
    const joined = new Set<RelationMetadata>();
    this.#join(rows, entity, alias, shape.metadata, (relation, value) => {
      this.#relate(tracked, relation, value, joined.has(relation) ? 'fill' : meeting);
      joined.add(relation);
    });
    this.transformRelationIds(rows, alias, entity, shape.metadata);
    return joined;
  }

  #relate(tracked: TrackedObject, relation: RelationMetadata, value: unknown, meeting: Meeting): void {
    const isKept = meeting === 'fill' || (meeting !== 'overwrite' && isRelationChanged(tracked, relation));
    (isKept ? fillRelation : replaceRelation)(tracked, relation, value);
    // What was changed is compared with what the database holds by now.
    if (isKept && meeting !== 'fill') keepRelation(tracked, relation, value);
  }

  /** A relation that was loaded once, and not now, may lead elsewhere by now. */
  #followRow(
    tracked: TrackedObject,
    { joined, expired }: { joined: ReadonlySet<RelationMetadata>; expired: ReadonlySet<string> },
    row: Row,
    reader: RowReader,
    meeting: Meeting,
  ): void {
    const { entity, relations, shape } = tracked;
    for (const relation of shape.metadata.relations) {
      if (joined.has(relation)) continue;
      if (relationValue(relation, entity) === undefined && !expired.has(rootOf(relation))) {
        relations.delete(relation);
        continue;
      }
      const isChanged = isRelationChanged(tracked, relation);
      if (isChanged && meeting !== 'overwrite') continue;
      const key = relation.isWithJoinColumn ? reader.foreignKeyOf(relation, row) : undefined;
      if (key === undefined ? meeting === 'refresh' : key === relations.get(relation) && !isChanged) continue;
      const end =
        typeof key === 'string' ? this.#load.map.get(relation.inverseEntityMetadata, key)?.entity : key;
      if (end !== undefined) replaceRelation(tracked, relation, end);
      else {
        unloadRelation(relation, entity);
        relations.delete(relation);
      }
    }
  }

  /** As TypeORM chooses which joins are an alias's own; returns how many there are. */
  #join(
    rows: Row[],
    entity: ObjectLiteral,
    alias: Alias,
    metadata: EntityMetadata,
    relate: (relation: RelationMetadata, value: unknown) => void,
  ): number {
    let count = 0;
    for (const join of this.expressionMap.joinAttributes) {
      if (!isJoinOf(join, alias, metadata)) continue;
      count += 1;
      const found = this.transform(rows, join.alias) as unknown[];
      const value = join.isMany ? found : (found[0] ?? null);
      const property = join.mapToPropertyPropertyName;
      const relation =
        property === undefined ? join.relation : metadata.findRelationWithPropertyPath(property);
      if (relation === undefined) entity[property!] = value;
      else relate(relation, value);
    }
    return count;
  }

  #keyOf(row: Row, alias: Alias): string | undefined {
    return alias.metadata.tableType === 'view'
      ? undefined
      : this.#readers.of(alias, alias.metadata).keyOf(row);
  }

  /** With one table for a tree of classes the row says which; undefined where it was not asked. */
  #classOf(rows: Row[], { metadata, name }: Alias): EntityMetadata | undefined {
    const { discriminatorColumn, childEntityMetadatas } = metadata;
    if (discriminatorColumn === undefined) return metadata;
    const value = rows[0]![this.buildAlias(name, discriminatorColumn.databaseName)];
    if (value === undefined) return childEntityMetadatas.length === 0 ? metadata : undefined;
    return childEntityMetadatas.find(({ discriminatorValue }) => discriminatorValue === value) ?? metadata;
  }
}

function isJoinOf(join: JoinAttribute, { name }: Alias, { relations }: EntityMetadata): boolean {
  const { metadata, isSelected, relation } = join;
  if (metadata === undefined || !isSelected) return false;
  if (relation !== undefined && !relations.includes(relation)) return false;
  if (join.mapToProperty) return join.mapToPropertyParentAlias === name;
  return (
    relation !== undefined && join.parentAlias === name && join.relationPropertyPath === relation.propertyPath
  );
}
