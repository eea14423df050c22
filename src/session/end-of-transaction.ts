/** The end of one session's transaction: what it was asked for is waited for, what is open is rolled back. */
import { withDeadline } from '../engine/index.js';
import { CommitOutcomeUnknownError, ScopeAbortedError, UnfinishedWorkError } from '../errors.js';
import { runWithScope } from '../scope/index.js';
import type { Transaction } from './transaction.js';

/** Ends a session for good: waits for what it was asked for, rolls back what is open. */
export async function endTransaction(transaction: Transaction): Promise<void> {
  try {
    if (!transaction.state.isEnded) await endOpen(transaction);
  } finally {
    await tellHooks(transaction);
  }
}

async function endOpen(transaction: Transaction): Promise<void> {
  const { state, settings, turns } = transaction;
  try {
    if (transaction.isConnected || !turns.isIdle) {
      await settle(transaction, settings.settleTimeoutMs);
      const isForgotten = settings.scope?.outcome === 'committed' && transaction.hasWritten;
      state.seal();
      await transaction.rollback('the end of the scope', 'detached');
      if (isForgotten) settings.warn(`${transaction.label}: ${FORGOTTEN}`);
    }
  } finally {
    state.end();
    transaction.letGo();
  }
}

const FORGOTTEN =
  'writes were rolled back, for the unit of work was opened by another scoped session, which commits its own session only.';

/** Outside of the unit of work, which has ended; its connection is back. */
async function tellHooks({ startedHooks, state }: Transaction): Promise<void> {
  if (startedHooks === undefined) return;
  startedHooks.ended(state.fate);
  await runWithScope(undefined, 'outer', () => startedHooks.tell());
}

/** Waits for what the work did not wait for; undefined where there is nothing. What does not settle in time is cut off. */
export function settle(transaction: Transaction, timeoutMs: number): Promise<void> | undefined {
  return transaction.turns.settle()
    ? undefined
    : settleInTime(transaction, timeoutMs, transaction.turns.settled());
}

export async function settleAll(transactions: readonly Transaction[], timeoutMs: number): Promise<void> {
  const settled = transactions.map((one) => settle(one, timeoutMs)).filter((one) => one !== undefined);
  if (settled.length > 0) await Promise.all(settled);
}

/** The same of what was asked for until now: the work goes on, and may ask for more. */
export function settleSoFar(transaction: Transaction, timeoutMs: number): Promise<void> | undefined {
  if (transaction.turns.settle()) return undefined;
  return settleInTime(
    transaction,
    timeoutMs,
    transaction.inTurn(async () => undefined),
  );
}

/** What a statement may still take when its work is undone anyway. */
const PATIENCE_MS = {
  /** Siblings of what failed are mostly about to be answered; an answer costs less than a connection. */
  error: 1_000,
  /** Whoever waited was told already. */
  abandoned: 100,
  aborted: 0,
} as const;

/**
 * The same where everything will be rolled back: what takes longer than a moment is ended on the server, and its connection is
 * closed. A COMMIT by hand that is on its way is waited for: it may be stored.
 */
export async function stop(
  transaction: Transaction,
  { kind, error }: { readonly kind: keyof typeof PATIENCE_MS; readonly error: unknown },
  timeoutMs: number,
): Promise<void> {
  if (transaction.turns.settle()) return;
  const settled = transaction.turns.settled();
  const tooLong = (): ScopeAbortedError =>
    new ScopeAbortedError(
      `A statement of ${transaction.label} was still running when its unit of work was rolled back, and was cancelled.`,
      { cause: error, outcome: 'rolledBack' },
    );
  try {
    await withDeadline(settled, Math.min(PATIENCE_MS[kind], timeoutMs), tooLong, () => undefined);
  } catch (reason) {
    if (transaction.state.isCommitSent) await settleInTime(transaction, timeoutMs, settled);
    else cutShort(transaction, reason);
  }
}

async function settleInTime(
  transaction: Transaction,
  timeoutMs: number,
  settled: Promise<void>,
): Promise<void> {
  const unfinished = (): UnfinishedWorkError =>
    new UnfinishedWorkError(
      `Statements of ${transaction.label} were still running ${timeoutMs} ms after it had returned; it was rolled back. ` +
        'Await everything.',
      { outcome: 'rolledBack' },
    );
  try {
    await withDeadline(settled, timeoutMs, unfinished, () => undefined);
  } catch (error) {
    const known = whatIsKnown(error as Error, [transaction]);
    cutShort(transaction, error);
    throw known;
  }
}

/** Nothing more is accepted, and the connection is closed, whatever is going on there. */
export function cutShort(transaction: Transaction, reason: unknown): void {
  transaction.state.end(reason);
  transaction.discard(reason);
  transaction.startedHooks?.limit(transaction.settings.settleTimeoutMs);
}

/** What to tell of work that is about to be cut short with `error`: a COMMIT by hand that is on its way may still arrive. */
export function whatIsKnown(error: Error, transactions: readonly Transaction[]): Error {
  if (!transactions.some(({ state }) => state.isCommitSent || state.isPrepared)) return error;
  return new CommitOutcomeUnknownError(
    'Whether this unit of work was committed is not known: it was cut short while its COMMIT was on the way. Look before ' +
      'doing it again.',
    { cause: error, outcome: 'unknown' },
  );
}

/** The last look before COMMIT: what was refused or failed unseen is missing from what would be committed. */
export function refuseUnfinished({ state, pending, label }: Transaction): void {
  const cause = state.late ?? pending.failedUnseen?.error;
  if (cause === undefined) return;
  throw new UnfinishedWorkError(
    `${label} returned before all its work was done: a statement that nobody awaited ` +
      `${state.late === undefined ? 'failed' : 'came too late'}. It was rolled back; await everything.`,
    { cause, outcome: 'rolledBack' },
  );
}
