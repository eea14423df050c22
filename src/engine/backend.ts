/** What differs between the databases: how a connection is had, how a transaction is begun, what the server says of it. */
import type { QueryResult, QueryRunner } from 'typeorm';
import type { IsolationLevel, TransactionOptions } from './isolation.js';
import type { DriverConnection, LeaseHolder } from './lease.js';

/** Databases that take the same SQL: MariaDB is of MySQL's family, better-sqlite3 and sql.js are of SQLite's. */
export const DATABASE_FAMILIES = ['mysql', 'postgres', 'sqlite'] as const;
/** One of `DATABASE_FAMILIES`. */
export type DatabaseFamily = (typeof DATABASE_FAMILIES)[number];

/** Whether the server has a transaction: `failed` accepts nothing but its rollback, `unknown` is not told by the driver. */
export type ServerTransaction = 'open' | 'failed' | 'none' | 'unknown';

/** Connections of the pool that a session leases from. */
export interface PoolCounters {
  /** The most that may be open. */
  readonly limit: number;
  readonly total: number;
  readonly active: number;
  readonly idle: number;
  readonly waiting: number;
}

/** Sends one statement and calls one of the two with the answer, once. */
export type StatementSender = (
  runner: QueryRunner,
  connection: unknown,
  sql: string,
  parameters: unknown[] | undefined,
  resolve: (result: QueryResult) => void,
  reject: (error: unknown) => void,
) => void;

export interface Backend {
  readonly family: DatabaseFamily;
  readonly isolationLevels: readonly IsolationLevel[];
  /** A runner that nobody else has. */
  createRunner(): QueryRunner;
  /** Takes a connection from the pool; waits as long as the pool makes it wait. */
  obtain(holder: LeaseHolder): Promise<DriverConnection>;
  /** A shorter way than the runner's own, for statements that no subscriber listens to; null where there is none. */
  readonly sender: StatementSender | null;
  counters(): PoolCounters;
  /** The statements that begin a transaction, the last of which opens it. */
  beginStatements(options: TransactionOptions): readonly string[];
  /** What must be sent before a connection on which `options` were in force is given back. */
  endStatements(options: TransactionOptions): readonly string[];
  /** What the server said of its transaction with the answer to the last statement, or with its error. */
  serverTransaction(connection: unknown, answer: unknown, error?: unknown): ServerTransaction;
  /** The key of the row that the last INSERT made, where the driver tells it. */
  insertedId(connection: unknown, answer: unknown): number | string | bigint | undefined;
  /** Undoes what was set on the driver. */
  dispose(): void;
}

/** Runs `fn` so that plain managers inside it use `runner`; what "inside" means is not the engine's to know. */
export type RunAs = <T>(runner: QueryRunner, fn: () => T) => T;
