/** What was done so far is ended, and the work goes on: an answer is about to leave, and is read for as long as its reader likes. */
import { type CommitAllOptions, commitAll } from './commit-all.js';
import { settleSoFar } from './end-of-transaction.js';
import type { UsedTransactions } from './unstored-work.js';

export interface SoFarOptions extends Pick<CommitAllOptions, 'stores'> {
  readonly outcome: 'commit' | 'rollback';
  /** Milliseconds that statements are waited for which the work did not wait for. */
  readonly settleTimeoutMs: number;
}

/**
 * Ends the transactions; what is done later begins new ones. Where rows are still being read nothing is done: they may be the
 * answer, and then one transaction lasts until they have been read.
 */
export async function commitSoFar(
  current: UsedTransactions,
  { outcome, settleTimeoutMs, stores }: SoFarOptions,
): Promise<void> {
  const transactions = current();
  if (transactions.some(({ pending }) => !pending.isEmpty)) return;
  await Promise.all(transactions.map(async (one) => settleSoFar(one, settleTimeoutMs)));
  // Of what is not stored it is told at the end.
  const quietly = { stores, warn: () => undefined, committed: () => undefined };
  if (outcome === 'commit') await commitAll(current, quietly);
  // What was marked rollback-only, or must not be stored, holds no connection meanwhile either.
  await Promise.all(
    current()
      .filter(({ state }) => state.hasBegun)
      .map((one) => one.rollback()),
  );
  for (const { pending } of transactions) pending.goOn();
  // What they store belongs to what is done from now on. In the order of the commits. oxlint-disable-next-line no-await-in-loop
  for (const { startedHooks } of current()) await startedHooks?.tell();
}
