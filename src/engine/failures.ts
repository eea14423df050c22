/** What a driver's error means for the connection and the transaction: one table, so that no caller guesses. */

export const FAILURE_KINDS = ['connectionLost', 'transactionLost', 'statementFailed'] as const;
export type FailureKind = (typeof FAILURE_KINDS)[number];

/** What a driver's error says of the transaction, wherever it came from: COMMIT's own answer is judged by who sent it. */
export interface Failure {
  /** What is gone: the connection, the whole transaction, or only the statement's own effect. */
  readonly kind: FailureKind;
  /** The connection must not be used again. */
  readonly fatal: boolean;
  /** The same unit of work may succeed when it is run again, once it is rolled back. */
  readonly retryable: boolean;
  /** `rolledBack`: nothing of the transaction is stored; undefined where that is still to be decided. */
  readonly outcome: 'rolledBack' | 'unknown' | undefined;
}

const CONNECTION_LOST: Failure = {
  kind: 'connectionLost',
  fatal: true,
  retryable: true,
  outcome: 'rolledBack',
};
const CONNECTION_REFUSED: Failure = { ...CONNECTION_LOST, retryable: false };
const OUTCOME_UNKNOWN: Failure = { ...CONNECTION_REFUSED, outcome: 'unknown' };
const TRANSACTION_LOST: Failure = {
  kind: 'transactionLost',
  fatal: false,
  retryable: true,
  outcome: 'rolledBack',
};
const STATEMENT_FAILED: Failure = {
  kind: 'statementFailed',
  fatal: false,
  retryable: false,
  outcome: undefined,
};
const IN_THE_WAY: Failure = { ...STATEMENT_FAILED, retryable: true };

/** Codes of Node, mysql2 and the servers after which the connection is of no use. */
const LOST_CONNECTION_CODES: ReadonlySet<unknown> = new Set([
  'ECONNRESET', 'ECONNREFUSED', 'EPIPE', 'ETIMEDOUT', 'PROTOCOL_CONNECTION_LOST', 'PROTOCOL_SEQUENCE_TIMEOUT',
  'PROTOCOL_PACKETS_OUT_OF_ORDER', 'ERR_STREAM_DESTROYED', 'ERR_STREAM_WRITE_AFTER_END',
  // PostgreSQL: connection exceptions, admin shutdown, crash shutdown, cannot connect now
  '08000', '08001', '08003', '08004', '08006', '08P01', '57P01', '57P02', '57P03',
]); // prettier-ignore

/** 1053 shutdown, 1153 packet too large, 1927 killed, 1047 not a primary, 4031 idle too long. */
const LOST_CONNECTION_NUMBERS: ReadonlySet<unknown> = new Set([1053, 1153, 1927, 1047, 4031]);

/** The same would happen again: 1044, 1045 and 1049 no access, 1153 packet too large; a protocol that is not spoken. */
const LOST_FOR_GOOD: ReadonlySet<unknown> = new Set([1044, 1045, 1049, 1153, '08004', '08P01']);

/** PostgreSQL: transaction resolution unknown, statement completion unknown. */
const UNKNOWN_CODES: ReadonlySet<unknown> = new Set(['08007', '40003']);

/** 1213 deadlock: InnoDB has rolled the whole transaction back. */
const LOST_TRANSACTION_NUMBERS: ReadonlySet<unknown> = new Set([1213]);

/** Another transaction was in the way: a lock was waited for too long, a row has changed, a deadlock was cut. */
const IN_THE_WAY_CODES: ReadonlySet<unknown> = new Set([
  1205, 1020, '40001', '40P01', '55P03', 'SQLITE_BUSY', 'SQLITE_BUSY_SNAPSHOT',
]); // prettier-ignore

/** Errors of pg that carry no code. */
const LOST_CONNECTION_TEXT =
  /^(Connection terminated|Client has encountered a connection error|Client was closed|This socket has been ended)/;

interface DriverError {
  code?: unknown;
  errno?: unknown;
  fatal?: unknown;
  message?: unknown;
}

/** Reads the driver's error, also out of TypeORM's `QueryFailedError`. */
export function classifyFailure(error: unknown): Failure {
  const driverError = ((error as { driverError?: unknown } | null)?.driverError ??
    error) as DriverError | null;
  if (typeof driverError !== 'object' || driverError === null) return STATEMENT_FAILED;
  const { code, errno } = driverError;
  if (UNKNOWN_CODES.has(code)) return OUTCOME_UNKNOWN;
  if (isConnectionLost(driverError))
    return LOST_FOR_GOOD.has(errno) || LOST_FOR_GOOD.has(code) ? CONNECTION_REFUSED : CONNECTION_LOST;
  if (LOST_TRANSACTION_NUMBERS.has(errno)) return TRANSACTION_LOST;
  return IN_THE_WAY_CODES.has(errno) || IN_THE_WAY_CODES.has(code) ? IN_THE_WAY : STATEMENT_FAILED;
}

function isConnectionLost({ fatal, code, errno, message }: DriverError): boolean {
  if (fatal === true || LOST_CONNECTION_CODES.has(code) || LOST_CONNECTION_NUMBERS.has(errno)) return true;
  return typeof message === 'string' && LOST_CONNECTION_TEXT.test(message);
}
