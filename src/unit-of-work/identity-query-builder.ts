/** TypeORM's SELECT builder, whose objects are those of the identity map of the runner that it runs on. */
import { type DataSource, type ObjectLiteral, type QueryRunner, SelectQueryBuilder } from 'typeorm';
import { RelationIdLoader } from 'typeorm/query-builder/relation-id/RelationIdLoader.js';
import { takeAll } from './copy-of-query.js';
import { shapeOf } from './entity-shape.js';
import { identityOf } from './identity.js';
import type { IdentityMap } from './identity-map.js';
import { IdentityTransformer } from './identity-transformer.js';
import { LazyRelations } from './lazy-relations.js';
import type { Meeting } from './loaded-columns.js';
import { broadcastLoads } from './load-events.js';
import { relationValue } from './relation-values.js';
import type { Row } from './row-reader.js';
import type { TrackedObject } from './tracked-object.js';
import { countsRelations, dataSourceOf } from './typeorm-versions.js';

interface Loaded<Entity> {
  raw: unknown[];
  entities: Entity[];
}

export class IdentityQueryBuilder<Entity extends ObjectLiteral> extends SelectQueryBuilder<Entity> {
  /** How a row meets what is loaded already; left out, by the kind of the query. */
  #populates: Meeting | undefined;
  /** Where the rows go, instead of being made into objects. */
  #rows: { found: Row[] } | undefined;

  /**
   * What is loaded already is overwritten by what the database has now, unflushed changes included unless it is to be
   * refreshed only.
   */
  populateExisting(how: 'overwrite' | 'refresh' = 'overwrite'): this {
    this.#populates = how;
    return this;
  }

  override createQueryBuilder(queryRunner?: QueryRunner): this {
    const builder = super.createQueryBuilder(queryRunner);
    builder.#populates = this.#populates;
    return builder;
  }

  /** TypeORM's own copy forgets the find options and what is to be loaded by queries of its own. */
  override clone(): this {
    const copy = takeAll(this, super.clone());
    copy.#populates = this.#populates;
    copy.#rows = this.#rows;
    // A page is found by keys, even where the query asks for other columns only.
    if (this.#rows !== undefined) copy.expressionMap.queryEntity = this.expressionMap.queryEntity;
    return copy;
  }

  protected override async loadRawResults(queryRunner: QueryRunner): Promise<unknown[]> {
    const sink = this.#rows;
    const rows = (await super.loadRawResults(queryRunner)) as Row[];
    if (sink === undefined) return rows;
    sink.found = rows;
    return [];
  }

  protected override async executeEntitiesAndRawResults(queryRunner: QueryRunner): Promise<Loaded<Entity>> {
    const map = identityOf(queryRunner);
    if (map === undefined || this.#isBypassed()) {
      return super.executeEntitiesAndRawResults(queryRunner);
    }
    const loaded = this.relationMetadatas.length > 0 && this.expressionMap.relationLoadStrategy === 'query';
    return loaded ? this.#loadByQueries(map, queryRunner) : this.#loadByJoins(map, queryRunner);
  }

  /** What is no object of a row, or what TypeORM's own persistence compares objects with. */
  #isBypassed(): boolean {
    const { mainAlias, options, relationIdAttributes } = this.expressionMap;
    return (
      mainAlias?.hasMetadata !== true ||
      mainAlias.metadata.tableType === 'view' ||
      options.includes('create-pojo') ||
      relationIdAttributes.length > 0 ||
      Boolean(this.findOptions.loadRelationIds) ||
      countsRelations(this.expressionMap)
    );
  }

