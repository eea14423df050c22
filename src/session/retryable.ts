/** Which failures let a unit of work be run again: those of the database that undid all of it, and are known to have. */
import { classifyFailure, type Spoilt, withoutComments } from '../engine/index.js';
import { ScopedSessionError } from '../errors.js';

/** What sessions failed with: by its code alone, a socket that was reset may have been that of any other service. */
const FAILURES_OF_SESSIONS = new WeakSet<object>();

/** Longer chains of causes are nobody's intention. */
const MOST_CAUSES = 10;

/** Of errors that say of another one what it has led to. */
const TELLS_OF_CAUSE: ReadonlySet<string> = new Set([
  'SS_ERR_PENDING_ROLLBACK',
  'SS_ERR_UNEXPECTED_ROLLBACK',
]);

interface ErrorLike {
  readonly outcome?: unknown;
  readonly cause?: unknown;
  readonly errors?: unknown;
  readonly suppressed?: unknown;
  readonly driverError?: unknown;
  readonly query?: unknown;
}

/** Remembers that a session's connection failed with this. */
export function noteFailure(error: unknown): void {
  if (isErrorLike(error)) FAILURES_OF_SESSIONS.add(error);
}

/**
 * Whether a unit of work that failed with `error` may be run again as it is: a deadlock, a serialization or certification
 * failure, a lock wait timeout, a connection that was lost before COMMIT, or an error of this library that is `retryable`.
 * Causes are followed; false as soon as one of the errors leaves the outcome unknown. As `should_retry` of zope.sqlalchemy.
 *
 * @example
 * ```ts
 * import { isRetryable } from 'nestjs-scoped-session';
 * export const statusOf = (error: unknown): number => (isRetryable(error) ? 503 : 500);
 * ```
 */
export function isRetryable(error: unknown): boolean {
  return !hasUnknownOutcome(error) && isUndone(error);
}

function isUndone(error: unknown, depth = 0): boolean {
  if (!isErrorLike(error) || depth > MOST_CAUSES) return false;
  if (error instanceof ScopedSessionError && !TELLS_OF_CAUSE.has(error.code)) return error.retryable;
  if (isOfDatabase(error) && classifyFailure(error).retryable) return true;
  return isUndone(error.cause, depth + 1);
}

/** Whether the error, or one that it tells of, leaves open what is stored. */
export function hasUnknownOutcome(error: unknown, seen = new Set<unknown>()): boolean {
  if (!isErrorLike(error) || seen.has(error)) return false;
  seen.add(error);
  if (error.outcome === 'unknown') return true;
  if (isOfDatabase(error) && classifyFailure(error).outcome === 'unknown') return true;
  return [error.cause, ...listOf(error.errors), ...listOf(error.suppressed)].some((one) =>
    hasUnknownOutcome(one, seen),
  );
}

/** Whether what took a transaction away may have stored it, or a part: a statement that commits by itself, answered or not. */
export function mayHaveCommitted({ state, error, outcome }: Spoilt): boolean {
  if (state !== 'gone' || outcome === 'rolledBack') return false;
  return outcome === 'unknown' || !isErrorLike(error) || !staysInTransaction(error.query);
}

/** One statement, of a kind that cannot commit; `SET` can (autocommit), and so can `CALL`. */
const STAYS =
  /^(?:select|insert|update|delete|replace|merge|with|values|table|show|explain|savepoint|release|rollback)\b[^;]*;?\s*$/i;

function staysInTransaction(sql: unknown): boolean {
  return typeof sql === 'string' && STAYS.test(withoutComments(sql));
}

function isOfDatabase(error: ErrorLike): boolean {
  return isErrorLike(error.driverError) || FAILURES_OF_SESSIONS.has(error);
}

function isErrorLike(value: unknown): value is ErrorLike {
  return typeof value === 'object' && value !== null;
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}
