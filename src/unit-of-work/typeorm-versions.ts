/** What differs between the versions of TypeORM, as far as loading has to know. */
import type { DataSource, EntityMetadata, LoadEvent, QueryRunner } from 'typeorm';
import type { QueryExpressionMap } from 'typeorm/query-builder/QueryExpressionMap.js';
import type { RelationIdLoadResult } from 'typeorm/query-builder/relation-id/RelationIdLoadResult.js';
import { RawSqlResultsToEntityTransformer } from 'typeorm/query-builder/transformer/RawSqlResultsToEntityTransformer.js';

type TransformerArguments = ConstructorParameters<typeof RawSqlResultsToEntityTransformer>;

/** 0.3 takes counts of relations too, of which there are none: a query that asks for them is left to TypeORM. */
const TAKES_COUNTS = RawSqlResultsToEntityTransformer.length === 5;

export function transformerArguments(
  expressionMap: QueryExpressionMap,
  { driver }: DataSource,
  relationIds: RelationIdLoadResult[],
  runner: QueryRunner,
): TransformerArguments {
  if (!TAKES_COUNTS) return [expressionMap, driver, relationIds, runner];
  return [expressionMap, driver, relationIds, [], runner] as unknown as TransformerArguments;
}

/** `loadRelationCountAndMap` of 0.3. */
export function countsRelations(expressionMap: QueryExpressionMap): boolean {
  const { relationCountAttributes = [] } = expressionMap as { relationCountAttributes?: unknown[] };
  return relationCountAttributes.length > 0;
}

/** 0.3 knows a DataSource as `connection` only. */
export function dataSourceOf(owner: object): DataSource {
  const { dataSource, connection } = owner as { dataSource?: DataSource; connection?: DataSource };
  return (dataSource ?? connection)!;
}

/** What a subscriber is told, under the names of both versions. */
export function loadEvent(runner: QueryRunner, entity: object, metadata: EntityMetadata): LoadEvent<object> {
  const dataSource = dataSourceOf(runner);
  const event = { dataSource, connection: dataSource, queryRunner: runner, manager: runner.manager };
  return { ...event, entity, metadata };
}
