/** The failure table: what a driver's error means for the connection, the transaction and the unit of work. */
import { QueryFailedError } from 'typeorm';
import { describe, expect, it } from 'vitest';
import { type Failure, FAILURE_KINDS, FAILURES } from '../../src/engine/failure-table.js';
import {
  classifyCommitFailure,
  classifyFailure,
  isRollbackOnly,
  reasonFor,
} from '../../src/engine/failures.js';

type Expected = readonly [kind: Failure['kind'], ...('fatal' | 'retryable' | 'rolledBack' | 'unknown')[]];

const REFUSED: Expected = ['connectionRefused', 'fatal', 'retryable'];
const NOT_LET_IN: Expected = ['connectionRefused'];
const LOST: Expected = ['connectionLost', 'fatal', 'retryable', 'rolledBack'];
const LOST_AGAIN: Expected = ['connectionLost', 'fatal', 'rolledBack'];
const GIVEN_UP: Expected = ['cancelled', 'fatal', 'rolledBack'];
const IN_DOUBT: Expected = ['transactionLost', 'fatal', 'unknown'];
const TRANSACTION: Expected = ['transactionLost', 'retryable', 'rolledBack'];
const TRANSACTION_AGAIN: Expected = ['transactionLost', 'rolledBack'];
const FAILED: Expected = ['transactionFailed'];
const UNDONE: Expected = ['statementUndone', 'retryable'];
const CANCELLED: Expected = ['cancelled'];
const FULL: Expected = ['full'];
const REPLICA: Expected = ['readOnly', 'fatal', 'retryable', 'rolledBack'];
const READ_ONLY: Expected = ['readOnly'];
const CONSTRAINT: Expected = ['constraint'];
const STATEMENT: Expected = ['statementFailed'];

function spelledOut([kind, ...marks]: Expected): Failure {
  const outcome = marks.find((mark) => mark === 'rolledBack' || mark === 'unknown');
  return { kind, fatal: marks.includes('fatal'), retryable: marks.includes('retryable'), outcome };
}

