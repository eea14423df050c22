/** What a unit of work has not stored when it ends: it is stored, or somebody is told that it is not. */
import type { Warn } from './session-options.js';
import type { Transaction } from './transaction.js';

/** Those that there are now: a hook may use another database for the first time. */
export type CurrentTransactions = () => readonly Transaction[];

/** Of all databases, before the first is committed: hooks are asked, which may use each of them, and everything is stored. */
export async function prepareAll(current: CurrentTransactions, flushes: boolean): Promise<void> {
  const prepared: Transaction[] = [];
  const findNext = (): Transaction | undefined => current().find((one) => !prepared.includes(one));
  for (let next = findNext(); next !== undefined; next = findNext()) {
    const one = next;
    prepared.push(one);
    const prepare = current()
      .filter((other) => other !== one)
      .reduce<() => Promise<void>>(
        (inner, { turns }) =>
          () =>
            turns.duringEnd(inner),
        () => one.prepare(flushes),
      );
    // One after the other, as they will be committed. oxlint-disable-next-line no-await-in-loop
    await prepare();
  }
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
