/** What the errors of the drivers and servers mean: one table, so that no caller guesses. */

/** What is gone: from nothing but a statement's own effect to the connection. */
export const FAILURE_KINDS = [
  // There is no connection: nothing was begun.
  'connectionRefused',
  'connectionLost',
  // The server has rolled back, or will accept nothing else.
  'transactionLost',
  'transactionFailed',
  // A statement was undone for a reason that lies outside the program.
  'statementUndone',
  'cancelled',
  'full',
  // A statement was refused for what it says, and has changed nothing.
  'readOnly',
  'constraint',
  'statementFailed',
] as const;
/** One of `FAILURE_KINDS`. */
export type FailureKind = (typeof FAILURE_KINDS)[number];

/** What is known of the transaction when the error did not come as the answer to COMMIT. */
export const FAILURE_OUTCOMES = ['rolledBack', 'unknown'] as const;
/** One of `FAILURE_OUTCOMES`. */
export type FailureOutcome = (typeof FAILURE_OUTCOMES)[number];

export interface Failure {
  readonly kind: FailureKind;
  /** The connection must not be used again. */
  readonly fatal: boolean;
  /** The whole unit of work may be run again as it is, and may then succeed. */
  readonly retryable: boolean;
  /** Nothing where the program may still go on, or go back to a savepoint. */
  readonly outcome: FailureOutcome | undefined;
}

const RETRYABLE = { fatal: false, retryable: true, outcome: undefined } as const;
const FINAL = { fatal: false, retryable: false, outcome: undefined } as const;

const REFUSED: Failure = { ...RETRYABLE, kind: 'connectionRefused', fatal: true };
const LOST: Failure = { ...RETRYABLE, kind: 'connectionLost', fatal: true, outcome: 'rolledBack' };
const TRANSACTION_LOST: Failure = { ...RETRYABLE, kind: 'transactionLost', outcome: 'rolledBack' };

export const CONNECTION_LOST = LOST;
export const STATEMENT_FAILED: Failure = { ...FINAL, kind: 'statementFailed' };

/**
 * The number of a MySQL or MariaDB error, a SQLSTATE or the two characters of its class, a code of SQLite (a primary one
 * stands for its extended ones), of Node or of a driver.
 */
export type FailureCode = string | number;

export interface FailureRow {
  readonly failure: Failure;
  readonly codes: readonly FailureCode[];
  /** The messages of errors that have no code: some of mysql2 and pg, and all of sql.js. */
  readonly messages?: RegExp;
}

