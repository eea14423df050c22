/** What may be run again: a failure that undid the whole unit of work, whoever wraps it, and never one that leaves doubt. */
import {
  CommitOutcomeUnknownError,
  isRetryable,
  PendingRollbackError,
  PoolTimeoutError,
  ScopeTimeoutError,
  UnfinishedWorkError,
} from 'nestjs-scoped-session';
import { QueryFailedError } from 'typeorm';
import { describe, expect, it } from 'vitest';
import { mayHaveCommitted, noteFailure } from '../../src/session/retryable.js';

/** A statement that failed as the driver tells it. */
const failed = (driver: object, sql = 'UPDATE account SET cents = 1'): QueryFailedError =>
  new QueryFailedError(sql, [], Object.assign(new Error('of the driver'), driver));
const DEADLOCK = { code: 'ER_LOCK_DEADLOCK', errno: 1213, sqlState: '40001' };
const LOST = { code: 'PROTOCOL_CONNECTION_LOST', fatal: true };
const UNKNOWN = new CommitOutcomeUnknownError('lost', { outcome: 'unknown', cause: failed(LOST, 'COMMIT') });

describe('isRetryable', () => {
  it.each([
    ['a deadlock on MySQL', failed(DEADLOCK)],
    ['a lock wait timeout on MySQL', failed({ code: 'ER_LOCK_WAIT_TIMEOUT', errno: 1205 })],
    ['a deadlock on PostgreSQL', failed({ code: '40P01' })],
    ['a serialization failure on PostgreSQL', failed({ code: '40001' })],
    ['a connection that was lost', failed(LOST)],
    ['an error of ours that says so', new PoolTimeoutError('full')],
    ['a pending rollback after a deadlock', new PendingRollbackError('x', { cause: failed(DEADLOCK) })],
    ['an error of the application about a deadlock', new Error('no transfer', { cause: failed(DEADLOCK) })],
  ])('says yes to %s', (_name, error) => {
    expect(isRetryable(error)).toBe(true);
  });

  it.each([
    ['a duplicate key', failed({ code: 'ER_DUP_ENTRY', errno: 1062 })],
    ['an error of the application', new Error('wrong password')],
    ['an unknown outcome', UNKNOWN],
    ['a pending rollback after an unknown outcome', new PendingRollbackError('x', { cause: UNKNOWN })],
    ['a deadlock that followed an unknown outcome', Object.assign(failed(DEADLOCK), { cause: UNKNOWN })],
    ['a pending rollback without a cause', new PendingRollbackError('rollback-only')],
    ['a time limit', new ScopeTimeoutError('slow')],
    ['work that was not awaited', new UnfinishedWorkError('x', { cause: failed(DEADLOCK) })],
    ["another service's connection", Object.assign(new Error('socket hang up'), { code: 'ECONNRESET' })],
    [
      "fetch's lost connection",
      new TypeError('fetch failed', { cause: Object.assign(new Error('read'), { code: 'ECONNRESET' }) }),
    ],
    ['a text', 'ER_LOCK_DEADLOCK'],
    ['nothing', undefined],
    ['null', null],
  ])('says no to %s', (_name, error) => {
    expect(isRetryable(error)).toBe(false);
  });

  it('knows an error without a statement when a session failed with it', () => {
    const refused = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
    expect(isRetryable(refused)).toBe(false);
    noteFailure(refused);
    noteFailure('a text');
    expect(isRetryable(refused)).toBe(true);
  });

  it('ends on a chain that bites its tail', () => {
    const [one, two] = [new Error('one'), new Error('two')];
    [one.cause, two.cause] = [two, one];
    expect(isRetryable(one)).toBe(false);
  });
});

describe('mayHaveCommitted', () => {
  const gone = (error?: unknown): boolean => mayHaveCommitted({ state: 'gone', reason: 'x', error });

  it.each([
    'SELECT 1',
    'insert into note values (1);',
    '/* traced */ UPDATE note SET text = 1',
    '-- why\n(SELECT 1)',
    'WITH a AS (SELECT 1) DELETE FROM note',
    'ROLLBACK TO SAVEPOINT a',
  ])('no: the connection was lost during %j', (sql) => {
    expect(gone(failed(LOST, sql))).toBe(false);
  });

  it.each([
    'COMMIT',
    'CREATE TABLE a (id INT)',
    'CALL close_the_month()',
    'SET autocommit = 1',
    'START TRANSACTION',
    'INSERT INTO note VALUES (1); COMMIT',
    '/*! COMMIT */',
    '',
  ])('yes: the connection was lost during %j', (sql) => {
    expect(gone(failed(LOST, sql))).toBe(true);
  });

  it('knows a deadlock from a statement that ended the transaction by itself', () => {
    expect(gone(failed(DEADLOCK))).toBe(false);
    expect(gone(failed(DEADLOCK, 'CALL close_the_month()'))).toBe(true);
    expect(gone()).toBe(true);
    const error = failed({ errno: 1205 }, 'SELECT 1');
    expect(mayHaveCommitted({ state: 'gone', reason: 'x', error, outcome: 'unknown' })).toBe(true);
    expect(gone(failed({ errno: 1050 }, 'CREATE TABLE a (id INT)'))).toBe(true);
    expect(mayHaveCommitted({ state: 'failed', reason: 'x', error: failed({ code: '23505' }) })).toBe(false);
  });
});
