/** A connection of the pool by itself, as SQLAlchemy's `raw_connection()` gives one. */
import type { DataSource, QueryRunner } from 'typeorm';

/**
 * A leased connection. It must be closed; a transaction that is open then is rolled back.
 *
 * @example
 * ```ts
 * import { createEngine } from 'nestjs-scoped-session';
 * const engine = await createEngine('sqlite+sqljs:///:memory:').initialize();
 * await using connection = await engine.rawConnection();
 * console.log(connection.driverConnection);
 * ```
 */
export class RawConnection implements AsyncDisposable {
  readonly #runner: QueryRunner;

  /** @internal */
  constructor(
    runner: QueryRunner,
    /** What the driver knows as a connection: mysql2's, pg's client, better-sqlite3's or sql.js's database. */
    readonly driverConnection: unknown,
  ) {
    this.#runner = runner;
  }

  /** Sends one statement; the driver's own placeholders and answer. */
  query<T = unknown>(sql: string, positional?: readonly unknown[]): Promise<T> {
    return this.#runner.query(sql, positional as unknown[]) as Promise<T>;
  }

  /** Rolls back what is open and gives the connection back; once, later calls do nothing. */
  async close(): Promise<void> {
    await this.#runner.release();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

export async function openRawConnection(dataSource: DataSource): Promise<RawConnection> {
  const runner = dataSource.driver.createQueryRunner('master');
  return new RawConnection(runner, await runner.connect());
}
