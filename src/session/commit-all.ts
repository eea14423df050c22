/** The COMMIT of a unit of work: of all its databases, none of which is kept when one of them cannot be. */
import { refuseUnfinished } from './end-of-transaction.js';
import type { Warn } from './session-options.js';
import { commitInOrder } from './commit-in-order.js';
import type { Transaction } from './transaction.js';
import type { CommitOptions } from './transaction-end.js';
import { prepareAll, type UsedTransactions, warnOfUnflushed } from './unstored-work.js';

export interface CommitAllOptions {
  /** Whether what was not flushed yet is stored first; otherwise `warn` is told of it. */
  readonly stores: boolean;
  readonly warn: Warn;
  /** Called after each COMMIT that was acknowledged. */
  readonly committed: () => void;
}

/** Tells no hooks: that is for whoever has ended the rest too. */
export async function commitAll(
  used: UsedTransactions,
  { stores, warn, committed }: CommitAllOptions,
): Promise<void> {
  const kept = (): Transaction[] => used().filter(({ state }) => state.rollbackOnly === undefined);
  refuseAny(kept());
  await prepareAll(kept, stores);
  // A hook may have decided otherwise.
  const all = kept();
  refuseAny(all);
  if (!stores) warnOfUnflushed(all, warn);
  const optionsOf = (transaction: Transaction): CommitOptions => ({
    lastCheck: () => refuseUnfinished(transaction),
    flushes: stores,
    expires: false,
    tells: false,
  });
  await commitInOrder(all, {
    prepare: (transaction) => transaction.end.prepareBranch(optionsOf(transaction)),
    commit: async (transaction) => {
      await transaction.commit(optionsOf(transaction));
      committed();
    },
  });
}

/** All of them, before the first is committed. */
function refuseAny(transactions: readonly Transaction[]): void {
  for (const transaction of transactions) refuseUnfinished(transaction);
  for (const { state } of transactions) state.refuseCommit();
}
