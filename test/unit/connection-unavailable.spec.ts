/** Which errors at the begin of a transaction mean that the database is not there now, and that it may be later. */
import { ConnectionUnavailableError, isRetryable, PoolTimeoutError } from 'nestjs-scoped-session';
import { QueryFailedError } from 'typeorm';
import { describe, expect, it } from 'vitest';
import { couldNotBegin } from '../../src/engine/connection-unavailable.js';

const failure = (given: object): Error => Object.assign(new Error('canary message'), given);
const atBegin = (given: object): Error => new QueryFailedError('START TRANSACTION', [], failure(given));

describe('an error at the begin', () => {
  it.each([
    ['nobody listens', failure({ code: 'ECONNREFUSED', fatal: true })],
    ['no such host, for now', failure({ code: 'EAI_AGAIN' })],
    [
      'F05: too many connections, on MySQL',
      failure({ errno: 1040, code: 'ER_CON_COUNT_ERROR', fatal: true }),
    ],
    ['F05: too many connections, on PostgreSQL', failure({ code: '53300' })],
    ['the server starts', failure({ code: '57P03' })],
    ['F46: the connection was lost, on MySQL', atBegin({ code: 'PROTOCOL_CONNECTION_LOST', fatal: true })],
    ['F46: the connection was lost, on PostgreSQL', atBegin({ code: '57P01' })],
    ['a node of Galera without a primary component', atBegin({ errno: 1047 })],
  ])('is told as one that may be tried again: %s', (_what, error) => {
    const told = couldNotBegin('GET /users', error);
    expect(told).toBeInstanceOf(ConnectionUnavailableError);
    expect(told).toMatchObject({ code: 'SS_ERR_CONNECTION_UNAVAILABLE', retryable: true, cause: error });
    expect((told as Error).message).toContain('GET /users');
    expect((told as Error).message).not.toContain('canary');
    expect(isRetryable(told)).toBe(true);
  });

  it.each([
    [
      'F39: a wrong password, on MySQL',
      failure({ errno: 1045, code: 'ER_ACCESS_DENIED_ERROR', fatal: true }),
    ],
    ['F39: a wrong password, on PostgreSQL', failure({ code: '28P01' })],
    ['an isolation level that is no SQL', atBegin({ errno: 1064 })],
    ['a bug', new TypeError('x is not a function')],
    ['no error at all', 'a text'],
    ['one of ours', new PoolTimeoutError('too late')],
  ])('stays what it is: %s', (_what, error) => {
    expect(couldNotBegin('GET /users', error)).toBe(error);
  });
});
