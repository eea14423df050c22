/** What a session's transaction may do now, and why not. */
import {
  AutobeginDisabledError,
  IllegalStateChangeError,
  CommitOutcomeUnknownError,
  PendingRollbackError,
  type ScopedSessionError,
  SessionClosedError,
} from 'nestjs-scoped-session';
import { describe, expect, it } from 'vitest';
import { TransactionState } from '../../src/session/transaction-state.js';

const stateOf = (autobegin = true): TransactionState =>
  new TransactionState({ label: 'GET /notes' }, autobegin);
const thrownBy = (call: () => void): ScopedSessionError => {
  try {
    call();
  } catch (error) {
    return error as ScopedSessionError;
  }
  throw new Error('nothing was thrown');
};

describe('a transaction', () => {
  it('begins by itself at its first use', () => {
    const state = stateOf();
    expect([state.hasBegun, state.isActive, state.isEnded]).toEqual([false, true, false]);
    state.enter();
    state.enter();
    expect([state.hasBegun, state.isActive]).toEqual([true, true]);
  });

  it('begins by name, once', () => {
    const state = stateOf();
    state.begin();
    expect(state.hasBegun).toBe(true);
    expect(() => state.begin()).toThrow(IllegalStateChangeError);
    expect(() => state.begin()).toThrow('A transaction is already begun on this session.');
    state.reset();
    state.begin();
  });

  it('begins by name alone when autobegin is off, each time anew', () => {
    const state = stateOf(false);
    expect(() => state.enter()).toThrow(AutobeginDisabledError);
    expect(state.hasBegun).toBe(false);
    state.begin();
    state.enter();
    state.reset();
    expect(() => state.enter()).toThrow('please call session.begin() to start a new transaction');
  });

  it('that is spoilt accepts nothing but its end, says why, and passes the cause on', () => {
    const state = stateOf();
    const error = new Error('deadlock');
    state.enter();
    state.spoil({ state: 'gone', reason: 'the server has rolled it back', error }, 0);
    expect(state.isActive).toBe(false);
    expect(state.hasBegun).toBe(true);
    expect(state.cause).toBe(error);
    for (const use of [
      () => state.enter(),
      () => state.begin(),
      () => state.refuseCommit(),
      () => state.refuseSpoilt(),
    ]) {
      const refusal = thrownBy(use);
      expect(refusal).toBeInstanceOf(PendingRollbackError);
      expect(refusal.message).toContain(
        'GET /notes cannot go on: the server has rolled it back. Call rollback()',
      );
      expect(refusal.cause).toBe(error);
      expect(refusal.outcome).toBe('rolledBack');
    }
    state.reset();
    expect([state.isActive, state.hasBegun, state.cause]).toEqual([true, false, undefined]);
    state.enter();
  });

  it('is spoilt by the first thing that spoils it', () => {
    const state = stateOf();
    state.spoil({ state: 'gone', reason: 'its connection was lost' }, 0);
    state.spoil({ state: 'failed', reason: 'a statement in it failed' }, 2);
    expect(thrownBy(() => state.refuseSpoilt()).message).toContain('its connection was lost');
    expect('cause' in thrownBy(() => state.refuseSpoilt())).toBe(false);
  });

  it('is mended by no savepoint once the server has lost it, and still says what happened first', () => {
    const state = stateOf();
    state.spoil({ state: 'failed', reason: 'a statement in it failed' }, 2);
    state.spoil({ state: 'gone', reason: 'its connection was lost' }, 2);
    expect(state.canRollBackTo(1)).toBe(false);
    expect(thrownBy(() => state.refuseSpoilt()).message).toContain('a statement in it failed');
  });

  it('claims nothing of what it had done where that is not known', () => {
    const ended = stateOf();
    ended.spoil({ state: 'gone', reason: 'a statement ended it', outcome: 'unknown' }, 0);
    expect(thrownBy(() => ended.refuseSpoilt()).outcome).toBe('unknown');
    const inDoubt = stateOf();
    const error = new CommitOutcomeUnknownError('no answer', { outcome: 'unknown' });
    inDoubt.spoil({ state: 'gone', reason: 'its COMMIT failed', error }, 0);
    expect(thrownBy(() => inDoubt.refuseSpoilt()).outcome).toBe('unknown');
  });

  it('that is marked rollback-only goes on, and is not committed', () => {
    const state = stateOf();
    state.rollbackOnly = 'the client was told so';
    state.enter();
    expect(state.isActive).toBe(true);
    const refusal = thrownBy(() => state.refuseCommit());
    expect(refusal).toBeInstanceOf(PendingRollbackError);
    expect(refusal.message).toContain('marked rollback-only: the client was told so. Call rollback().');
    state.reset();
    expect(() => state.refuseCommit()).not.toThrow();
  });
});

describe('a savepoint', () => {
  it('can be rolled back to while the transaction is sound', () => {
    expect(stateOf().canRollBackTo(1)).toBe(true);
  });

  it('mends a statement that failed inside it, and inside those around it, not inside those opened before', () => {
    const state = stateOf();
    state.spoil({ state: 'failed', reason: 'a statement in it failed' }, 2);
    expect([1, 2, 3].map((depth) => state.canRollBackTo(depth))).toEqual([true, true, false]);
    state.rolledBackTo(1);
    expect(state.isActive).toBe(true);
    expect(() => state.enter()).not.toThrow();
  });

  it('mends nothing where the failure came before it', () => {
    const state = stateOf();
    state.spoil({ state: 'failed', reason: 'a statement in it failed' }, 0);
    expect(state.canRollBackTo(1)).toBe(false);
  });

  it('mends nothing when the whole transaction is gone', () => {
    const state = stateOf();
    state.spoil({ state: 'gone', reason: 'the server has rolled it back' }, 2);
    expect([1, 2].map((depth) => state.canRollBackTo(depth))).toEqual([false, false]);
  });
});

describe('the end', () => {
  it('seals the session for everybody but itself, and remembers the first that came too late', () => {
    const state = stateOf();
    state.refuseAfterEnd(false);
    state.seal();
    expect(() => state.refuseAfterEnd(true)).not.toThrow();
    expect(state.late).toBeUndefined();
    const late = thrownBy(() => state.refuseAfterEnd(false));
    expect(late).toBeInstanceOf(SessionClosedError);
    expect(late.message).toContain('The session of GET /notes has ended');
    expect(state.late).toBe(late);
    expect(thrownBy(() => state.refuseAfterEnd(false))).toBe(late);
  });

  it('is for good, with the cause of the first end, also for itself', () => {
    const state = stateOf();
    const timeout = new Error('timeout');
    state.end(timeout);
    state.end(new Error('later'));
    expect([state.isEnded, state.isActive]).toEqual([true, false]);
    for (const use of [
      () => state.refuseAfterEnd(false),
      () => state.refuseAfterEnd(true),
      () => state.enter(),
    ]) {
      const refusal = thrownBy(use);
      expect(refusal).toBeInstanceOf(SessionClosedError);
      expect(refusal.cause).toBe(timeout);
    }
    state.reset();
    expect(state.isEnded).toBe(true);
    expect(() => state.enter()).toThrow(SessionClosedError);
  });

  it('refuses with an error of each caller’s own', () => {
    const state = stateOf();
    state.end();
    expect(thrownBy(() => state.enter())).not.toBe(thrownBy(() => state.enter()));
  });
});
