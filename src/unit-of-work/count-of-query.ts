/** How many entities a query finds, whatever page of them it asks for. */
import type { ObjectLiteral, SelectQueryBuilder } from 'typeorm';
import { DriverUtils } from 'typeorm/driver/DriverUtils.js';
import { copyOf } from './copy-of-query.js';
import { dataSourceOf } from './typeorm-versions.js';

export async function countOf<E extends ObjectLiteral>(query: SelectQueryBuilder<E>): Promise<number> {
  const copy = copyOf(query);
  const { expressionMap } = copy;
  // Whoever counts has no row in hand that could be locked.
  expressionMap.lockMode = undefined as never;
  // TypeORM's own count forgets how the rows were grouped.
  if (expressionMap.groupBys.length === 0 && expressionMap.havings.length === 0) return copy.getCount();
  return countGroups(copy.orderBy().skip(undefined).take(undefined).limit(undefined).offset(undefined));
}

async function countGroups<E extends ObjectLiteral>(query: SelectQueryBuilder<E>): Promise<number> {
  const { mainAlias, queryEntity: _entity } = query.expressionMap;
  const dataSource = dataSourceOf(query);
  const { queryRunner } = query as unknown as { queryRunner?: never };
  const keys = mainAlias!.metadata.primaryColumns.map(({ databaseName }) =>
    query.escape(DriverUtils.buildAlias(dataSource.driver, undefined, mainAlias!.name, databaseName)),
  );
  const rows = `(SELECT DISTINCT ${keys.join(', ')} FROM (${query.getQuery()}) ${query.escape('grouped')})`;
  const counted = await dataSource
    .createQueryBuilder(queryRunner)
    .select('COUNT(*)', 'cnt')
    .from(rows, 'entities')
    .setParameters(query.getParameters())
    .getRawOne<{ cnt: number | string }>();
  return Number(counted?.cnt ?? 0);
}
