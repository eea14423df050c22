/** The engine's options: names and meanings are those of SQLAlchemy's pool. */
import { integer, type Rules } from './option-rules.js';

/** Options of `createEngine`, also part of those of `forRoot`. */
export interface EngineOptions {
  /** Connections that may be open at once, 1 to 10 000. Default 10; on an existing DataSource, its own limit. */
  readonly poolSize?: number;
  /** Milliseconds that a unit of work waits for a connection, 0 (not at all) and up. Default 30 000. */
  readonly poolTimeoutMs?: number;
  /** Milliseconds that a unit of work waits for a SQLite database that another one holds. Default 5 000. */
  readonly gateTimeoutMs?: number;
}

export const ENGINE_RULES: Rules<EngineOptions> = {
  poolSize: integer(1, 10_000),
  poolTimeoutMs: integer(0),
  gateTimeoutMs: integer(0),
};

export const ENGINE_DEFAULTS = { poolSize: 10, poolTimeoutMs: 30_000, gateTimeoutMs: 5_000 } as const;
