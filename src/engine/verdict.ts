/** What a statement has done to its transaction: the server's word outranks the table, and the table what we thought. */
import { CommitOutcomeUnknownError } from '../errors.js';
import type { ServerTransaction } from './backend.js';
import { classifyFailure, isRollbackOnly, reasonFor } from './failures.js';
import type { Spoilt } from './runner-owner.js';

/** Whether what was done before it is stored depends on the statement. */
export const ENDED_BY_STATEMENT: Spoilt = {
  state: 'gone',
  reason: 'a statement ended the transaction on the server (DDL, or COMMIT)',
  outcome: 'unknown',
};

/** Noticed by nobody who waited for an answer; nothing was committed, and it may be run again. */
export function lostUnseen(): Spoilt {
  const error = Object.assign(new Error('The connection was lost between two statements.'), {
    code: 'ECONNRESET',
  });
  return { state: 'gone', reason: reasonFor('connectionLost', error), error, outcome: 'rolledBack' };
}

/**
 * What is left of a transaction in which a statement failed; undefined where it may go on.
 *
 * @param ends - the statement was one that ends the transaction when it succeeds, and perhaps when it fails
 * @param told - what the server says of the transaction; not believed where the connection was lost
 */
export function spoiltBy(error: unknown, ends: boolean, told: ServerTransaction): Spoilt | undefined {
  if (ends) return { ...ENDED_BY_STATEMENT, error };
  const failure = classifyFailure(error);
  const { kind, fatal } = failure;
  if (fatal) return { state: 'gone', reason: reasonFor(kind, error), error };
  if (told === 'none' || (kind === 'transactionLost' && told !== 'failed'))
    return { state: 'gone', reason: reasonFor('transactionLost', error), error };
  if (told === 'failed' || isRollbackOnly(failure))
    return { state: 'failed', reason: reasonFor(kind, error), error };
  return undefined;
}

/** COMMIT was sent, and nobody can say what became of it. */
export function outcomeUnknown(what: string, cause: unknown): CommitOutcomeUnknownError {
  return new CommitOutcomeUnknownError(
    `Whether this unit of work was committed is not known: ${what}. Look before doing it again.`,
    { cause, outcome: 'unknown' },
  );
}

/** A branch that only the server has: nothing ends it but somebody's decision. */
export function inDoubt(xid: string, cause: unknown): CommitOutcomeUnknownError {
  return outcomeUnknown(
    `the branch ${xid} may be prepared on the server, and in doubt until recoverTwoPhase() decides it`,
    cause,
  );
}

/** The connection was closed behind a prepared branch. */
export function leftPrepared(xid: string, cause: unknown): Spoilt {
  const error = inDoubt(xid, cause);
  return {
    state: 'gone',
    reason: `its branch ${xid} was left prepared on the server`,
    error,
    outcome: 'unknown',
  };
}

/** XAER_NOTA: the server has no such branch, any more or yet. */
export function isNoBranch(error: unknown): boolean {
  const { errno, driverError } = error as { errno?: unknown; driverError?: { errno?: unknown } };
  return (driverError?.errno ?? errno) === 1397;
}
