/** The COMMIT of a unit of work: of all its databases, none of which is kept when one of them cannot be. */
import { refuseUnfinished } from './end-of-transaction.js';
import type { Warn } from './session-options.js';
import { commitInOrder } from './commit-in-order.js';
import type { Transaction } from './transaction.js';
import { prepareAll, warnOfUnflushed } from './unstored-work.js';

export interface CommitAllOptions {
  /** Whether what was not flushed yet is stored first; otherwise `warn` is told of it. */
  readonly stores: boolean;
  readonly warn: Warn;
  /** Called after each COMMIT that was acknowledged. */
  readonly committed: () => void;
}

export async function commitAll(
  transactions: readonly Transaction[],
  { stores, warn, committed }: CommitAllOptions,
): Promise<void> {
  const isKept = ({ state }: Transaction): boolean => state.rollbackOnly === undefined;
  const kept = transactions.filter(isKept);
  // All of them, before the first is committed.
  for (const transaction of kept) refuseUnfinished(transaction);
  for (const { state } of kept) state.refuseCommit();
  if (!stores) warnOfUnflushed(kept, warn);
  await prepareAll(kept, stores);
  // A hook may have decided otherwise.
  const commit = async (transaction: Transaction): Promise<void> => {
    const lastCheck = (): void => refuseUnfinished(transaction);
    await transaction.commit({ lastCheck, flushes: stores, expires: false });
    committed();
  };
  await commitInOrder(kept.filter(isKept), commit, refuseUnfinished);
}
