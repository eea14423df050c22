/** The options of a pool: names and meanings are SQLAlchemy's, the figures that nobody has set HikariCP's and ours. */
import type { IsolationLevel } from './isolation.js';
import { flag, integer, listOf, oneOf, type Rules, text } from './option-rules.js';

/** When a connection is asked whether it lives before it is lent. */
export const PRE_PING_MODES = ['always', 'ifIdle', false] as const;
/** `ifIdle`: after more than half a second of rest. `always`: each time. `false`: never. */
export type PrePingMode = (typeof PRE_PING_MODES)[number];

/** What is done with a connection that is given back. */
export const RESET_MODES = ['rollback', 'reset', 'destroy'] as const;
/** `rollback`: no transaction is left open. `reset`: the server's whole session is put back too. `destroy`: it is closed. */
export type ResetMode = (typeof RESET_MODES)[number];

/** Options of the pool of `createEngine`, also part of those of `forRoot`; SQLite takes them where it has a handle for each session. */
export interface PoolOptions {
  /** Connections that are kept, 1 to 10 000. Default 10; on an existing DataSource, its own limit. */
  readonly poolSize?: number;
  /** Connections beyond `poolSize`, closed when they are given back; 0 to 10 000. Default 0. */
  readonly maxOverflow?: number;
  /** Milliseconds that a unit of work waits for a connection, 0 (for nobody else's) and up. Default 30 000. */
  readonly poolTimeoutMs?: number;
  /** Milliseconds after which a connection is replaced when it is asked for again (up to a tenth earlier); 1 and up. */
  readonly poolRecycleMs?: number;
  /** Default `ifIdle`. */
  readonly poolPrePing?: PrePingMode;
  /** The connection given back last is lent first, so that the others can be closed by the server. Default `false`. */
  readonly poolUseLifo?: boolean;
  /** Default `rollback`. */
  readonly resetOnReturn?: ResetMode;
  /** Statements for each new connection, in order, such as `SET time_zone = '+00:00'`. */
  readonly initSql?: readonly string[];
}

export const POOL_RULES: Rules<PoolOptions> = {
  poolSize: integer(1, 10_000),
  maxOverflow: integer(0, 10_000),
  poolTimeoutMs: integer(0),
  poolRecycleMs: integer(1),
  poolPrePing: oneOf(PRE_PING_MODES),
  poolUseLifo: flag,
  resetOnReturn: oneOf(RESET_MODES),
  initSql: listOf(text),
};

/** What a pool goes by; `poolRecycleMs` is `Infinity` where nothing is recycled. */
export type PoolSettings = Required<Omit<PoolOptions, 'poolTimeoutMs'>> & {
  /** The level that connections are opened with; undefined leaves them the server's. */
  readonly isolation?: IsolationLevel | undefined;
};
