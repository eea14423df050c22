/** What is done with all sessions that were used through one: they have one fate. */
import { IllegalStateChangeError, suppress } from '../errors.js';
import { commitInOrder } from './commit-in-order.js';
import type { NestedTransaction, OtherSavepoints } from './nested-transaction.js';
import {
  ownTogetherOf,
  type SessionCore,
  startedTransactionOf,
  togetherOf,
  transactionOf,
} from './session-core.js';
import type { Transaction } from './transaction.js';
import { type UsedTransactions, prepareAll } from './unstored-work.js';

/** Of the session and those that were used through it, in the order of their commits. */
export function transactionsOf(session: SessionCore): readonly Transaction[] {
  return startedOf(togetherOf(session));
}

/** The same without those that the unit of work ends by itself. */
export function ownTransactionsOf(session: SessionCore): readonly Transaction[] {
  return startedOf(ownTogetherOf(session));
}

function startedOf(sessions: readonly SessionCore[]): readonly Transaction[] {
  return sessions.map((one) => startedTransactionOf(one)).filter((transaction) => transaction !== undefined);
}

/** Everything is flushed before the first is committed; where one is refused, the others are rolled back. */
export async function commitTogether(current: UsedTransactions): Promise<void> {
  for (const { state } of current()) state.refuseCommit();
  try {
    await prepareAll(current, true);
    for (const { state } of current()) state.refuseCommit();
    await commitInOrder(current(), {
      prepare: ({ end }) => end.prepareBranch(),
      commit: (transaction) => transaction.commit({ tells: false }),
    });
  } catch (error) {
    // One that is alone waits for rollback(), as it would by itself.
    if (current().length > 1) await rollBackActive(current(), error);
    throw error;
  } finally {
    // oxlint-disable-next-line no-await-in-loop
    for (const { startedHooks } of current()) await startedHooks?.tell();
  }
}

/** The first phase of all of them; where one is refused, the others are rolled back. */
export async function prepareTogether(current: UsedTransactions): Promise<void> {
  for (const { nested, settings } of current()) {
    if (settings.twoPhase !== true || nested.depth > 0) throw new IllegalStateChangeError(NOT_TWO_PHASE);
  }
  try {
    await prepareAll(current, true);
    // oxlint-disable-next-line no-await-in-loop
    for (const { end } of current()) await end.prepareBranch();
  } catch (error) {
    await rollBackActive(current(), error);
    throw error;
  }
}

const NOT_TWO_PHASE =
  "'twoPhase' is not on for every database of this session, or a savepoint is open; can't prepare.";

/** What failed waits for rollback(), as it would by itself. */
async function rollBackActive(transactions: readonly Transaction[], error: unknown): Promise<void> {
  for (const transaction of transactions) {
    if (!transaction.state.isActive) continue;
    // oxlint-disable-next-line no-await-in-loop
    await transaction.rollback().catch((later: unknown) => suppress(error, later));
  }
}

/** One after the other; the first error is thrown when all were tried. */
export async function eachOf(
  transactions: readonly Transaction[],
  end: (transaction: Transaction) => Promise<void>,
): Promise<void> {
  const errors: unknown[] = [];
  for (const transaction of transactions) {
    // oxlint-disable-next-line no-await-in-loop
    await end(transaction).catch((error: unknown) => void errors.push(error));
  }
  const [first, ...later] = errors;
  for (const error of later) suppress(first, error);
  if (errors.length > 0) throw first;
}

/** Runs `work` behind a savepoint in each database that was begun; what is begun inside is undone as a whole. */
export async function nestTogether<T>(session: SessionCore, work: () => Promise<T>): Promise<T> {
  const around = begunBefore(session);
  const checked = async (): Promise<T> => {
    const result = await work();
    // Before the first savepoint is released, which nothing undoes by itself any more.
    // oxlint-disable-next-line no-await-in-loop
    for (const { nested } of around) await nested.prepareRelease();
    return result;
  };
  const released: { readonly transaction: Transaction; readonly depth: number }[] = [];
  const behindAll = around.reduceRight<() => Promise<T>>(
    (inner, transaction) => async () => {
      const depth = transaction.nested.depthOf(transaction.nested.around);
      const result = await transaction.nested.run(inner);
      released.push({ transaction, depth });
      return result;
    },
    checked,
  );
  try {
    return await behindAll();
  } catch (error) {
    // Its savepoint was released before another's could not be: the whole must not be kept.
    for (const { transaction, depth } of released) transaction.state.failedInside(error, depth);
    await rollBackNew(session, around).catch((later: unknown) => suppress(error, later));
    throw error;
  }
}

/** @param open - opens a savepoint in the session's own database */
export async function openTogether(
  session: SessionCore,
  open: (transaction: Transaction) => Promise<NestedTransaction>,
): Promise<OtherSavepoints> {
  const own = transactionOf(session);
  const around = begunBefore(session);
  const handles: NestedTransaction[] = [];
  for (const transaction of around) {
    // oxlint-disable-next-line no-await-in-loop
    if (transaction !== own) handles.push(await open(transaction));
  }
  const each = async (end: (handle: NestedTransaction) => Promise<void>): Promise<void> => {
    // One that was closed by one around it has ended with it.
    // oxlint-disable-next-line no-await-in-loop
    for (const handle of handles) if (handle.isActive) await end(handle);
  };
  return {
    commit: async () => {
      await each((handle) => handle.prepareCommit());
      await each((handle) => handle.commit());
    },
    rollback: async () => {
      await each((handle) => handle.rollback());
      await rollBackNew(session, around);
    },
  };
}

/** The session's own first, and those in which something may be kept that a savepoint must not undo. */
function begunBefore(session: SessionCore): readonly Transaction[] {
  const own = transactionOf(session);
  return [own, ...transactionsOf(session).filter((one) => one !== own && one.isInTransaction)];
}

async function rollBackNew(session: SessionCore, around: readonly Transaction[]): Promise<void> {
  const begunInside = transactionsOf(session).filter((one) => !around.includes(one) && one.isInTransaction);
  await eachOf(begunInside, (transaction) => transaction.rollback());
}
