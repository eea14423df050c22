/** A handle of better-sqlite3: as the library knows it, and opened as TypeORM's driver opens its own. */
import { ConnectionIsNotSetError } from 'typeorm';
import { UnusableDataSourceError } from '../errors.js';
import { type Busy, untilFree } from './sqlite-busy.js';
import type { IsolationLevel } from './isolation.js';
import { levelPragma } from './sqlite-level.js';
import type { PhysicalConnection } from './pooled-connection.js';

/** better-sqlite3's database object. */
export interface BetterSqlite3Handle {
  readonly open: boolean;
  readonly inTransaction: boolean;
  exec(sql: string): unknown;
  pragma(text: string, options?: { simple: true }): unknown;
  prepare(sql: string): { pluck(): { get(): unknown } };
  close(): void;
}

/** What of TypeORM's driver opens handles. */
export interface BetterSqlite3Driver {
  readonly databaseConnection?: BetterSqlite3Handle;
  readonly options: object;
  hasAttachedDatabases(): boolean;
  createDatabaseConnection(): Promise<BetterSqlite3Handle>;
}

/** sql.js does not tell whether a transaction is open. */
export function isBetterSqlite3(connection: object): connection is BetterSqlite3Handle {
  return 'inTransaction' in connection;
}

/**
 * Opens a handle with the DataSource's own preparation (key, `prepareDatabase`, foreign keys). It never waits for a lock by
 * itself: better-sqlite3 would do that with the whole process standing still.
 */
export async function openHandle(driver: BetterSqlite3Driver, busy: Busy): Promise<SqliteHandle> {
  if (driver.databaseConnection?.open !== true) throw new ConnectionIsNotSetError('better-sqlite3');
  if (driver.hasAttachedDatabases()) {
    throw new UnusableDataSourceError(
      "Entities in attached databases need sqliteConnections 'shared': SQLite does not commit several files as one in WAL mode.",
    );
  }
  const options = { ...driver.options, timeout: 0, enableWAL: false };
  // TypeORM's own method, reading other options: the driver stays as it is.
  const opener = Object.create(driver, { options: { value: options } }) as BetterSqlite3Driver;
  const raw = await opener.createDatabaseConnection();
  try {
    const mode = await untilFree(() => raw.pragma('journal_mode = WAL', { simple: true }), busy);
    if (mode === 'wal') return new SqliteHandle(raw);
    throw new UnusableDataSourceError(
      `sqliteConnections 'perSession' needs SQLite's WAL mode, and the database stays in the mode ${String(mode)}.`,
    );
  } catch (error) {
    raw.close();
    throw error;
  }
}

export class SqliteHandle implements PhysicalConnection {
  readonly restedMs = 0;

  constructor(readonly raw: BetterSqlite3Handle) {}

  async ping(): Promise<void> {
    this.raw.exec('SELECT 1');
  }

  /** SQLite has no word for it: the pool closes what cannot be reset. */
  async reset(): Promise<never> {
    throw new Error('A handle of SQLite is not reset but replaced.');
  }

  async run(sql: string): Promise<void> {
    this.raw.exec(sql);
  }

  levelSql(isolation: IsolationLevel): string {
    return levelPragma(isolation);
  }

  onLost(): void {
    // A file is not lost by itself.
  }

  close(): void {
    this.raw.close();
  }

  handBack(): void {
    this.raw.close();
  }
}
