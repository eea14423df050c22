/** SessionBase: the session itself, SQLAlchemy's Session on TypeORM. */
import { inspect } from 'node:util';
import type {
  DataSource,
  EntityManager,
  EntityTarget,
  ObjectLiteral,
  QueryRunner,
  Repository,
} from 'typeorm';
import { type Engine, readOptions, type TransactionOptions } from '../engine/index.js';
import { InvalidParameterError, requireFunction, UnboundSessionError } from '../errors.js';
import { executeAll } from './execute.js';
import type { StatementParameters } from './named-parameters.js';
import { NestedTransaction } from './nested-transaction.js';
import type { CommitCount } from './retry.js';
import type { SessionApi } from './session-api.js';
import { TRANSACTION_RULES } from './session-options.js';
import type { StatementResult } from './statement-result.js';
import type { Transaction } from './transaction.js';

/** What a session works on; its transaction is made at the session's first use. */
export interface SessionBinding {
  readonly engine: Engine;
  /** Throws where nothing may be used any more. */
  start(session: object): Transaction;
}

// For the rooms beside, not for applications.
/** The transaction of a session, made where there is none. */
export let transactionOf: (session: SessionBase) => Transaction;
/** The transaction of a session that was used. */
export let startedTransactionOf: (session: SessionBase) => Transaction | undefined;

/**
 * One session: its connection is taken at the first statement, used for one transaction, and given back. Made by a
 * `SessionFactory`; every public member is on the prototype, so that `ScopedSession` can pass it on.
 *
 * @example
 * ```ts
 * import { createEngine, sessionFactory } from 'nestjs-scoped-session';
 * const engine = await createEngine('sqlite+sqljs:///:memory:').initialize();
 * const session = sessionFactory(engine).create();
 * console.log(await session.scalar('SELECT 40 + :n', { n: 2 }));
 * await session.close();
 * ```
 */
export class SessionBase implements SessionApi {
  readonly #binding: SessionBinding | undefined;
  #transaction: Transaction | undefined;
  readonly #info: Record<string, unknown>;

  /** @internal */
  constructor(binding: SessionBinding | undefined, info: Readonly<Record<string, unknown>> = {}) {
    this.#binding = binding;
    this.#info = { ...info };
  }

  static {
    transactionOf = (session) => session.#bound;
    startedTransactionOf = (session) => session.#transaction;
  }

  get #bound(): Transaction {
    return (this.#transaction ??= this.#bindingOrRefuse.start(this));
  }

  get #bindingOrRefuse(): SessionBinding {
    if (this.#binding === undefined) throw new UnboundSessionError(UNBOUND);
    return this.#binding;
  }

  get isActive(): boolean {
    return this.#transaction?.state.isActive ?? true;
  }

  inTransaction(): boolean {
    return this.#transaction?.state.hasBegun ?? false;
  }

  inNestedTransaction(): boolean {
    return (this.#transaction?.nested.depth ?? 0) > 0;
  }

  async begin(options?: TransactionOptions): Promise<void> {
    this.#bound.begin(readOptions('begin', options, TRANSACTION_RULES));
  }

  beginNested<T>(fn: () => Promise<T>): Promise<T>;
  beginNested(): Promise<NestedTransaction>;
  beginNested<T>(fn?: () => Promise<T>): Promise<T | NestedTransaction> {
    return this.#promised<T | NestedTransaction>(async () => {
      const { nested, block } = this.#bound;
      if (fn === undefined) return new NestedTransaction(nested, await nested.open(), block);
      requireFunction(fn, 'The argument of beginNested');
      return nested.run(async () => fn());
    });
  }

  async commit(): Promise<void> {
    this.#bound.refuseAfterEnd();
    await this.#bound.commit();
  }

  async rollback(): Promise<void> {
    this.#bound.refuseAfterEnd();
    await this.#bound.rollback();
  }

  async close(): Promise<void> {
    await this.#close('close()');
  }

  async reset(): Promise<void> {
    await this.#close('reset()');
  }

  async #close(name: string): Promise<void> {
    // What has ended for good is closed already.
    if (this.#transaction === undefined || this.#transaction.state.isEnded) return;
    this.#transaction.refuseAfterEnd();
    await this.#transaction.rollback(name);
  }

  async invalidate(): Promise<void> {
    this.#bound.refuseAfterEnd();
    this.#bound.discard(new Error('The session was invalidated.'));
  }

  setRollbackOnly(reason = 'setRollbackOnly() was called'): void {
    if (typeof reason !== 'string')
      throw new InvalidParameterError('setRollbackOnly takes its reason as a text.');
    this.#bound.refuseAfterEnd();
    this.#bound.state.rollbackOnly ??= reason;
  }

  execute<Row = Record<string, unknown>>(
    sql: string,
    parameters: StatementParameters | readonly StatementParameters[] = {},
  ): Promise<StatementResult<Row>> {
    return this.#promised(async () => executeAll<Row>(this.#bound, sql, parameters));
  }

  query<T = unknown>(sql: string, positional?: readonly unknown[]): Promise<T> {
    if (typeof sql !== 'string')
      return Promise.reject(new InvalidParameterError('query takes SQL as its first argument.'));
    return this.#promised(async () => this.queryRunner.query(sql, positional as unknown[]) as Promise<T>);
  }

  scalar<T = unknown>(sql: string, parameters?: StatementParameters): Promise<T | null> {
    return this.#promised(async () => (await this.execute(sql, parameters)).scalar<T>());
  }

  scalars<T = unknown>(sql: string, parameters?: StatementParameters): Promise<T[]> {
    return this.#promised(async () => (await this.execute(sql, parameters)).scalars<T>());
  }

  /** What this promises may fail unseen: the end of the unit of work tells of it then. */
  #promised<T>(work: () => Promise<T>): Promise<T> {
    return this.#binding === undefined ? work() : this.#bound.pending.promised(work);
  }

  get dataSource(): DataSource {
    return this.getBind();
  }

  get queryRunner(): QueryRunner {
    return this.#bound.runner.runner;
  }

  get manager(): EntityManager {
    return this.queryRunner.manager;
  }

  getRepository<E extends ObjectLiteral>(target: EntityTarget<E>): Repository<E> {
    return this.manager.getRepository(target);
  }

  connection(): Promise<unknown> {
    return this.#promised(async () => this.queryRunner.connect());
  }

  getBind(_target?: EntityTarget<ObjectLiteral>): DataSource {
    return this.#bindingOrRefuse.engine.dataSource;
  }

  get info(): Record<string, unknown> {
    return this.#info;
  }

  /** Rolls back what was not committed (TypeORM's query runner would commit here). */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  toJSON(): object {
    return { isActive: this.isActive, inTransaction: this.inTransaction() };
  }

  [inspect.custom](): string {
    return `Session ${JSON.stringify(this.toJSON())}`;
  }
}

/** Counts the session's COMMITs, also of one that was not used yet. */
export function commitsOf(session: SessionBase): CommitCount {
  return {
    get commits() {
      return startedTransactionOf(session)?.state.commits ?? 0;
    },
  };
}

const UNBOUND =
  'This session is not bound to a DataSource. Pass one to sessionFactory(dataSource) or configure({ dataSource }).';
