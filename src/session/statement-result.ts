/** What a statement brought: rows, or what it changed. */
import { MultipleResultsFoundError, NoResultFoundError } from '../errors.js';

/**
 * The answer to `session.execute`.
 *
 * @example
 * ```ts
 * import type { StatementResult } from 'nestjs-scoped-session';
 * export const names = (result: StatementResult<{ name: string }>) => result.rows.map((row) => row.name);
 * ```
 */
export class StatementResult<Row = Record<string, unknown>> implements Iterable<Row> {
  constructor(
    /** The rows of a query, in the order of the server; empty for a statement that has none. */
    readonly rows: readonly Row[],
    /** How many rows an INSERT, UPDATE or DELETE matched; 0 for a query. */
    readonly affectedRows: number,
    /** The generated key of the last INSERT, where the driver tells it (MySQL, MariaDB, SQLite; elsewhere RETURNING). */
    readonly insertId: number | string | bigint | undefined,
  ) {}

  /** The first row, or undefined. */
  first(): Row | undefined {
    return this.rows[0];
  }

  /**
   * The only row.
   *
   * @throws {@link NoResultFoundError} `SS_ERR_NO_RESULT_FOUND` or {@link MultipleResultsFoundError}
   *   `SS_ERR_MULTIPLE_RESULTS_FOUND`, as SQLAlchemy's `one()`
   */
  one(): Row {
    const [row, second] = this.rows;
    if (row === undefined) throw new NoResultFoundError('No row was found when one was required.');
    if (second !== undefined) {
      throw new MultipleResultsFoundError('Multiple rows were found when exactly one was required.');
    }
    return row;
  }

  /** The first column of the first row, or null when there is no row. */
  scalar<T = unknown>(): T | null {
    const row = this.first();
    return row === undefined ? null : firstColumn<T>(row);
  }

  /** The first column of the only row; throws as `one()` does. */
  scalarOne<T = unknown>(): T {
    return firstColumn<T>(this.one());
  }

  /** The first column of every row. */
  scalars<T = unknown>(): T[] {
    return this.rows.map((row) => firstColumn<T>(row));
  }

  [Symbol.iterator](): Iterator<Row> {
    return this.rows[Symbol.iterator]();
  }
}

function firstColumn<T>(row: unknown): T {
  const [first] = Object.values(row as Record<string, T>);
  return first as T;
}
