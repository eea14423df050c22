/** What a driver's error means for the connection and the transaction: one table, so that no caller guesses. */

export const FAILURE_KINDS = ['connectionLost', 'transactionLost', 'statementFailed'] as const;
export type FailureKind = (typeof FAILURE_KINDS)[number];

export interface Failure {
  /** What is gone: the connection, the whole transaction, or only the statement's own effect. */
  readonly kind: FailureKind;
  /** The connection must not be used again. */
  readonly fatal: boolean;
}

const CONNECTION_LOST: Failure = { kind: 'connectionLost', fatal: true };
const TRANSACTION_LOST: Failure = { kind: 'transactionLost', fatal: false };
const STATEMENT_FAILED: Failure = { kind: 'statementFailed', fatal: false };

/** Codes of Node, mysql2 and the servers after which the connection is of no use. */
const LOST_CONNECTION_CODES: ReadonlySet<unknown> = new Set([
  'ECONNRESET', 'ECONNREFUSED', 'EPIPE', 'ETIMEDOUT', 'PROTOCOL_CONNECTION_LOST', 'PROTOCOL_SEQUENCE_TIMEOUT',
  'PROTOCOL_PACKETS_OUT_OF_ORDER', 'ERR_STREAM_DESTROYED', 'ERR_STREAM_WRITE_AFTER_END',
  // PostgreSQL: connection exceptions, admin shutdown, crash shutdown, cannot connect now
  '08000', '08001', '08003', '08004', '08006', '08007', '08P01', '57P01', '57P02', '57P03',
]); // prettier-ignore

/** 1053 shutdown, 1153 packet too large, 1927 killed, 1047 not a primary, 4031 idle too long. */
const LOST_CONNECTION_NUMBERS: ReadonlySet<unknown> = new Set([1053, 1153, 1927, 1047, 4031]);

/** 1213 deadlock: InnoDB has rolled the whole transaction back. */
const LOST_TRANSACTION_NUMBERS: ReadonlySet<unknown> = new Set([1213]);

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
  if (driverError.fatal === true || LOST_CONNECTION_CODES.has(driverError.code)) return CONNECTION_LOST;
  if (LOST_CONNECTION_NUMBERS.has(driverError.errno)) return CONNECTION_LOST;
  if (typeof driverError.message === 'string' && LOST_CONNECTION_TEXT.test(driverError.message))
    return CONNECTION_LOST;
  return LOST_TRANSACTION_NUMBERS.has(driverError.errno) ? TRANSACTION_LOST : STATEMENT_FAILED;
}
