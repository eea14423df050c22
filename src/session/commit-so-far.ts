/** What was done so far is ended, and the work goes on: an answer is about to leave, and is read for as long as its reader likes. */
import { type CommitAllOptions, commitAll } from './commit-all.js';
import { settleSoFar } from './end-of-transaction.js';
import type { Transaction } from './transaction.js';

export interface SoFarOptions extends CommitAllOptions {
  readonly outcome: 'commit' | 'rollback';
  /** Milliseconds that statements are waited for which the work did not wait for. */
  readonly settleTimeoutMs: number;
}

/**
 * Ends the transactions; what is done later begins new ones. Where rows are still being read nothing is done: they may be the
 * answer, and then one transaction lasts until they have been read.
 */
export async function commitSoFar(used: () => readonly Transaction[], options: SoFarOptions): Promise<void> {
  const transactions = used();
  if (transactions.some(({ pending }) => !pending.isEmpty)) return;
  await Promise.all(transactions.map(async (one) => settleSoFar(one, options.settleTimeoutMs)));
  try {
    if (options.outcome === 'commit') await commitAll(used, options);
  } finally {
    // oxlint-disable-next-line no-await-in-loop
    for (const { startedHooks } of used()) await startedHooks?.tell();
  }
  // What was marked rollback-only, or must not be stored, holds no connection meanwhile either.
  await Promise.all(
    used()
      .filter(({ state }) => state.hasBegun)
      .map((one) => one.rollback()),
  );
  for (const { pending } of transactions) pending.goOn();
}