const BY_NUMBER: readonly [number, string, Expected][] = [
  [1040, 'ER_CON_COUNT_ERROR: too many connections', REFUSED],
  [1203, 'ER_TOO_MANY_USER_CONNECTIONS', REFUSED],
  [1226, 'ER_USER_LIMIT_REACHED', REFUSED],
  [3032, 'ER_SERVER_OFFLINE_MODE', REFUSED],
  [1044, 'ER_DBACCESS_DENIED_ERROR', NOT_LET_IN],
  [1045, 'ER_ACCESS_DENIED_ERROR', NOT_LET_IN],
  [1049, 'ER_BAD_DB_ERROR', NOT_LET_IN],
  [1129, 'ER_HOST_IS_BLOCKED', NOT_LET_IN],
  [1130, 'ER_HOST_NOT_PRIVILEGED', NOT_LET_IN],
  [1251, 'ER_NOT_SUPPORTED_AUTH_MODE', NOT_LET_IN],
  [1698, 'ER_ACCESS_DENIED_NO_PASSWORD_ERROR', NOT_LET_IN],
  [1047, 'Galera: this node has no primary component', LOST],
  [1053, 'ER_SERVER_SHUTDOWN', LOST],
  [1927, 'ER_CONNECTION_KILLED', LOST],
  [2006, 'CR_SERVER_GONE_ERROR', LOST],
  [2013, 'CR_SERVER_LOST', LOST],
  [2014, 'CR_COMMANDS_OUT_OF_SYNC', LOST],
  [2045, 'CR_SHARED_MEMORY_CONNECT', LOST],
  [2055, 'CR_SERVER_LOST_EXTENDED', LOST],
  [3169, 'ER_SESSION_WAS_KILLED', LOST],
  [4031, 'ER_CLIENT_INTERACTION_TIMEOUT', LOST],
  [1153, 'ER_NET_PACKET_TOO_LARGE', LOST_AGAIN],
  [1180, 'ER_ERROR_DURING_COMMIT', IN_DOUBT],
  [1401, 'ER_XAER_RMERR', IN_DOUBT],
  [1402, 'ER_XA_RBROLLBACK', TRANSACTION],
  [1613, 'ER_XA_RBTIMEOUT', TRANSACTION],
  [1614, 'ER_XA_RBDEADLOCK', TRANSACTION],
  [1213, 'ER_LOCK_DEADLOCK, and certification', TRANSACTION],
  [1020, 'ER_CHECKREAD, by snapshot isolation', TRANSACTION],
  [1412, 'ER_TABLE_DEF_CHANGED', TRANSACTION],
  [3101, 'ER_TRANSACTION_ROLLBACK_DURING_COMMIT', TRANSACTION],
  [8002, 'TiDB: write conflict of a SELECT FOR UPDATE', TRANSACTION],
  [8022, 'TiDB: the commit failed and was rolled back', TRANSACTION],
  [8028, 'TiDB: the schema has changed', TRANSACTION],
  [9007, 'TiDB: write conflict', TRANSACTION],
  [1206, 'ER_LOCK_TABLE_FULL', TRANSACTION_AGAIN],
  [1205, 'ER_LOCK_WAIT_TIMEOUT', UNDONE],
  [1637, 'ER_TOO_MANY_CONCURRENT_TRXS', UNDONE],
  [3572, 'ER_LOCK_NOWAIT', UNDONE],
  [1317, 'ER_QUERY_INTERRUPTED', CANCELLED],
  [1969, 'ER_STATEMENT_TIMEOUT of MariaDB', CANCELLED],
  [3024, 'ER_QUERY_TIMEOUT of MySQL', CANCELLED],
  [1021, 'ER_DISK_FULL', FULL],
  [1114, 'ER_RECORD_FILE_FULL', FULL],
  [1290, 'ER_OPTION_PREVENTS_STATEMENT: --read-only', REPLICA],
  [1836, 'ER_READ_ONLY_MODE', REPLICA],
  [1792, 'ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION', READ_ONLY],
  [1048, 'ER_BAD_NULL_ERROR', CONSTRAINT],
  [1062, 'ER_DUP_ENTRY', CONSTRAINT],
  [1169, 'ER_DUP_UNIQUE', CONSTRAINT],
  [1216, 'ER_NO_REFERENCED_ROW', CONSTRAINT],
  [1217, 'ER_ROW_IS_REFERENCED', CONSTRAINT],
  [1451, 'ER_ROW_IS_REFERENCED_2', CONSTRAINT],
  [1452, 'ER_NO_REFERENCED_ROW_2', CONSTRAINT],
  [1557, 'ER_FOREIGN_DUPLICATE_KEY', CONSTRAINT],
  [1586, 'ER_DUP_ENTRY_WITH_KEY_NAME', CONSTRAINT],
  [3819, 'ER_CHECK_CONSTRAINT_VIOLATED of MySQL', CONSTRAINT],
  [4025, 'ER_CONSTRAINT_FAILED of MariaDB', CONSTRAINT],
  [1064, 'ER_PARSE_ERROR', STATEMENT],
  [1146, 'ER_NO_SUCH_TABLE', STATEMENT],
];

