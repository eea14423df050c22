/** What a unit of work has not stored when it ends: it is stored, or somebody is told that it is not. */
import type { Warn } from './session-options.js';
import type { Transaction } from './transaction.js';

/** Those that were used until now; hooks may use further ones. */
export type UsedTransactions = () => readonly Transaction[];

/**
 * Of all databases, before the first is committed: hooks are asked, and everything is stored. They may use all the sessions of
 * the unit of work, also such as nobody has used before.
 */
export async function prepareAll(used: UsedTransactions, flushes: boolean): Promise<void> {
  let prepared = 0;
  for (let transactions = used(); transactions.length > prepared; transactions = used()) {
    const current = transactions;
    const prepare = (): Promise<void> => prepareEach(current, flushes);
    prepared = current.length;
    // One after the other, as they will be committed. oxlint-disable-next-line no-await-in-loop
    await (prepared > 1 ? inEndOf(transactions, prepare) : prepare());
  }
}

async function prepareEach(transactions: readonly Transaction[], flushes: boolean): Promise<void> {
  // oxlint-disable-next-line no-await-in-loop
  for (const transaction of transactions) await transaction.prepare(flushes);
}

/** A transaction's own end lets only its own hooks in. */
function inEndOf([first, ...others]: readonly Transaction[], work: () => Promise<void>): Promise<void> {
  return first === undefined ? work() : first.turns.inEnd(() => inEndOf(others, work));
}

/** A GET that changes what it shows must not change what is stored. */
export function warnOfUnflushed(transactions: readonly Transaction[], warn: Warn): void {
  for (const { label, startedTracking } of transactions) {
    const changes = startedTracking?.work.unflushed() ?? [];
    if (changes.length === 0) continue;
    warn(
      `${label}: changes of objects were not stored, for a GET, HEAD or GraphQL query stores none at its end: ${changes.join(', ')}. Call ` +
        'session.flush() or session.commit() where they are meant; where they are not, load with a repository.',
    );
  }
}

/** With `commit: 'manual'` everything that nobody committed is rolled back. */
export function warnOfDropped(transactions: readonly Transaction[], warn: Warn): void {
  for (const { hasWritten, label, startedTracking } of transactions) {
    if (hasWritten || startedTracking?.isDirty === true)
      warn(`${label}: writes were rolled back, for commit is 'manual' and nobody committed them.`);
  }
}
