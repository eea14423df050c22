/** Reads a driver's error: what it means for the connection, the transaction and the unit of work. */
import {
  CONNECTION_LOST,
  type Failure,
  type FailureCode,
  type FailureKind,
  FAILURES,
  STATEMENT_FAILED,
} from './failure-table.js';

interface DriverError {
  /** Of MySQL and MariaDB; Node's own are negative. */
  readonly errno?: unknown;
  readonly code?: unknown;
  readonly sqlState?: unknown;
  /** mysql2's word for an error that has ended the connection. */
  readonly fatal?: unknown;
  readonly message?: unknown;
}

const SQLSTATE = /^(?=.*\d)[0-9A-Z]{5}$/;

const BY_CODE: ReadonlyMap<unknown, Failure> = new Map(
  FAILURES.flatMap(({ codes, failure }) => codes.map((code): [FailureCode, Failure] => [code, failure])),
);

/** What the error means where it is the answer to anything but COMMIT; also read out of TypeORM's `QueryFailedError`. */
export function classifyFailure(error: unknown): Failure {
  const driverError = driverErrorOf(error);
  const known = byCode(driverError) ?? (isFromServer(driverError) ? undefined : byMessage(driverError));
  if (driverError.fatal !== true) return known ?? STATEMENT_FAILED;
  return known === undefined ? CONNECTION_LOST : { ...known, fatal: true };
}

/** What it means as the answer to COMMIT: only a server that refused says that nothing is stored. */
export function classifyCommitFailure(error: unknown): Failure {
  const failure = classifyFailure(error);
  const driverError = driverErrorOf(error);
  const isAnswered = isFromServer(driverError) || byMessage(driverError) !== undefined;
  if (failure.fatal || !isAnswered) return { ...failure, retryable: false, outcome: 'unknown' };
  return { ...failure, outcome: 'rolledBack' };
}

/** Whether other connections must be expected to be as bad: the network, or the server at its other end, has changed. */
export function concernsOthers({ fatal, retryable }: Failure): boolean {
  return fatal && retryable;
}

/** What PostgreSQL says by itself: behind such a failure nothing but a rollback makes sense, if only to a savepoint. */
const ROLLBACK_ONLY: readonly FailureKind[] = ['transactionFailed', 'statementUndone', 'cancelled', 'full'];

/** True where going on would store a unit of work of which a part is missing that the program believes to be there. */
export function isRollbackOnly({ kind }: Failure): boolean {
  return ROLLBACK_ONLY.includes(kind);
}

const REASONS: Readonly<Record<FailureKind, string>> = {
  connectionRefused: 'no connection to the server could be made',
  connectionLost: 'its connection was lost',
  transactionLost: 'the server has rolled it back',
  transactionFailed: 'a statement in it failed',
  statementUndone: 'the server has undone a statement of it',
  cancelled: 'a statement in it was cancelled',
  full: 'the database was full for a statement of it',
  readOnly: 'the database is read-only',
  constraint: 'a statement in it failed',
  statementFailed: 'a statement in it failed',
};

/** Why a transaction cannot go on, with the error's code; never its message, which holds values. */
export function reasonFor(kind: FailureKind, error: unknown): string {
  const { code, errno } = driverErrorOf(error);
  const name = [code, errno].find((one) => typeof one === 'string' || typeof one === 'number');
  return name === undefined ? REASONS[kind] : `${REASONS[kind]} (${name})`;
}

function driverErrorOf(error: unknown): DriverError {
  const driverError: unknown = (error as { driverError?: unknown } | null | undefined)?.driverError ?? error;
  return typeof driverError === 'object' && driverError !== null ? driverError : {};
}

function byCode({ errno, code, sqlState }: DriverError): Failure | undefined {
  const found = [errno, code, primaryOf(code), sqlState, classOf(code), classOf(sqlState)];
  return found.map((key) => BY_CODE.get(key)).find((failure) => failure !== undefined);
}

function byMessage({ message }: DriverError): Failure | undefined {
  if (typeof message !== 'string') return undefined;
  return FAILURES.find(({ messages }) => messages?.test(message))?.failure;
}

/** The server, or SQLite, has answered: then the message may be anybody's, and the code counts. */
function isFromServer({ errno, code, sqlState }: DriverError): boolean {
  if ((typeof errno === 'number' && errno > 0) || typeof sqlState === 'string') return true;
  return typeof code === 'string' && (SQLSTATE.test(code) || code.startsWith('SQLITE_'));
}

/** SQLITE_CONSTRAINT of SQLITE_CONSTRAINT_UNIQUE. */
function primaryOf(code: unknown): string | undefined {
  return typeof code === 'string' && code.startsWith('SQLITE_') ? code.split('_', 2).join('_') : undefined;
}

function classOf(sqlState: unknown): string | undefined {
  return typeof sqlState === 'string' && SQLSTATE.test(sqlState) ? sqlState.slice(0, 2) : undefined;
}
