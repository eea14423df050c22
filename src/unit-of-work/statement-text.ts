/** A statement that is being written: names are escaped, values are bound, keys are compared. */
import type { Driver, EntityMetadata } from 'typeorm';
import type { ColumnMetadata } from 'typeorm/metadata/ColumnMetadata.js';
import { isSqlite } from './key-making.js';

/** Rows of one statement; more make it slower to parse than the round trip that they save. */
const MOST_ROWS = 500;
/** PostgreSQL takes 65,535 values in one statement, SQLite 32,766. */
const MOST_VALUES = 32_000;

/** One after the other, as much as one statement takes. */
export function* inChunks<T>(rows: readonly T[], valuesOfRow: number): Generator<readonly T[]> {
  const size = Math.max(1, Math.min(MOST_ROWS, Math.floor(MOST_VALUES / Math.max(1, valuesOfRow))));
  for (let start = 0; start < rows.length; start += size) yield rows.slice(start, start + size);
}

/** A column, and the value in it that names a row or its version. */
export type Condition = readonly [column: ColumnMetadata, value: unknown];

export class StatementText {
  readonly parameters: unknown[] = [];

  constructor(readonly driver: Driver) {}

  table({ tablePath }: EntityMetadata): string {
    return tablePath
      .split('.')
      .map((part) => this.driver.escape(part))
      .join('.');
  }

  name({ databaseName }: ColumnMetadata): string {
    return this.driver.escape(databaseName);
  }

  names(columns: readonly ColumnMetadata[]): string {
    return columns.map((column) => this.name(column)).join(', ');
  }

  /** The place of a value, as the driver stores it. */
  bind(value: unknown, column: ColumnMetadata): string {
    this.parameters.push((this.driver.preparePersistentValue(value, column) as unknown) ?? null);
    return this.driver.createParameter('', this.parameters.length - 1);
  }

  all(row: readonly Condition[]): string {
    return row.map(([column, value]) => `${this.name(column)} = ${this.bind(value, column)}`).join(' AND ');
  }

  /** Those rows that one of the lists of conditions names; all lists have the same columns. */
  anyOf(rows: readonly (readonly Condition[])[]): string {
    const [first = []] = rows;
    if (rows.length === 1) return this.all(first);
    const columns = first.map(([column]) => column);
    const values = rows.map((row) => row.map(([column, value]) => this.bind(value, column)).join(', '));
    if (columns.length === 1) return `${this.names(columns)} IN (${values.join(', ')})`;
    const list = values.map((row) => `(${row})`).join(', ');
    return `(${this.names(columns)}) IN (${isSqlite(this.driver) ? `VALUES ${list}` : list})`;
  }
}
