/** What a failed statement has done to its transaction: whose word counts. */
import { describe, expect, it } from 'vitest';
import { spoiltBy } from '../../src/engine/verdict.js';

const DEADLOCK = { errno: 1213, code: 'ER_LOCK_DEADLOCK' };
const DUPLICATE = { errno: 1062, code: 'ER_DUP_ENTRY' };
const LOCK_WAIT = { errno: 1205, code: 'ER_LOCK_WAIT_TIMEOUT' };

describe('spoiltBy', () => {
  it.each([
    ['a constraint, where the server has its transaction', DUPLICATE, 'open'],
    ['a constraint, where the driver does not tell', DUPLICATE, 'unknown'],
  ] as const)('lets the transaction go on: %s', (_name, error, told) => {
    expect(spoiltBy(error, false, told)).toBeUndefined();
  });

  it.each([
    ['a deadlock that nobody tells more of', DEADLOCK, 'unknown', 'gone'],
    ['a deadlock after which the server waits for the rollback', DEADLOCK, 'failed', 'failed'],
    ['a lock wait timeout, although the transaction is open', LOCK_WAIT, 'open', 'failed'],
    ['a constraint, and the server has no transaction any more', DUPLICATE, 'none', 'gone'],
    ['a constraint, and the server accepts nothing but a rollback', DUPLICATE, 'failed', 'failed'],
    ['a connection that was lost', { code: 'ECONNRESET' }, 'none', 'gone'],
  ] as const)('%s', (_name, error, told, state) => {
    const spoilt = spoiltBy(error, false, told);
    expect(spoilt).toMatchObject({ state, error });
    expect(spoilt).not.toHaveProperty('outcome');
  });

  it('claims nothing of what a statement that ends the transaction may have stored', () => {
    expect(spoiltBy(DUPLICATE, true, 'open')).toMatchObject({ state: 'gone', outcome: 'unknown' });
  });
});
