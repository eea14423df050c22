/** One COMMIT after the other: where a later one fails, what is stored already cannot be undone, and is told. */
import { type CommittedInPart, PartialCommitError } from '../errors.js';
import type { Transaction } from './transaction.js';

/**
 * Commits each, in this order, and stops at the first that fails.
 *
 * @throws its error where nothing was committed before it, else `SS_ERR_PARTIAL_COMMIT`
 */
export async function commitInOrder(
  transactions: readonly Transaction[],
  commit: (transaction: Transaction) => Promise<void>,
): Promise<void> {
  const committed: Transaction[] = [];
  const left = new Set(transactions);
  for (const transaction of transactions) {
    left.delete(transaction);
    // Without a connection there is nothing to store.
    const { isConnected } = transaction;
    try {
      // oxlint-disable-next-line no-await-in-loop
      await commit(transaction);
    } catch (error) {
      if (committed.length === 0) throw error;
      throw committedInPart(error, committed, transaction, left);
    }
    if (isConnected) committed.push(transaction);
  }
}

function committedInPart(
  cause: unknown,
  committed: readonly Transaction[],
  failed: Transaction,
  left: ReadonlySet<Transaction>,
): PartialCommitError {
  const untried = [...left].filter(({ isConnected }) => isConnected);
  const isUnknown = failed.state.fate === 'unknown';
  const databases: CommittedInPart = {
    committed: namesOf(committed),
    rolledBack: namesOf(isUnknown ? untried : [failed, ...untried]),
    unknown: namesOf(isUnknown ? [failed] : []),
  };
  return new PartialCommitError(
    `${failed.label} was committed in part: ${told(databases)}. The COMMIT of "${failed.settings.database}" failed (see cause) after ` +
      'what was committed before it; nothing undoes that. Put the databases right before doing it again.',
    { cause, outcome: 'unknown' },
    databases,
  );
}

const namesOf = (transactions: readonly Transaction[]): string[] =>
  transactions.map(({ settings }) => settings.database);

function told({ committed, rolledBack, unknown }: CommittedInPart): string {
  const parts = [
    `committed in ${committed.join(', ')}`,
    ...(rolledBack.length > 0 ? [`rolled back in ${rolledBack.join(', ')}`] : []),
    ...(unknown.length > 0 ? [`not known in ${unknown.join(', ')}`] : []),
  ];
  return parts.join('; ');
}
