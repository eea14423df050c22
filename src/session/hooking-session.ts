/** The part of a session that takes hooks. */
import type { Outcome } from '../errors.js';
import { requireFunction } from '../errors.js';
import { SessionCore, transactionOf } from './session-core.js';
import type { SessionHooks } from './session-hooks-api.js';
import type { Hook, HookMoment } from './transaction-hooks.js';

export class HookingSession extends SessionCore implements SessionHooks {
  beforeCommit(hook: () => Promise<void> | void): void {
    register(this, 'beforeCommit', hook);
  }

  afterCommit(hook: () => Promise<void> | void): void {
    register(this, 'afterCommit', hook);
  }

  afterRollback(hook: () => Promise<void> | void): void {
    register(this, 'afterRollback', hook);
  }

  afterCompletion(hook: (outcome: Outcome) => Promise<void> | void): void {
    register(this, 'afterCompletion', hook);
  }
}

function register(session: SessionCore, moment: HookMoment, hook: Hook): void {
  requireFunction(hook, `The argument of ${moment}`);
  const transaction = transactionOf(session);
  transaction.refuseAfterEnd();
  transaction.turns.refuseClosedBlock();
  transaction.hooks.add(moment, hook, transaction.nested.depthOf(transaction.nested.around));
}
