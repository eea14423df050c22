/** The class of a session's query runners: the driver's own, with the members that are the session's over it. */
import type {
  DataSource,
  EntityManager,
  EntityTarget,
  ObjectLiteral,
  QueryResult,
  QueryRunner,
} from 'typeorm';
import { PlainObjectToDatabaseEntityTransformer } from 'typeorm/query-builder/transformer/PlainObjectToDatabaseEntityTransformer.js';
import {
  type NestedWork,
  PERSISTENCE_METHODS,
  type RunnerOwner,
  type TransactionUse,
} from './runner-owner.js';
import { dataSourceOf } from './data-source-of.js';
import { emitInThisContext } from './stream-in-context.js';

/** Makes the runner of one session. */
export type MakeSessionRunner = (transaction: TransactionUse, owner: RunnerOwner) => QueryRunner;

interface PlainRunner extends QueryRunner {
  isTransactionActive: boolean;
  transactionDepth: number;
}

type RunnerClass = new (driver: unknown, mode: 'master') => PlainRunner;
type ManagerClass = new (dataSource: DataSource, runner: QueryRunner) => EntityManager;

/**
 * One class for each engine, not members set on each runner: a request has one, and an object that is changed after it was
 * made is slow for all its life. The driver's own class and its prototype stay as they are.
 */
export function sessionRunnerOf(dataSource: DataSource, plain: QueryRunner): MakeSessionRunner {
  const Plain = plain.constructor as RunnerClass;
  const Manager = sessionManagerOf(dataSource.manager.constructor as ManagerClass);

  class SessionRunner extends Plain {
    readonly #transaction: TransactionUse;
    readonly #owner: RunnerOwner;
    #manager: EntityManager | undefined;

    constructor(transaction: TransactionUse, owner: RunnerOwner) {
      super(dataSource.driver, 'master');
      // True from birth: TypeORM begins, and commits, a transaction of its own wherever it finds none.
      this.isTransactionActive = true;
      this.transactionDepth = 1;
      this.#transaction = transaction;
      this.#owner = owner;
    }

    override get manager(): EntityManager {
      return (this.#manager ??= new Manager(dataSource, this, this.#owner));
    }

    // A manager sets itself on its runner when it is made.
    override set manager(made: EntityManager) {
      this.#manager = made;
    }

    override connect(): Promise<unknown> {
      const transaction = this.#transaction;
      // TypeORM's own query() asks too, from inside a use that was admitted.
      if (transaction.isAtHand) return Promise.resolve(transaction.connection);
      return this.#owner.admit(async () => {
        await transaction.begin();
        return transaction.connection;
      });
    }

    override async query<T>(sql: string, parameters?: unknown[], useStructuredResult = false): Promise<T> {
      const send = (): Promise<QueryResult> => this.#transaction.send(sql, parameters);
      const result = await this.#owner.admitStatement(sql, send, parameters);
      return (useStructuredResult ? result : result.raw) as T;
    }

    override async stream(...given: Parameters<QueryRunner['stream']>): ReturnType<QueryRunner['stream']> {
      const plain = await this.#owner.admitStatement(given[0], () => this.#transaction.stream(...given));
      const rows = emitInThisContext(plain);
      const closed = new Promise<void>((resolve) => {
        for (const event of ['end', 'close', 'error']) rows.once(event, () => resolve());
      });
      this.#owner.awaitBeforeEnd(closed);
      return rows;
    }

    override startTransaction(isolation?: string): Promise<void> {
      return this.#owner.nested.start(isolation);
    }

    override commitTransaction(): Promise<void> {
      return this.#owner.nested.commitInnermost();
    }

    override rollbackTransaction(): Promise<void> {
      return this.#owner.nested.rollbackInnermost();
    }

    // The session owns the runner: code that only found it must not give it back under the others.
    override async release(): Promise<void> {
      // It is given back at the end of the session.
    }

    override async [Symbol.asyncDispose](): Promise<void> {
      // As release().
    }

    // sql.js would write its file here; it is written when the connection is given back.
    async flush(): Promise<void> {
      // Nothing is written before the commit.
    }
  }

  return (transaction, owner) => new SessionRunner(transaction, owner);
}

type SessionManagerClass = new (
  dataSource: DataSource,
  runner: QueryRunner,
  owner: RunnerOwner,
) => EntityManager;

type Method = (this: EntityManager, ...given: unknown[]) => unknown;
type Methods = Record<string, Method>;

function sessionManagerOf(Plain: ManagerClass): SessionManagerClass {
  class SessionManager extends Plain {
    override readonly transaction: EntityManager['transaction'];
    readonly #owner: RunnerOwner;

    static {
      const plain = Plain.prototype as unknown as Methods;
      const own = this.prototype as unknown as Methods;
      own.createQueryBuilder = function (this: EntityManager, ...given) {
        return (this as SessionManager).#owner.built(plain.createQueryBuilder!.apply(this, given));
      };
      for (const method of PERSISTENCE_METHODS) {
        own[method] = function (this: EntityManager, ...given) {
          const run = async (): Promise<unknown> => plain[method]!.apply(this, given);
          return (this as SessionManager).#owner.persist({ method, given }, run);
        };
      }
    }

    constructor(dataSource: DataSource, runner: QueryRunner, owner: RunnerOwner) {
      super(dataSource, runner);
      this.#owner = owner;
      this.transaction = nestedTransaction(owner.nested);
    }

    /** TypeORM's own loads through dataSource.manager, which is another connection. */
    override async preload<E extends ObjectLiteral>(
      target: EntityTarget<E>,
      like: ObjectLiteral,
    ): Promise<E | undefined> {
      const metadata = dataSourceOf(this).getMetadata(target);
      const transformer = new PlainObjectToDatabaseEntityTransformer(this);
      const loaded = (await transformer.transform(like, metadata)) as E | undefined;
      return loaded === undefined ? undefined : this.merge(target, loaded, like as E);
    }
  }
  return SessionManager;
}

type Run = (manager: EntityManager) => Promise<unknown>;

/** `manager.transaction([isolation,] run)` as a part of the running transaction. */
export function nestedTransaction(nested: NestedWork) {
  return async (isolationOrRun: string | Run, run?: Run): Promise<unknown> => {
    const [isolation, work] =
      typeof isolationOrRun === 'function' ? [undefined, isolationOrRun] : [isolationOrRun, run];
    if (typeof work !== 'function')
      throw new TypeError('manager.transaction takes a function as its last argument.');
    return nested.runManaged(isolation, work);
  };
}
