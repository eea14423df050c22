/** The members of a session's query runner and manager that are ours: own properties, no prototype is touched. */
import type { DataSource, EntityManager, EntityTarget, ObjectLiteral, QueryRunner } from 'typeorm';
import { PlainObjectToDatabaseEntityTransformer } from 'typeorm/query-builder/transformer/PlainObjectToDatabaseEntityTransformer.js';
import type { RunnerOwner, TransactionUse } from './runner-owner.js';

export function installOn(transaction: TransactionUse, dataSource: DataSource, owner: RunnerOwner): void {
  const { runner } = transaction;
  Object.assign(runner, {
    // True from birth: TypeORM begins, and commits, a transaction of its own wherever it finds none.
    isTransactionActive: true,
    transactionDepth: 1,
    connect: () => connect(transaction, owner),
    query: async (sql: string, parameters?: unknown[], useStructuredResult = false) => {
      const result = await owner.admit(() => transaction.send(sql, parameters));
      return useStructuredResult ? result : (result.raw as unknown);
    },
    stream: (...given: Parameters<QueryRunner['stream']>) => stream(transaction, owner, given),
    startTransaction: (isolation?: string) => owner.startNested(isolation),
    commitTransaction: () => owner.commitInnermost(),
    rollbackTransaction: () => owner.rollbackInnermost(),
    // The session owns the runner: code that only found it must not give it back under the others.
    release: async () => undefined,
    [Symbol.asyncDispose]: async () => undefined,
    // sql.js would write its file here; it is written when the connection is given back.
    flush: async () => undefined,
  });
  bindManager(dataSource.createEntityManager(runner), owner);
}

function connect(transaction: TransactionUse, owner: RunnerOwner): Promise<unknown> {
  // TypeORM's own query() asks too, from inside a use that was admitted.
  if (transaction.isBegun) return Promise.resolve(transaction.connection);
  return owner.admit(async () => {
    await transaction.begin();
    return transaction.connection;
  });
}

async function stream(
  transaction: TransactionUse,
  owner: RunnerOwner,
  given: Parameters<QueryRunner['stream']>,
): ReturnType<QueryRunner['stream']> {
  const rows = await owner.admit(() => transaction.stream(...given));
  const closed = new Promise<void>((resolve) => {
    for (const event of ['end', 'close', 'error']) rows.once(event, () => resolve());
  });
  owner.awaitBeforeEnd(closed);
  return rows;
}

function bindManager(manager: EntityManager, owner: RunnerOwner): void {
  const preload = async (
    target: EntityTarget<ObjectLiteral>,
    like: ObjectLiteral,
  ): Promise<ObjectLiteral | undefined> => {
    // TypeORM's own preload loads through dataSource.manager, which is another connection.
    const metadata = manager.dataSource.getMetadata(target);
    const loaded = await new PlainObjectToDatabaseEntityTransformer(manager).transform(like, metadata);
    return loaded === undefined ? undefined : manager.merge(target, loaded, like);
  };
  Object.assign(manager, { preload, transaction: nestedTransaction(owner) });
}

type Run = (manager: EntityManager) => Promise<unknown>;

/** `manager.transaction([isolation,] run)` as a part of the running transaction. */
export function nestedTransaction(owner: Pick<RunnerOwner, 'runNested'>) {
  return async (isolationOrRun: string | Run, run?: Run): Promise<unknown> => {
    const [isolation, work] =
      typeof isolationOrRun === 'function' ? [undefined, isolationOrRun] : [isolationOrRun, run];
    if (typeof work !== 'function')
      throw new TypeError('manager.transaction takes a function as its last argument.');
    return owner.runNested(isolation, work);
  };
}