  async #loadByJoins(map: IdentityMap, queryRunner: QueryRunner): Promise<Loaded<Entity>> {
    const { expressionMap } = this;
    const isPaged =
      Boolean(expressionMap.skip || expressionMap.take) && expressionMap.joinAttributes.length > 0;
    // A page is read by copies that are made later on; what else this builder is asked meanwhile is not to be caught.
    const reader = isPaged ? this.#reader() : this;
    const rows = { found: [] as Row[] };
    const attributes = reader.expressionMap.relationIdAttributes;
    try {
      reader.#rows = rows;
      const reading = super.executeEntitiesAndRawResults.call(reader, queryRunner);
      this.#rows = undefined;
      await reading;
      const entities = await this.#track(map, queryRunner, reader, rows.found);
      return { raw: rows.found, entities };
    } finally {
      // TypeORM adds those of the class each time.
      attributes.length = 0;
    }
  }

  /**
   * TypeORM makes objects of its own here and loads their relations, which are tracked; what the relations lead to is then
   * handed to the tracked objects of the same rows.
   */
  async #loadByQueries(map: IdentityMap, queryRunner: QueryRunner): Promise<Loaded<Entity>> {
    const reader = this.#reader();
    reader.expressionMap.callListeners = false;
    const { raw, entities: copies } = (await super.executeEntitiesAndRawResults.call(
      reader,
      queryRunner,
    )) as Loaded<Entity>;
    const { metadata } = this.expressionMap.mainAlias!;
    const entities = await this.#track(map, queryRunner, reader, raw as Row[], (transformer) => {
      for (const copy of copies) {
        const key = shapeOf(metadata).keyOf(copy);
        const tracked = key === undefined ? undefined : map.get(metadata, key);
        if (tracked !== undefined) takeRelations(transformer, tracked, copy, reader.relationMetadatas);
      }
    });
    return { raw, entities };
  }

  #reader(): this {
    const reader = this.clone();
    reader.expressionMap.queryEntity = this.expressionMap.queryEntity;
    return reader;
  }

  async #track(
    map: IdentityMap,
    runner: QueryRunner,
    { expressionMap }: this,
    rows: Row[],
    afterwards: (transformer: IdentityTransformer) => void = () => undefined,
  ): Promise<Entity[]> {
    if (rows.length === 0) return [];
    const { relationIdAttributes, withDeleted } = expressionMap;
    const loader = new RelationIdLoader(dataSourceOf(this), runner, relationIdAttributes, withDeleted);
    const relationIds = relationIdAttributes.length === 0 ? [] : await loader.load(rows);
    const meetingOf = (tracked: TrackedObject): Meeting => this.#meetingOf(tracked);
    const lazyRelations = new LazyRelations(trackingDataSource(dataSourceOf(this), runner), map);
    const load = { map, runner, lazyRelations, meetingOf };
    const transformer = new IdentityTransformer(expressionMap, relationIds, load);
    try {
      const entities = transformer.transform(rows, expressionMap.mainAlias!) as Entity[];
      afterwards(transformer);
      if (this.expressionMap.callListeners) await broadcastLoads(runner, transformer.hydrated);
      return entities;
    } catch (error) {
      transformer.giveUp();
      throw error;
    }
  }

  #meetingOf(tracked: TrackedObject): Meeting {
    const { lockMode } = this.expressionMap;
    if (this.#populates !== undefined) return this.#populates;
    if (lockMode === undefined || lockMode === 'dirty_read') return 'fill';
    // The version that is asked for is compared with that of the object: it has to be today's, or that of the changes.
    if (lockMode === 'optimistic') return tracked.changedColumns().length === 0 ? 'refresh' : 'fill';
    // A row that is locked may be newer than what this transaction saw before.
    return 'refresh';
  }
}

function takeRelations(
  transformer: IdentityTransformer,
  tracked: TrackedObject,
  copy: object,
  relations: TrackedObject['shape']['metadata']['relations'],
): void {
  for (const relation of relations) {
    const value = tracked.shape.metadata.relations.includes(relation)
      ? relationValue(relation, copy)
      : undefined;
    if (value !== undefined) transformer.relate(tracked, relation, value);
  }
}

type MakeBuilder = (...given: unknown[]) => SelectQueryBuilder<ObjectLiteral>;

/** The DataSource as one unit of work sees it: what it selects runs on `runner`, and is tracked. */
export function trackingDataSource(dataSource: DataSource, runner: QueryRunner): DataSource {
  const createQueryBuilder = (entity?: unknown, alias?: string): SelectQueryBuilder<ObjectLiteral> => {
    const given = alias === undefined || alias === '' ? [runner] : [entity, alias, runner];
    return trackingBuilder((dataSource.createQueryBuilder as MakeBuilder).call(dataSource, ...given));
  };
  return Object.create(dataSource, { createQueryBuilder: { value: createQueryBuilder } }) as DataSource;
}

/** Tracks what is loaded where the runner has an identity map; made from what TypeORM's own `createQueryBuilder` made. */
export function trackingBuilder<Entity extends ObjectLiteral>(
  builder: SelectQueryBuilder<Entity>,
): IdentityQueryBuilder<Entity> {
  return new IdentityQueryBuilder<Entity>(builder);
}
