/** The failure table: what a driver's error means for the connection and the transaction. */
import { QueryFailedError } from 'typeorm';
import { describe, expect, it } from 'vitest';
import { classifyFailure, FAILURE_KINDS } from '../../src/engine/failures.js';

const LOST = { kind: 'connectionLost', fatal: true, retryable: true, outcome: 'rolledBack' };
const TRANSACTION = { kind: 'transactionLost', fatal: false, retryable: true, outcome: 'rolledBack' };
const STATEMENT = { kind: 'statementFailed', fatal: false, retryable: false, outcome: undefined };

describe('classifyFailure', () => {
  it.each([
    ['the socket was reset', { code: 'ECONNRESET' }],
    ['nobody listens', { code: 'ECONNREFUSED' }],
    ['the pipe is broken', { code: 'EPIPE' }],
    ['the network timed out', { code: 'ETIMEDOUT' }],
    ['mysql2 lost the connection', { code: 'PROTOCOL_CONNECTION_LOST', fatal: true }],
    ['mysql2 timed a statement out', { code: 'PROTOCOL_SEQUENCE_TIMEOUT' }],
    ['mysql2 lost count of packets', { code: 'PROTOCOL_PACKETS_OUT_OF_ORDER' }],
    ['mysql2 says fatal, whatever the code', { code: 'ER_SOMETHING_NEW', fatal: true }],
    ['the stream is gone', { code: 'ERR_STREAM_DESTROYED' }],
    ['MySQL shuts down', { code: 'ER_SERVER_SHUTDOWN', errno: 1053 }],
    ['MariaDB killed the connection', { errno: 1927 }],
    ['Galera has no primary here', { errno: 1047 }],
    ['MySQL closed an idle connection', { errno: 4031 }],
    ['PostgreSQL: connection exception', { code: '08006' }],
    ['PostgreSQL: terminated by an administrator', { code: '57P01' }],
    ['PostgreSQL: crash of another backend', { code: '57P02' }],
    ['PostgreSQL: starting up', { code: '57P03' }],
    ['pg: terminated', new Error('Connection terminated unexpectedly')],
    ['pg: not queryable', new Error('Client has encountered a connection error and is not queryable')],
    ['pg: closed', new Error('Client was closed and is not queryable')],
    ['node: socket ended', new Error('This socket has been ended by the other party')],
  ])('knows that the connection is of no use when %s', (_name, error) => {
    expect(classifyFailure(error)).toEqual(LOST);
  });

  it('knows that a deadlock takes the whole transaction in MySQL, and leaves the connection', () => {
    expect(classifyFailure({ code: 'ER_LOCK_DEADLOCK', errno: 1213 })).toEqual(TRANSACTION);
  });

  it.each([
    ['the packet was too large', { errno: 1153 }],
    ['the password is wrong', { code: 'ER_ACCESS_DENIED_ERROR', errno: 1045, fatal: true }],
    ['the protocol was violated', { code: '08P01' }],
  ])('knows that running it again does not help when %s', (_name, error) => {
    expect(classifyFailure(error)).toEqual({ ...LOST, retryable: false });
  });

  it.each(['08007', '40003'])('knows that %s leaves the outcome unknown', (code) => {
    expect(classifyFailure({ code })).toEqual({ ...LOST, retryable: false, outcome: 'unknown' });
  });

  it.each([
    ['a lock wait timeout in MySQL, which undoes the statement alone', { errno: 1205 }],
    ['a row that has changed since it was read, in MariaDB', { errno: 1020 }],
    ['a deadlock in PostgreSQL, which the server itself marks failed', { code: '40P01' }],
    ['a serialization failure in PostgreSQL', { code: '40001' }],
    ['a lock that was not to be had in PostgreSQL', { code: '55P03' }],
    ['a SQLite file that another process has locked', { code: 'SQLITE_BUSY' }],
  ])('takes %s for a failed statement whose work may be run again', (_name, error) => {
    expect(classifyFailure(error)).toEqual({ ...STATEMENT, retryable: true });
  });

  it.each([
    ['a duplicate key in MySQL', { code: 'ER_DUP_ENTRY', errno: 1062 }],
    ['a duplicate key in PostgreSQL', { code: '23505' }],
    ['a cancelled statement in PostgreSQL', { code: '57014' }],
    ['a constraint in SQLite', new Error('UNIQUE constraint failed: users.nick')],
    ['a text that only mentions a lost connection', new Error('Duplicate entry "Connection terminated"')],
    ['something without a code', {}],
    ['nothing at all', undefined],
    ['null', null],
    ['a text', 'ECONNRESET'],
  ])('takes %s for a failed statement', (_name, error) => {
    expect(classifyFailure(error)).toEqual(STATEMENT);
  });

  it.each([
    [{ code: 'ECONNRESET' }, LOST],
    [{ errno: 1213 }, TRANSACTION],
    [{ errno: 1062 }, STATEMENT],
  ])("reads %j out of TypeORM's QueryFailedError", (driverError, expected) => {
    const failed = new QueryFailedError(
      'SELECT 1',
      [],
      Object.assign(new Error('of the driver'), driverError),
    );
    expect(classifyFailure(failed)).toEqual(expected);
  });

  it('has no other kinds than the listed ones', () => {
    expect(FAILURE_KINDS).toEqual(['connectionLost', 'transactionLost', 'statementFailed']);
  });
});
