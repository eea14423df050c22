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
import { readOptions, type TransactionOptions } from '../engine/index.js';
import { InvalidParameterError, requireFunction } from '../errors.js';
import { executeAll } from './execute.js';
import type { StatementParameters } from './named-parameters.js';
import { NestedTransaction, type OtherSavepoints } from './nested-transaction.js';
import type { CommitCount } from './retry.js';
import { ConvenientSession } from './convenient-session.js';
import { queryOf } from './loading-session.js';
import { routeToBinds } from './route-to-binds.js';
import {
  bindingOf,
  partFromOthers,
  promised,
  type SessionBinding,
  startedTransactionOf,
  transactionOf,
} from './session-core.js';
import type { EntityClass, SessionQuery } from './session-objects-api.js';
import type { SessionApi } from './session-api.js';
import { TRANSACTION_RULES } from './session-options.js';
import type { StatementResult } from './statement-result.js';
import {
  commitTogether,
  eachOf,
  nestTogether,
  openTogether,
  prepareTogether,
  transactionsOf,
} from './together.js';
import type { Transaction } from './transaction.js';

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
export class SessionBase extends ConvenientSession implements SessionApi {
  readonly #info: Record<string, unknown>;

  /** @internal */
  constructor(binding: SessionBinding | undefined, info: Readonly<Record<string, unknown>> = {}) {
    super(binding);
    this.#info = { ...info };
  }

  get #bound(): Transaction {
    return transactionOf(this);
  }

  get isActive(): boolean {
    return transactionsOf(this).every(({ state }) => state.isActive);
  }

  inTransaction(): boolean {
    return transactionsOf(this).some(({ isInTransaction }) => isInTransaction);
  }

  inNestedTransaction(): boolean {
    return (startedTransactionOf(this)?.nested.depth ?? 0) > 0;
  }

  async begin(options?: TransactionOptions): Promise<void> {
    this.#bound.begin(readOptions('begin', options, TRANSACTION_RULES));
  }

  beginNested<T>(fn: () => Promise<T>): Promise<T>;
  beginNested(): Promise<NestedTransaction>;
  beginNested<T>(fn?: () => Promise<T>): Promise<T | NestedTransaction> {
    return promised<T | NestedTransaction>(this, async () => {
      const { nested } = this.#bound;
      const reaches = bindingOf(this).binds !== undefined;
      if (fn === undefined) {
        const others = reaches ? await openTogether(this, (other) => savepointIn(other)) : undefined;
        return savepointIn(this.#bound, others);
      }
      requireFunction(fn, 'The argument of beginNested');
      return reaches ? nestTogether(this, async () => fn()) : nested.run(async () => fn());
    });
  }

  async prepare(): Promise<void> {
    this.#bound.refuseAfterEnd();
    await prepareTogether(() => transactionsOf(this));
  }

  async commit(): Promise<void> {
    this.#bound.refuseAfterEnd();
    const reaches = bindingOf(this).binds !== undefined;
    await (reaches ? commitTogether(() => transactionsOf(this)) : this.#bound.commit());
  }

  async rollback(): Promise<void> {
    this.#bound.refuseAfterEnd();
    await eachOf(transactionsOf(this), (transaction) => transaction.rollback());
  }

  async close(): Promise<void> {
    await this.#close('close()');
  }

  async reset(): Promise<void> {
    await this.#close('reset()');
  }

  async #close(name: string): Promise<void> {
    const transaction = startedTransactionOf(this);
    // What has ended for good is closed already.
    if (transaction === undefined || transaction.state.isEnded) return;
    transaction.refuseAfterEnd();
    const transactions = transactionsOf(this);
    partFromOthers(this);
    await eachOf(transactions, (one) => one.rollback(name, 'detached'));
  }

  async invalidate(): Promise<void> {
    this.#bound.refuseAfterEnd();
    const transactions = transactionsOf(this);
    partFromOthers(this);
    for (const transaction of transactions) transaction.discard(new Error('The session was invalidated.'));
    await eachOf(transactions, async ({ startedHooks }) => startedHooks?.tell());
  }

  setRollbackOnly(reason = 'setRollbackOnly() was called'): void {
    if (typeof reason !== 'string')
      throw new InvalidParameterError('setRollbackOnly takes its reason as a text.');
    this.#bound.refuseAfterEnd();
    for (const { state } of transactionsOf(this)) state.rollbackOnly ??= reason;
  }

  get writePosition(): string | undefined {
    return this.#bound.engine.servers.positionOf(this.#bound.identity);
  }

  readAfter(position: string): void {
    this.#bound.engine.servers.readAfter(this.#bound.identity, position);
  }

  execute<Row = Record<string, unknown>>(
    sql: string,
    parameters: StatementParameters | readonly StatementParameters[] = {},
  ): Promise<StatementResult<Row>> {
    return promised(this, async () => executeAll<Row>(this.#bound, sql, parameters));
  }

  query<E extends ObjectLiteral>(target: EntityClass<E>, alias?: string): SessionQuery<E>;
  query<T = unknown>(sql: string, positional?: readonly unknown[]): Promise<T>;
  query(sqlOrTarget: unknown, more?: unknown): unknown {
    if (typeof sqlOrTarget === 'function' || (typeof sqlOrTarget === 'object' && sqlOrTarget !== null))
      return queryOf(this, sqlOrTarget as EntityClass<ObjectLiteral>, more as string | undefined);
    if (typeof sqlOrTarget !== 'string')
      return Promise.reject(
        new InvalidParameterError('query takes SQL or a class of entities as its first argument.'),
      );
    return promised(this, async () => this.queryRunner.query(sqlOrTarget, more as unknown[]));
  }

  scalar<T = unknown>(sql: string, parameters?: StatementParameters): Promise<T | null> {
    return promised(this, async () => (await this.execute(sql, parameters)).scalar<T>());
  }

  scalars<T = unknown>(sql: string, parameters?: StatementParameters): Promise<T[]> {
    return promised(this, async () => (await this.execute(sql, parameters)).scalars<T>());
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
    return promised(this, async () => this.queryRunner.connect());
  }

  getBind(_target?: EntityTarget<ObjectLiteral>): DataSource {
    return bindingOf(this).engine.dataSource;
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
      return transactionsOf(session).reduce((sum, { state }) => sum + state.commits, 0);
    },
  };
}

async function savepointIn(transaction: Transaction, others?: OtherSavepoints): Promise<NestedTransaction> {
  const { nested, block } = transaction;
  return new NestedTransaction(nested, await nested.open(), block, others);
}

routeToBinds(SessionBase.prototype);
