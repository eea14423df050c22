/** Reads what a database made itself, dates and computed columns, of rows that were just stored. */
import type { Driver, EntityMetadata, QueryRunner } from 'typeorm';
import type { ColumnMetadata } from 'typeorm/metadata/ColumnMetadata.js';
import { ApplyValueTransformers } from 'typeorm/util/ApplyValueTransformers.js';
import type { EntityWrites } from './entity-writes.js';
import { keyFrom } from './identity-key.js';
import { type Condition, StatementText } from './statement-text.js';
import type { TrackedObject } from './tracked-object.js';
import { dataSourceOf } from './typeorm-versions.js';

/** Objects of one class; nothing is asked where there are no columns. */
export async function readBack(
  runner: QueryRunner,
  rows: readonly TrackedObject[],
  columns: readonly ColumnMetadata[],
  writes: EntityWrites,
): Promise<void> {
  if (rows.length === 0 || columns.length === 0) return;
  const { driver } = dataSourceOf(runner);
  const { metadata } = rows[0]!.shape;
  const text = new StatementText(driver);
  const keys = rows.map(({ entity }) =>
    metadata.primaryColumns.map((column): Condition => [column, column.getEntityValue(entity)]),
  );
  const sql =
    `SELECT ${text.names([...metadata.primaryColumns, ...columns])} FROM ${text.table(metadata)} ` +
    `WHERE ${text.anyOf(keys)}`;
  const records = (await runner.query(sql, text.parameters)) as Record<string, unknown>[];
  const byKey = new Map(rows.map((tracked) => [tracked.shape.keyOf(tracked.entity), tracked]));
  for (const record of records) {
    const tracked = byKey.get(hydratedKey(record, metadata, driver));
    if (tracked === undefined) continue;
    for (const column of columns) {
      const value = driver.prepareHydratedValue(record[column.databaseName], column) as unknown;
      writes.set(column, tracked.entity, value);
    }
  }
}

/** Keys name rows by what is stored, not by what a transformer makes of it. */
export function hydratedKey(
  record: Record<string, unknown>,
  { primaryColumns }: EntityMetadata,
  driver: Driver,
): string | undefined {
  return keyFrom(
    primaryColumns.map((column) => {
      const value = driver.prepareHydratedValue(record[column.databaseName], column) as unknown;
      return column.transformer === undefined
        ? value
        : (ApplyValueTransformers.transformTo(column.transformer, value) as unknown);
    }),
  );
}