const BY_CODE: readonly [string, Expected][] = [
  ['08001', REFUSED],
  ['53300', REFUSED],
  ['57P03', REFUSED],
  ['ECONNREFUSED', REFUSED],
  ['ENOTFOUND', REFUSED],
  ['EAI_AGAIN', REFUSED],
  ['EMFILE', REFUSED],
  ['ENFILE', REFUSED],
  ['EADDRNOTAVAIL', REFUSED],
  ['08004', NOT_LET_IN],
  ['28000', NOT_LET_IN],
  ['28P01', NOT_LET_IN],
  ['3D000', NOT_LET_IN],
  ['HANDSHAKE_NO_SSL_SUPPORT', NOT_LET_IN],
  ['HANDSHAKE_SSL_ERROR', NOT_LET_IN],
  ['HANDSHAKE_UNKNOWN_ERROR', NOT_LET_IN],
  ['AUTH_SWITCH_PLUGIN_ERROR', NOT_LET_IN],
  ['08000', LOST],
  ['08003', LOST],
  ['08006', LOST],
  ['57P01', LOST],
  ['57P02', LOST],
  ['57P05', LOST],
  ['25P03', LOST],
  ['PROTOCOL_CONNECTION_LOST', LOST],
  ['PROTOCOL_PACKETS_OUT_OF_ORDER', LOST],
  ['ECONNRESET', LOST],
  ['ECONNABORTED', LOST],
  ['EPIPE', LOST],
  ['ETIMEDOUT', LOST],
  ['ENETDOWN', LOST],
  ['ENETRESET', LOST],
  ['ENOTCONN', LOST],
  ['ERR_SOCKET_CLOSED', LOST],
  ['ERR_STREAM_DESTROYED', LOST],
  ['ERR_STREAM_PREMATURE_CLOSE', LOST],
  ['ERR_STREAM_WRITE_AFTER_END', LOST],
  ['EHOSTUNREACH', LOST],
  ['ENETUNREACH', LOST],
  ['08P01', LOST_AGAIN],
  ['25P04', LOST_AGAIN],
  ['57P04', LOST_AGAIN],
  ['PROTOCOL_SEQUENCE_TIMEOUT', GIVEN_UP],
  ['SS_ERR_STATEMENT_TIMEOUT', GIVEN_UP],
  ['08007', IN_DOUBT],
  ['40003', IN_DOUBT],
  ['40001', TRANSACTION],
  ['40P01', TRANSACTION],
  ['SQLITE_BUSY_SNAPSHOT', TRANSACTION],
  ['40000', TRANSACTION_AGAIN],
  ['40002', TRANSACTION_AGAIN],
  ['SQLITE_ABORT_ROLLBACK', TRANSACTION_AGAIN],
  ['SQLITE_CANTOPEN', TRANSACTION_AGAIN],
  ['SQLITE_CORRUPT', TRANSACTION_AGAIN],
  ['SQLITE_IOERR_FSYNC', TRANSACTION_AGAIN],
  ['SQLITE_NOMEM', TRANSACTION_AGAIN],
  ['SQLITE_NOTADB', TRANSACTION_AGAIN],
  ['SQLITE_PROTOCOL', TRANSACTION_AGAIN],
  ['25P02', FAILED],
  ['55P03', UNDONE],
  ['SQLITE_BUSY', UNDONE],
  ['SQLITE_BUSY_RECOVERY', UNDONE],
  ['SQLITE_LOCKED_SHAREDCACHE', UNDONE],
  ['57014', CANCELLED],
  ['SQLITE_INTERRUPT', CANCELLED],
  ['53100', FULL],
  ['53200', FULL],
  ['SQLITE_FULL', FULL],
  ['25006', READ_ONLY],
  ['SQLITE_READONLY_DBMOVED', READ_ONLY],
  ['23505', CONSTRAINT],
  ['23503', CONSTRAINT],
  ['23P01', CONSTRAINT],
  ['SQLITE_CONSTRAINT_UNIQUE', CONSTRAINT],
  ['42P01', STATEMENT],
  ['P0001', STATEMENT],
  ['SQLITE_ERROR', STATEMENT],
  ['ER_SOMETHING_NEW', STATEMENT],
];

