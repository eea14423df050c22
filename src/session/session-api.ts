/** What a session offers, by role; the scoped session offers the same. */
import type {
  DataSource,
  EntityManager,
  EntityTarget,
  ObjectLiteral,
  QueryRunner,
  Repository,
} from 'typeorm';
import type { TransactionOptions } from '../engine/index.js';
import type { StatementParameters } from './named-parameters.js';
import type { NestedTransaction } from './nested-transaction.js';
import type { SessionConveniences } from './session-conveniences-api.js';
import type { SessionHooks } from './session-hooks-api.js';
import type { SessionLoading, SessionUnitOfWork } from './session-objects-api.js';
import type { StatementResult } from './statement-result.js';

/** Begin, savepoints and the end of the session's transaction. */
export interface SessionTransactions {
  /** False only while the transaction must be rolled back before anything else is accepted. */
  readonly isActive: boolean;
  /** True from `begin()` or the first statement to `commit()` or `rollback()`. */
  inTransaction(): boolean;
  /** True inside `beginNested`. */
  inNestedTransaction(): boolean;
  /**
   * Begins explicitly; the first statement does it by itself. Nothing is sent, and no connection taken, before it.
   *
   * @param options - isolation and access of this one transaction
   * @throws `SS_ERR_ILLEGAL_STATE_CHANGE` when one is begun already
   */
  begin(options?: TransactionOptions): Promise<void>;
  /**
   * Runs `fn` behind a savepoint: when it throws, what it did is undone and the transaction goes on. Calls from inside
   * take turns among themselves, calls from outside wait for its end; parallel ones run one after the other.
   */
  beginNested<T>(fn: () => Promise<T>): Promise<T>;
  /** Opens a savepoint that its handle ends. Handles are a stack: ending one ends those opened after it. */
  beginNested(): Promise<NestedTransaction>;
  /**
   * The first phase of a two-phase commit, with `twoPhase: true`: everything is flushed, and the server keeps it until it is
   * told to commit or to roll back. After it only `commit()` and `rollback()` are accepted. Without it `commit()` does both.
   *
   * @throws `SS_ERR_ILLEGAL_STATE_CHANGE` without `twoPhase` or with a savepoint open; `SS_ERR_COMMIT_OUTCOME_UNKNOWN`, or the
   *   server's error
   */
  prepare(): Promise<void>;
  /**
   * Commits the whole transaction and gives the connection back; the next statement begins a new one.
   *
   * @throws `SS_ERR_PENDING_ROLLBACK`, `SS_ERR_COMMIT_OUTCOME_UNKNOWN`, `SS_ERR_ILLEGAL_STATE_CHANGE`, or the server's error
   */
  commit(): Promise<void>;
  /** Rolls the whole transaction back and gives the connection back; without a transaction nothing happens. */
  rollback(): Promise<void>;
  /** Rolls back what is open; the session can be used again. */
  close(): Promise<void>;
  /** The same as `close()`, SQLAlchemy's name for it when `close()` is final. */
  reset(): Promise<void>;
  /** As `close()`, but at once, and the connection is closed instead of given back. */
  invalidate(): Promise<void>;
  /** From now on the transaction can only be rolled back; a request answers as it would and stores nothing. */
  setRollbackOnly(reason?: string): void;
}

/** Reads on replicas that are not to be older than what was written. */
export interface SessionReplicas {
  /**
   * Where the last write of this unit of work, or of its client, stands in the primary's log: GTIDs or an LSN. Undefined before
   * there is one, and without replicas or `replicaWaitMs`. A client may carry it to another instance of the application.
   */
  readonly writePosition: string | undefined;
  /**
   * `readOnly` transactions of this unit of work that begin from now on see what was written up to `position`: on a replica that
   * has it within `replicaWaitMs`, else on the primary.
   *
   * @param position - a `writePosition`; what comes from a client is checked for its form
   * @throws `SS_ERR_INVALID_PARAMETER` for a text that is none
   */
  readAfter(position: string): void;
}

/** SQL by hand. */
export interface SessionStatements {
  /**
   * Executes a statement with `:name` placeholders.
   *
   * @param sql - strings, comments, casts and JSON operators are left alone; `\:` is a literal colon
   * @param parameters - an object such as `{ id: 1 }`; an array of objects executes once for each of them
   * @throws `SS_ERR_INVALID_PARAMETER` before anything is sent, TypeORM's `QueryFailedError` from the server
   */
  execute<Row = Record<string, unknown>>(
    sql: string,
    parameters?: StatementParameters | readonly StatementParameters[],
  ): Promise<StatementResult<Row>>;
  /** The first column of the first row, or null. */
  scalar<T = unknown>(sql: string, parameters?: StatementParameters): Promise<T | null>;
  /** The first column of every row. */
  scalars<T = unknown>(sql: string, parameters?: StatementParameters): Promise<T[]>;
}

/** TypeORM's objects, bound to this session. */
export interface SessionObjects {
  readonly dataSource: DataSource;
  readonly queryRunner: QueryRunner;
  readonly manager: EntityManager;
  getRepository<E extends ObjectLiteral>(target: EntityTarget<E>): Repository<E>;
  /** The driver's connection; takes one and begins when there is none yet. It is the session's: do not release it. */
  connection(): Promise<unknown>;
  /** The DataSource that serves `target`. */
  getBind(target?: EntityTarget<ObjectLiteral>): DataSource;
  /** Free for the application's own notes. */
  readonly info: Record<string, unknown>;
}

/** Everything that `@Session()` gives and that `ScopedSession` passes on. */
export interface SessionApi
  extends
    SessionTransactions,
    SessionReplicas,
    SessionUnitOfWork,
    SessionLoading,
    SessionConveniences,
    SessionStatements,
    SessionObjects,
    SessionHooks {}
