/** The COMMIT of a unit of work: of all its databases, none of which is kept when one of them cannot be. */
import { refuseUnfinished } from './end-of-transaction.js';
import type { Warn } from './session-options.js';
import { commitInOrder } from './commit-in-order.js';
import type { Transaction } from './transaction.js';
import type { CommitOptions } from './transaction-end.js';
import { type CurrentTransactions, prepareAll, warnOfUnflushed } from './unstored-work.js';

export interface CommitAllOptions {
  /** Whether what was not flushed yet is stored first; otherwise `warn` is told of it. */
  readonly stores: boolean;
  readonly warn: Warn;
  /** Called after each COMMIT that was acknowledged. */
  readonly committed: () => void;
}

/** Tells no hooks: that is for whoever has ended the rest too. */
export async function commitAll(
  current: CurrentTransactions,
  { stores, warn, committed }: CommitAllOptions,
): Promise<void> {
  const currentKept = (): readonly Transaction[] =>
    current().filter(({ state }) => state.rollbackOnly === undefined);
  const kept = currentKept();
  // All of them, before the first is committed.
  for (const transaction of kept) refuseUnfinished(transaction);
  for (const { state } of kept) state.refuseCommit();
  if (!stores) warnOfUnflushed(kept, warn);
  await prepareAll(currentKept, stores);
  // A hook may have decided otherwise, and spoilt what it has used.
  const prepared = currentKept();
  for (const { state } of prepared) state.refuseCommit();
  const optionsOf = (transaction: Transaction): CommitOptions => ({
    lastCheck: () => refuseUnfinished(transaction),
    flushes: stores,
    expires: false,
    tells: false,
  });
  await commitInOrder(prepared, {
    prepare: (transaction) => transaction.end.prepareBranch(optionsOf(transaction)),
    commit: async (transaction) => {
      await transaction.commit(optionsOf(transaction));
      committed();
    },
  });
}
