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

/** @param used - the transactions that were used until now; hooks may use further ones */
export async function commitAll(
  used: () => readonly Transaction[],
  { stores, warn, committed }: CommitAllOptions,
): Promise<void> {
  const kept = (): Transaction[] => used().filter(({ state }) => state.rollbackOnly === undefined);
  refuseAny(kept());
  await prepareAll(kept, stores);
  // A hook may have decided otherwise.
  const all = kept();
  refuseAny(all);
  if (!stores) warnOfUnflushed(all, warn);
  const commit = async (transaction: Transaction): Promise<void> => {
    const lastCheck = (): void => refuseUnfinished(transaction);
    await transaction.commit({ lastCheck, flushes: stores, expires: false, tells: false });
    committed();
  };
  await commitInOrder(all, commit, refuseUnfinished);
}

/** All of them, before the first is committed. */
function refuseAny(transactions: readonly Transaction[]): void {
  for (const transaction of transactions) refuseUnfinished(transaction);
  for (const { state } of transactions) state.refuseCommit();
}
