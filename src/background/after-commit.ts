/** Waits for the fate of the current unit of work: whether all of its sessions are committed. */
import { NoActiveScopeError, type Outcome } from '../errors.js';
import { currentScope } from '../scope/index.js';
import { type ScopedSession, startedTransactionOf } from '../session/index.js';

/** What is called when it is decided: one of them, once. */
export interface Decision {
  readonly committed: () => void;
  readonly notCommitted: () => void;
}

/**
 * Asks every session that the unit of work has used so far, or the first where it has used none. A savepoint around the call
 * and a commit by hand count as they do for every hook.
 *
 * @throws `SS_ERR_NO_ACTIVE_SCOPE` outside of a unit of work, `SS_ERR_SESSION_CLOSED` after its end
 */
export function whenCommitted(sessions: readonly ScopedSession[], decision: Decision): void {
  const scope = currentScope();
  if (scope === undefined) throw new NoActiveScopeError('BackgroundTasks.afterCommit(fn)', START_NOW);
  const used = sessions.filter(
    ({ registry }) => registry.has() && startedTransactionOf(registry.get()) !== undefined,
  );
  const asked = used.length > 0 ? used : sessions.slice(0, 1);
  let undecided = asked.length;
  const decided = (outcome: Outcome): void => {
    if (undecided === 0) return;
    // One may have been committed, and the COMMIT of another have failed after it.
    const isKept = outcome === 'committed' && scope.endedBy === undefined;
    undecided = isKept ? undecided - 1 : 0;
    if (!isKept) decision.notCommitted();
    else if (undecided === 0) decision.committed();
  };
  try {
    for (const session of asked) session.afterCompletion(decided);
  } catch (error) {
    // Those that were asked already have nobody to tell.
    undecided = 0;
    throw error;
  }
}

const START_NOW = 'Where there is no COMMIT to wait for, start the task with BackgroundTasks.run(fn).';
