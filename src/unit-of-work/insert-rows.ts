/** Stores new rows, many with one statement, and writes what the database made of them into the objects. */
import type { Driver, QueryRunner } from 'typeorm';
import type { ColumnMetadata } from 'typeorm/metadata/ColumnMetadata.js';
import { StaleDataError } from '../errors.js';
import type { EntityShape } from './entity-shape.js';
import type { EntityWrites } from './entity-writes.js';
import { canReturnInserted, hasConsecutiveKeys, isMysql } from './key-making.js';
import { readBack } from './read-back.js';
import type { RowValues } from './row-values.js';
import { inChunks, StatementText } from './statement-text.js';
import type { TrackedObject } from './tracked-object.js';
import { dataSourceOf } from './typeorm-versions.js';

export interface RowToInsert {
  readonly tracked: TrackedObject;
  readonly values: RowValues;
}

/**
 * Rows of one class, in their order: those that follow each other and have the same columns go together.
 *
 * @param writes - left out where nobody wants to know what the database makes of them
 */
export async function insertRows(
  runner: QueryRunner,
  rows: readonly RowToInsert[],
  writes: EntityWrites | undefined,
): Promise<void> {
  for (const group of groupsOf(rows)) {
    const columns = [...group[0]!.values.keys()];
    const { shape } = group[0]!.tracked;
    const made = (writes === undefined ? [] : shape.metadata.getInsertionReturningColumns()).filter(
      (column) => shape.columns.includes(column) && !columns.includes(column),
    );
    for (const chunk of inChunks(group, columns.length)) {
      for (const part of await partsOf(chunk, columns, made, runner)) {
        // One statement after the other: they share a connection, and the keys come in this order.
        await insertPart(runner, part, { columns, made, shape }, writes);
      }
    }
  }
}

interface Insertion {
  readonly columns: readonly ColumnMetadata[];
  /** What the database makes itself, and the objects are to know. */
  readonly made: readonly ColumnMetadata[];
  readonly shape: EntityShape;
}

async function insertPart(
  runner: QueryRunner,
  rows: readonly RowToInsert[],
  { columns, made, shape }: Insertion,
  writes: EntityWrites | undefined,
): Promise<void> {
  const { driver } = dataSourceOf(runner);
  const text = new StatementText(driver);
  const isReturned = made.length > 0 && canReturnInserted(driver);
  const sql =
    `INSERT INTO ${text.table(shape.metadata)}${valuesOf(text, rows, columns)}` +
    (isReturned ? ` RETURNING ${text.names(made)}` : '');
  const answer = await runner.query(sql, text.parameters, true);
  if (writes === undefined) return;
  for (const { tracked, values } of rows) takeOver(tracked, values, writes);
  if (isReturned)
    return takeReturned(driver, rows, made, answer.records as Record<string, unknown>[], writes);
  const increment = made.find((column) => column.generationStrategy === 'increment');
  if (increment !== undefined) {
    const first = Number((answer.raw as { insertId: number | string }).insertId);
    rows.forEach(({ tracked }, place) => {
      writes.set(increment, tracked.entity, driver.prepareHydratedValue(first + place, increment));
    });
  }
  const rest = made.filter((column) => column !== increment);
  await readBack(
    runner,
    rows.map(({ tracked }) => tracked),
    rest,
    writes,
  );
}

function valuesOf(
  text: StatementText,
  rows: readonly RowToInsert[],
  columns: readonly ColumnMetadata[],
): string {
  if (columns.length === 0) return isMysql(text.driver) ? ' () VALUES ()' : ' DEFAULT VALUES';
  const lists = rows.map(
    ({ values }) => `(${[...values].map(([column, value]) => text.bind(value, column)).join(', ')})`,
  );
  return ` (${text.names(columns)}) VALUES ${lists.join(', ')}`;
}

/** What was stored in columns that the object left out, it has now. */
function takeOver({ entity, shape }: TrackedObject, values: RowValues, writes: EntityWrites): void {
  for (const column of shape.columns) {
    const value = values.get(column);
    const own = column.getEntityValue(entity) as unknown;
    if (value !== undefined && (own === undefined || own === null) && own !== value)
      writes.set(column, entity, value);
  }
}

function takeReturned(
  driver: Driver,
  rows: readonly RowToInsert[],
  made: readonly ColumnMetadata[],
  records: readonly Record<string, unknown>[],
  writes: EntityWrites,
): void {
  if (records.length !== rows.length)
    throw new StaleDataError(
      `${rows.length} rows were to be inserted, and the database kept ${records.length}.`,
    );
  rows.forEach(({ tracked }, place) => {
    for (const column of made) {
      const value = driver.prepareHydratedValue(records[place]![column.databaseName], column) as unknown;
      writes.set(column, tracked.entity, value);
    }
  });
}

function groupsOf(rows: readonly RowToInsert[]): RowToInsert[][] {
  const groups: RowToInsert[][] = [];
  let last: string | undefined;
  for (const row of rows) {
    const columns = [...row.values.keys()].map(({ databaseName }) => databaseName).join('\u0001');
    if (columns === last) groups.at(-1)!.push(row);
    else groups.push([row]);
    last = columns;
  }
  return groups;
}

/** Rows go one by one where that is the only way to know their keys, or to say that all values are made. */
async function partsOf(
  rows: readonly RowToInsert[],
  columns: readonly ColumnMetadata[],
  made: readonly ColumnMetadata[],
  runner: QueryRunner,
): Promise<readonly (readonly RowToInsert[])[]> {
  const isTogether =
    rows.length === 1 ||
    (columns.length > 0 &&
      (canReturnInserted(dataSourceOf(runner).driver) ||
        !made.some(({ generationStrategy }) => generationStrategy === 'increment') ||
        (await hasConsecutiveKeys(runner))));
  return isTogether ? [rows] : rows.map((row) => [row]);
}
