/** One COMMIT after the other: where a later one fails, what is stored already cannot be undone, and is told. */
import { type CommittedInPart, PartialCommitError, suppress } from '../errors.js';
import type { Transaction } from './transaction.js';

/** What is done with each. */
export interface Phases {
  readonly prepare: (transaction: Transaction) => Promise<void>;
  readonly commit: (transaction: Transaction) => Promise<void>;
}

interface Failed {
  readonly transaction: Transaction;
  readonly error: unknown;
}

/**
 * Commits each, in this order, and stops at the first that fails. Where some can be prepared they are, before anything is
 * committed: those that cannot are committed first, and from then on the others are committed whatever fails.
 *
 * @throws its error where nothing was committed before it, else `SS_ERR_PARTIAL_COMMIT`
 */
export async function commitInOrder(
  transactions: readonly Transaction[],
  { prepare, commit }: Phases,
): Promise<void> {
  await prepareBranches(transactions, prepare);
  const isPrepared = ({ state }: Transaction): boolean => state.isPrepared;
  const prepared = transactions.filter(isPrepared);
  const committed: Transaction[] = [];
  const failed: Failed[] = [];
  const left = new Set(transactions);
  for (const transaction of [...transactions.filter((one) => !isPrepared(one)), ...prepared]) {
    left.delete(transaction);
    // Without a connection there is nothing to store.
    const { isConnected } = transaction;
    const isDecided = isPrepared(transaction);
    try {
      // oxlint-disable-next-line no-await-in-loop
      await commit(transaction);
      if (isConnected) committed.push(transaction);
    } catch (error) {
      failed.push({ transaction, error });
      if (!isDecided) break;
    }
  }
  const [first, ...later] = failed;
  if (first === undefined) return;
  for (const { error } of later) suppress(first.error, error);
  if (committed.length === 0 && later.length === 0) throw first.error;
  throw committedInPart(committed, failed, left);
}

/** One that is alone needs no second phase. */
async function prepareBranches(
  transactions: readonly Transaction[],
  prepare: Phases['prepare'],
): Promise<void> {
  const connected = transactions.filter(({ isConnected }) => isConnected);
  if (connected.length < 2) return;
  for (const transaction of connected.filter(({ runner }) => runner.isBranch)) {
    // oxlint-disable-next-line no-await-in-loop
    await prepare(transaction);
  }
}

function committedInPart(
  committed: readonly Transaction[],
  failed: readonly Failed[],
  left: ReadonlySet<Transaction>,
): PartialCommitError {
  const isUnknown = ({ state }: Transaction): boolean => state.fate === 'unknown';
  const others = failed.map(({ transaction }) => transaction);
  const untried = [...left].filter(({ isConnected }) => isConnected);
  const databases: CommittedInPart = {
    committed: namesOf(committed),
    rolledBack: namesOf([...others.filter((one) => !isUnknown(one)), ...untried]),
    unknown: namesOf(others.filter(isUnknown)),
  };
  const [{ transaction, error }] = failed as [Failed];
  return new PartialCommitError(
    `${transaction.label} was committed in part: ${told(databases)}. The COMMIT of "${transaction.settings.database}" failed ` +
      '(see cause), and nothing undoes what is committed. Put the databases right before doing it again.',
    { cause: error, outcome: 'unknown' },
    databases,
  );
}

const namesOf = (transactions: readonly Transaction[]): string[] =>
  transactions.map(({ settings }) => settings.database);

function told({ committed, rolledBack, unknown }: CommittedInPart): string {
  const parts = [
    ...(committed.length > 0 ? [`committed in ${committed.join(', ')}`] : []),
    ...(rolledBack.length > 0 ? [`rolled back in ${rolledBack.join(', ')}`] : []),
    ...(unknown.length > 0 ? [`not known in ${unknown.join(', ')}`] : []),
  ];
  return parts.join('; ');
}
