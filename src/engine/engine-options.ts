/** The engine's options: those of its pool, and what SQLite has instead of one. */
import { InvalidOptionError } from '../errors.js';
import { isolationLevel, type IsolationLevel } from './isolation.js';
import { integer, oneOf, type Rules } from './option-rules.js';
import { POOL_RULES, type PoolOptions, type PoolSettings } from './pool-options.js';

/** How a SQLite file is opened. */
export const SQLITE_CONNECTIONS = ['shared', 'perSession'] as const;
/** `shared`: units of work take turns on one connection. `perSession`: each has its own, and those that read do not wait. */
export type SqliteConnections = (typeof SQLITE_CONNECTIONS)[number];

/** Options of `createEngine`, also part of those of `forRoot`. */
export interface EngineOptions extends PoolOptions {
  /** Milliseconds that a unit of work waits for a SQLite database that another one holds. Default 5 000. */
  readonly gateTimeoutMs?: number;
  /**
   * Milliseconds that a statement of a session may take, 1 and up; then it is cancelled on the server and its transaction is
   * rolled back. SQLite cannot be interrupted. Default: no limit.
   */
  readonly statementTimeoutMs?: number;
  /**
   * Isolation level of every connection, set once when it is opened: SQLAlchemy's `create_engine(isolation_level=…)`.
   * Default: the DataSource's `isolationLevel`, else the server's.
   */
  readonly isolation?: IsolationLevel;
  /**
   * `perSession` gives each unit of work on a file of better-sqlite3 a handle of its own from a pool, and puts the file into
   * WAL mode, in which it stays. One writes at a time (`gateTimeoutMs`, other processes included); `readOnly` sessions and
   * plain reads neither wait for the writer nor it for them: `poolSize` handles for them, and one more for the writer.
   * Default `shared`.
   */
  readonly sqliteConnections?: SqliteConnections;
  /**
   * Whose two-phase transactions these are, for `recover()`: letters, digits, dashes and underscores, up to 32. Instances of one
   * application share it, other applications on the same server must not. Default: the database's name.
   */
  readonly applicationName?: string;
  /** Milliseconds that a replica which could not be reached is left alone, 0 and up. Default 5 000. */
  readonly replicaRetryMs?: number;
  /**
   * Milliseconds that whoever wrote waits, when it reads, for a replica to have it (by GTID or LSN), 0 and up; then, and at 0,
   * it reads on the primary. Costs a round trip at each COMMIT of a write. Default 0.
   */
  readonly replicaWaitMs?: number;
}

export const ENGINE_RULES: Rules<EngineOptions> = {
  ...POOL_RULES,
  gateTimeoutMs: integer(0),
  statementTimeoutMs: integer(1),
  isolation: (value, name) => isolationLevel(value, name),
  sqliteConnections: oneOf(SQLITE_CONNECTIONS),
  applicationName: (value, name) => {
    if (typeof value === 'string' && /^[\w-]{1,32}$/.test(value)) return value;
    throw new InvalidOptionError(`${name} must be 1 to 32 letters, digits, dashes or underscores.`);
  },
  replicaRetryMs: integer(0),
  replicaWaitMs: integer(0),
};

export type EngineSettings = PoolSettings &
  Pick<EngineOptions, 'applicationName'> &
  Required<
    Pick<
      EngineOptions,
      | 'poolTimeoutMs'
      | 'gateTimeoutMs'
      | 'statementTimeoutMs'
      | 'sqliteConnections'
      | 'replicaRetryMs'
      | 'replicaWaitMs'
    >
  >;

export const ENGINE_DEFAULTS: EngineSettings = {
  poolSize: 10,
  maxOverflow: 0,
  poolTimeoutMs: 30_000,
  poolRecycleMs: Infinity,
  poolPrePing: 'ifIdle',
  poolUseLifo: false,
  resetOnReturn: 'rollback',
  initSql: [],
  gateTimeoutMs: 5_000,
  statementTimeoutMs: Infinity,
  sqliteConnections: 'shared',
  replicaRetryMs: 5_000,
  replicaWaitMs: 0,
};

/** `more` over `settings`; what it leaves undefined stays. */
export function settingsWith(settings: EngineSettings, more: EngineOptions): EngineSettings {
  const given = Object.entries(more).filter(([, value]) => value !== undefined);
  return { ...settings, ...(Object.fromEntries(given) as EngineOptions) };
}