const BY_MESSAGE: readonly [string, Expected][] = [
  ['No connections available.', REFUSED],
  ['Queue limit reached.', REFUSED],
  ['timeout expired', REFUSED],
  ['timeout exceeded when trying to connect', REFUSED],
  ['Connection terminated due to connection timeout', REFUSED],
  ['Pool is closed.', NOT_LET_IN],
  ['Cannot use a pool after calling end on the pool', NOT_LET_IN],
  ['The server does not support SSL connections', NOT_LET_IN],
  ['There was an error establishing an SSL connection', NOT_LET_IN],
  ['Connection lost: The server closed the connection.', LOST],
  ['Connection terminated', LOST],
  ['Connection terminated unexpectedly', LOST],
  ['Client has encountered a connection error and is not queryable', LOST],
  ['Client was closed and is not queryable', LOST],
  ['This socket has been ended by the other party', LOST],
  ["Can't add new command when connection is in closed state", LOST],
  ["Can't write in closed state", LOST],
  ['Received unexpected commandComplete message from backend.', LOST],
  ['received invalid response: 48', LOST],
  ['Query read timeout', GIVEN_UP],
  ['disk I/O error', TRANSACTION_AGAIN],
  ['database disk image is malformed', TRANSACTION_AGAIN],
  ['file is not a database', TRANSACTION_AGAIN],
  ['out of memory', TRANSACTION_AGAIN],
  ['abort due to ROLLBACK', TRANSACTION_AGAIN],
  ['cannot commit - no transaction is active', TRANSACTION_AGAIN],
  ['database is locked', UNDONE],
  ['database table is locked: note', UNDONE],
  ['interrupted', CANCELLED],
  ['database or disk is full', FULL],
  ['attempt to write a readonly database', READ_ONLY],
  ['UNIQUE constraint failed: note.text', CONSTRAINT],
  ['NOT NULL constraint failed: note.text', CONSTRAINT],
  ['FOREIGN KEY constraint failed', CONSTRAINT],
  ['CHECK constraint failed: cents >= 0', CONSTRAINT],
  ['no such table: nothing', STATEMENT],
  ['Duplicate entry "Connection terminated"', STATEMENT],
];

describe('classifyFailure', () => {
  it.each(BY_NUMBER)('%i, %s', (errno, _name, expected) => {
    expect(classifyFailure({ errno, code: 'ER_ANY', sqlState: 'HY000' })).toEqual(spelledOut(expected));
  });

  it.each(BY_CODE)('%s', (code, expected) => {
    expect(classifyFailure({ code })).toEqual(spelledOut(expected));
  });

  it.each(BY_MESSAGE)('"%s"', (message, expected) => {
    expect(classifyFailure(new Error(message))).toEqual(spelledOut(expected));
  });

  it.each([[{}], [undefined], [null], ['ECONNRESET']])('takes %j for a failed statement', (error) => {
    expect(classifyFailure(error)).toEqual(spelledOut(STATEMENT));
  });

  it("reads it out of TypeORM's QueryFailedError", () => {
    const driverError = Object.assign(new Error('of the driver'), { errno: 1213 });
    expect(classifyFailure(new QueryFailedError('SELECT 1', [], driverError))).toEqual(
      spelledOut(TRANSACTION),
    );
  });

  it('believes mysql2 that a connection has ended, whatever the code', () => {
    expect(classifyFailure({ code: 'ER_SOMETHING_NEW', fatal: true })).toEqual(spelledOut(LOST));
    expect(classifyFailure({ errno: 1045, fatal: true })).toEqual({ ...spelledOut(NOT_LET_IN), fatal: true });
  });

  it('goes by the SQLSTATE where MySQL has a number that is in no row', () => {
    expect(classifyFailure({ errno: 1761, code: 'ER_NEW', sqlState: '23000' })).toEqual(
      spelledOut(CONSTRAINT),
    );
    expect(classifyFailure({ errno: 1158, code: 'ER_NEW', sqlState: '08S01' })).toEqual(spelledOut(LOST));
  });

  it('does not read the message of an error that the server sent: anybody may have written it', () => {
    const raised = Object.assign(new Error('Connection terminated'), { code: 'P0001' });
    const signalled = Object.assign(new Error('database is locked'), { errno: 1644, sqlState: '45000' });
    expect(classifyFailure(raised)).toEqual(spelledOut(STATEMENT));
    expect(classifyFailure(signalled)).toEqual(spelledOut(STATEMENT));
  });
});

