/** What differs between the databases: how a connection is had, how a transaction is begun, what the server says of it. */
import type { DataSource, QueryResult, QueryRunner } from 'typeorm';
import type { EngineSettings } from './engine-options.js';
import type { BeginMode, BeginSettings, IsolationLevel, TransactionOptions } from './isolation.js';
import type { DriverConnection, Lease, LeaseHolder } from './lease.js';
import type { Patience } from './deadline.js';
import type { Positions } from './positions.js';

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

/** Where rows come from that are read one by one: the driver streams them, a cursor is asked, or the whole answer is there. */
export type RowSource = 'driver' | 'cursor' | 'answer';

/** What a backend is made of. */
export interface BackendNeeds {
  readonly dataSource: DataSource;
  /** Asked at each use. */
  readonly settings: () => EngineSettings;
}

/** Connections to one replica. */
export interface ReplicaPool {
  obtain(patience: Patience): DriverConnection | Promise<DriverConnection>;
  counters(): PoolCounters;
  invalidate(): void;
}

export interface Backend {
  readonly family: DatabaseFamily;
  /** Nobody stands between this process and the database: it has done what it answered, and is waited for at a gate. */
  readonly isInProcess: boolean;
  readonly isolationLevels: readonly IsolationLevel[];
  readonly beginModes: readonly BeginMode[];
  /** Whether transactions can be prepared, and committed later. */
  readonly hasTwoPhases?: boolean;
  /** True where everybody has the same one: who holds it would wait for himself. */
  readonly sharesOneConnection?: boolean;
  /** A runner that nobody else has. */
  createRunner(): QueryRunner;
  /** A connection, at once where one is free; else it waits as long as `patience` lasts. */
  obtain(holder: LeaseHolder, patience: Patience): DriverConnection | Promise<DriverConnection>;
  /** A pool for each replica of the DataSource. */
  readonly replicas?: readonly ReplicaPool[];
  /** How replicas are found to have what was written; there where there are replicas. */
  readonly positions?: Positions;
  /** A lease in the form in which the driver itself hands out a connection; it ends with what that form has for it. */
  handOut(lease: Lease): unknown;
  /** Begins to end, on the server, what runs on a connection that is about to be destroyed; returns at once. */
  cancel(connection: unknown): void;
  /** The server is not what it was: connections that were opened until now are replaced. */
  invalidate(): void;
  /** A shorter way than the runner's own, for statements that no subscriber listens to; null where there is none. */
  readonly sender: StatementSender | null;
  readonly rowSource: RowSource;
  counters(): PoolCounters;
  /** The statements that begin a transaction, the last of which opens it; none where the next statement does. */
  beginStatements(connection: unknown, options: BeginSettings, xid?: string): readonly string[];
  /** What makes a connection that a session has had fit for statements outside every transaction. */
  plainStatements(connection: unknown): readonly string[];
  /** What must be sent before a connection on which `options` were in force is given back. */
  endStatements(options: TransactionOptions): readonly string[];
  /** What undoes whatever a plain runner has left open. */
  readonly cleanStatements: readonly string[];
  /** Throws where the server, as it has just answered, would take values for SQL. */
  refuseUnsafe(answer: unknown): void;
  /** What the server said of its transaction with the answer to the last statement, or with its error. */
  serverTransaction(connection: unknown, answer: unknown, error?: unknown): ServerTransaction;
  /** The key of the row that the last INSERT made, where the driver tells it. */
  insertedId(connection: unknown, answer: unknown): number | string | bigint | undefined;
  /** Undoes what was set on the driver. */
  dispose(): void;
}

/** Runs `fn` so that plain managers inside it use `runner`; what "inside" means is not the engine's to know. */
export type RunAs = <T>(runner: QueryRunner, fn: () => T) => T;