/** A code has its place once; the class of a SQLSTATE is for those that have none of their own. */
export const FAILURES: readonly FailureRow[] = [
  {
    // Too many connections, or nobody there yet: also by name servers and routers. No file or port left on our side.
    failure: REFUSED,
    codes: [1040, 1203, 1226, 3032, '08001', '53300', '57P03',
      'ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EMFILE', 'ENFILE', 'EADDRNOTAVAIL'],
    messages: /^(No connections available\.|Queue limit reached\.|timeout expired|timeout exceeded when trying to connect|Connection terminated due to connection timeout)/,
  },
  {
    // Not let in. An unknown database is no end for a connection that asks for it later: the driver says what is fatal.
    failure: { ...FINAL, kind: 'connectionRefused' },
    codes: [1044, 1045, 1049, 1129, 1130, 1251, 1698, '08004', '28000', '28P01', '3D000',
      'HANDSHAKE_NO_SSL_SUPPORT', 'HANDSHAKE_SSL_ERROR', 'HANDSHAKE_UNKNOWN_ERROR', 'AUTH_SWITCH_PLUGIN_ERROR'],
    messages: /^(Pool is closed\.|Cannot use a pool after calling end|The server does not support SSL|There was an error establishing an SSL)/,
  },
  {
    // 1047 Galera without a primary component, 1927 and 3169 killed, 4031 idle too long, 20xx as proxies pass them on.
    failure: LOST,
    codes: [1047, 1053, 1927, 2006, 2013, 2014, 2045, 2055, 3169, 4031, '08', '57P01', '57P02', '57P05', '25P03',
      'PROTOCOL_CONNECTION_LOST', 'PROTOCOL_PACKETS_OUT_OF_ORDER',
      'ECONNRESET', 'ECONNABORTED', 'EPIPE', 'ETIMEDOUT', 'EHOSTUNREACH', 'ENETDOWN', 'ENETRESET', 'ENETUNREACH', 'ENOTCONN',
      'ERR_SOCKET_CLOSED', 'ERR_STREAM_DESTROYED', 'ERR_STREAM_PREMATURE_CLOSE', 'ERR_STREAM_WRITE_AFTER_END'],
    messages: /^(Connection lost|Connection terminated|Client has encountered a connection error|Client was closed|This socket has been ended|Can't (add new command|write)|Received unexpected \w+ message from backend|received invalid response)/,
  },
  {
    // 1153 the packet is too large, 08P01 the protocol, 25P04 takes too long, 57P04 the database was dropped: as it would again.
    failure: { ...LOST, retryable: false },
    codes: [1153, '08P01', '25P04', '57P04'],
  },
  {
    // The driver has stopped waiting, the server has not stopped working.
    failure: { ...LOST, kind: 'cancelled', retryable: false },
    codes: ['PROTOCOL_SEQUENCE_TIMEOUT', 'SS_ERR_STATEMENT_TIMEOUT'],
    messages: /^Query read timeout/,
  },
  {
    // 1180 an engine, the binary log or Galera failed while it was committing; 1401 so did a branch.
    failure: { ...LOST, kind: 'transactionLost', retryable: false, outcome: 'unknown' },
    codes: [1180, 1401, '08007', '40003'],
  },
  {
    // 1213 also Galera's certification, 1020 MariaDB's snapshot isolation, 1412 a table changed under the snapshot, 3101
    // group replication, 8002 to 9007 TiDB, 1402, 1613 and 1614 a branch of a two-phase commit. InnoDB has rolled back;
    // PostgreSQL can still go back to a savepoint.
    failure: TRANSACTION_LOST,
    codes: [1213, 1020, 1402, 1412, 1613, 1614, 3101, 8002, 8022, 8028, 9007, '40001', '40P01',
      'SQLITE_BUSY_SNAPSHOT'],
  },
  {
    // 1206 the lock table is full. SQLite may have rolled back by itself, and sql.js cannot say.
    failure: { ...TRANSACTION_LOST, retryable: false },
    codes: [1206, '40', 'SQLITE_ABORT', 'SQLITE_CANTOPEN', 'SQLITE_CORRUPT', 'SQLITE_IOERR', 'SQLITE_NOMEM', 'SQLITE_NOTADB',
      'SQLITE_PROTOCOL'],
    messages: /^(disk I\/O error|database disk image is malformed|file is not a database|out of memory|abort due to ROLLBACK|cannot (commit|rollback) - no transaction)/,
  },
  { failure: { ...FINAL, kind: 'transactionFailed' }, codes: ['25P02'] },
  {
    // 1205 and 3572: a lock that was waited for, or not (NOWAIT). 1637 too many transactions.
    failure: { ...RETRYABLE, kind: 'statementUndone' },
    codes: [1205, 1637, 3572, '55P03', 'SQLITE_BUSY', 'SQLITE_LOCKED'],
    messages: /^database (table |schema )?is locked/,
  },
  {
    // 1317 KILL QUERY, 1969 max_statement_time, 3024 max_execution_time, 57014 also statement_timeout.
    failure: { ...FINAL, kind: 'cancelled' },
    codes: [1317, 1969, 3024, '57014', 'SQLITE_INTERRUPT'],
    messages: /^interrupted$/,
  },
  {
    // 53 is PostgreSQL's class for what it has too little of.
    failure: { ...FINAL, kind: 'full' },
    codes: [1021, 1114, '53', 'SQLITE_FULL'],
    messages: /^database or disk is full/,
  },
  {
    // 1290 and 1836: the server has become a replica; another connection may lead to the one that took its place.
    failure: { ...RETRYABLE, kind: 'readOnly', fatal: true, outcome: 'rolledBack' },
    codes: [1290, 1836],
  },
  {
    failure: { ...FINAL, kind: 'readOnly' },
    codes: [1792, '25006', 'SQLITE_READONLY'],
    messages: /^attempt to write a readonly database/,
  },
  {
    failure: { ...FINAL, kind: 'constraint' },
    codes: [1048, 1062, 1169, 1216, 1217, 1451, 1452, 1557, 1586, 3819, 4025, '23', 'SQLITE_CONSTRAINT'],
    messages: /^(\w+ |\w+ \w+ )?constraint failed/,
  },
]; // prettier-ignore