describe('the table', () => {
  const codes = FAILURES.flatMap((row) => row.codes);

  it('has each code once', () => {
    expect(codes.filter((code, place) => codes.indexOf(code) !== place)).toEqual([]);
  });

  it('has no code that is not named above', () => {
    const named: (string | number)[] = [
      ...BY_NUMBER.map(([errno]) => errno),
      ...BY_CODE.map(([code]) => code),
    ];
    const isNamed = (code: string | number): boolean =>
      named.includes(code) || (typeof code === 'string' && named.some((one) => String(one).startsWith(code)));
    expect(codes.filter((code) => !isNamed(code))).toEqual([]);
  });

  it('has a row for each kind but the one that is left over', () => {
    const kinds = new Set(FAILURES.map(({ failure }) => failure.kind));
    expect(FAILURE_KINDS.filter((kind) => !kinds.has(kind))).toEqual(['statementFailed']);
  });
});

describe('classifyCommitFailure', () => {
  it.each([
    ['a deadlock or a certification failure', { errno: 1213, sqlState: '40001' }, true],
    ['a lock wait timeout', { errno: 1205, sqlState: 'HY000' }, true],
    ['a serialization failure', { code: '40001' }, true],
    ['a deferred constraint', { code: '23503' }, false],
    ['an error that is in no row', { errno: 1105, code: 'ER_UNKNOWN_ERROR', sqlState: 'HY000' }, false],
    ['SQLite is busy', { code: 'SQLITE_BUSY' }, true],
    ['a deferred constraint of sql.js', new Error('FOREIGN KEY constraint failed'), false],
  ])('%s: the server has refused, nothing is stored', (_name, error, retryable) => {
    expect(classifyCommitFailure(error)).toMatchObject({ outcome: 'rolledBack', retryable });
  });

  it.each([
    ['the connection was reset', { code: 'ECONNRESET', errno: -104 }],
    ['the server closed the connection', { code: 'PROTOCOL_CONNECTION_LOST', fatal: true }],
    ['pg lost the connection', new Error('Connection terminated unexpectedly')],
    ['nobody waited for the answer', new Error('Query read timeout')],
    ['the session was killed, perhaps after it had committed', { code: '57P01' }],
    ['the server shut down', { errno: 1053, sqlState: '08S01' }],
    ['the engine failed while committing', { errno: 1180, sqlState: 'HY000' }],
    ['the completion is unknown to the server itself', { code: '40003' }],
    ['an error that nobody knows', new Error('what?')],
    ['no error at all', undefined],
  ])('%s: nobody knows, and it is not run again', (_name, error) => {
    expect(classifyCommitFailure(error)).toMatchObject({ outcome: 'unknown', retryable: false });
  });
});

it.each([
  [1205, true],
  [1317, true],
  [1114, true],
  [1062, false],
  [1064, false],
  [1792, false],
])('after %i the transaction may only be rolled back: %s', (errno, expected) => {
  expect(isRollbackOnly(classifyFailure({ errno }))).toBe(expected);
});

it('names an error by its code, never by its message', () => {
  const error = Object.assign(new Error("Duplicate entry 'secret'"), { code: 'ER_DUP_ENTRY', errno: 1062 });
  expect(reasonFor('constraint', error)).toBe('a statement in it failed (ER_DUP_ENTRY)');
  expect(reasonFor('cancelled', { errno: 1969 })).toBe('a statement in it was cancelled (1969)');
  expect(reasonFor('connectionLost', new Error('secret'))).toBe('its connection was lost');
});
