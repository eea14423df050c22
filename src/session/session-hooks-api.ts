/** The hooks of a session, as the scoped session offers them too. */
import type { Outcome } from '../errors.js';

/**
 * What is to happen together with the end of the session's transaction. Hooks belong to the transaction that runs, or to the
 * next one where none does; they are called once, one after the other in the order of their registration, and awaited, but no
 * longer than the unit of work may take.
 *
 * A hook that is registered behind a savepoint shares its fate: when the savepoint is rolled back its `afterRollback` and
 * `afterCompletion` are called then, and the others never. As TransactionSynchronization of Spring and on_commit of Django.
 *
 * At the end of a unit of work hooks that come after the decision are called outside of it: the connection is back in the
 * pool, the session has ended, and what they store needs `scopedSession.run(fn)`. After `session.commit()` by hand they may
 * use the session, whose next statement begins a new transaction.
 */
export interface SessionHooks {
  /**
   * Calls `hook` before COMMIT is sent, after a flush; what it changes is flushed too, except at the end of a GET, which
   * stores nothing by itself. It may use the sessions of all databases. What it throws prevents the COMMIT and is thrown; where
   * the error is caught, only `rollback()` mends that.
   *
   * @throws `SS_ERR_SESSION_CLOSED` after the end of the unit of work, `SS_ERR_TRANSACTION_CLOSED` in a savepoint's block that
   *   has returned, `SS_ERR_INVALID_OPTION` for anything else than a function
   */
  beforeCommit(hook: () => Promise<void> | void): void;
  /**
   * Calls `hook` when COMMIT was acknowledged, and also when there was nothing to commit; an answer waits for it. With several
   * databases every COMMIT comes first. What it throws is reported and changes nothing.
   *
   * @throws as `beforeCommit`
   */
  afterCommit(hook: () => Promise<void> | void): void;
  /**
   * Calls `hook` when the transaction, or the savepoint around the call, was rolled back. What it throws is reported.
   *
   * @throws as `beforeCommit`
   */
  afterRollback(hook: () => Promise<void> | void): void;
  /**
   * Calls `hook` in any case, after the two above. What it throws is reported.
   *
   * @param hook - gets `unknown` where the answer to the COMMIT was lost; then neither of the two above was called
   * @throws as `beforeCommit`
   */
  afterCompletion(hook: (outcome: Outcome) => Promise<void> | void): void;
}
