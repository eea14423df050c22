/** Every error class and code of the library, in one place; docs/errors.md has one heading for each. */

import { ScopedSessionError } from './scoped-session-error.js';

export { type CommittedInPart, PartialCommitError } from './partial-commit-error.js';
export {
  AutobeginDisabledError,
  ConflictingTransactionOptionsError,
  DetachedInstanceError,
  ExpiredPropertyError,
  FlushError,
  IllegalStateChangeError,
  InvalidOptionError,
  InvalidParameterError,
  InvalidScopeTokenError,
  MultipleResultsFoundError,
  NoActiveScopeError,
  NoResultFoundError,
  NotFoundError,
  ObjectDeletedError,
  ObjectStateError,
  PendingRollbackError,
  PropagationError,
  SelfDeadlockError,
  SessionAlreadyPresentError,
  SessionClosedError,
  TransactionClosedError,
  UnboundSessionError,
  UnexpectedRollbackError,
  UnfinishedWorkError,
  UnmappedInstanceError,
  UnsupportedContextError,
  requireFunction,
} from './program-errors.js';
export { type ErrorDetails, type Outcome, OUTCOMES, ScopedSessionError } from './scoped-session-error.js';

// --- The application cannot start as it is put together. --------------------------------------------------------

/** Nothing provides a DataSource. */
export class NoDataSourceError extends ScopedSessionError {
  readonly code = 'SS_ERR_NO_DATA_SOURCE';
}

/** More than one module provides the DataSource. */
export class AmbiguousDataSourceError extends ScopedSessionError {
  readonly code = 'SS_ERR_AMBIGUOUS_DATA_SOURCE';
}

/** The provider of the DataSource waits for something of ours, which waits for the DataSource. */
export class CircularDataSourceError extends ScopedSessionError {
  readonly code = 'SS_ERR_CIRCULAR_DATA_SOURCE';
}

/** There is a DataSource, but sessions cannot be built on it. */
export class UnusableDataSourceError extends ScopedSessionError {
  readonly code = 'SS_ERR_UNUSABLE_DATA_SOURCE';
}

/** `ScopedSessionModule.forRoot` was imported twice for one name. */
export class DuplicateSessionNameError extends ScopedSessionError {
  readonly code = 'SS_ERR_DUPLICATE_SESSION_NAME';
}

// --- Something happened at run time. ----------------------------------------------------------------------------

/** No connection became free within the deadline. */
export class PoolTimeoutError extends ScopedSessionError {
  readonly code = 'SS_ERR_POOL_TIMEOUT';
  override readonly retryable = true;
}

/** A statement took longer than `statementTimeoutMs`; it was cancelled, and its transaction is rolled back. */
export class StatementTimeoutError extends ScopedSessionError {
  readonly code = 'SS_ERR_STATEMENT_TIMEOUT';
}

/** The database cannot be reached, or takes no more connections; `cause` is the driver's error. Nothing was done. */
export class ConnectionUnavailableError extends ScopedSessionError {
  readonly code = 'SS_ERR_CONNECTION_UNAVAILABLE';
  override readonly retryable = true;
}

/** The connection was lost while COMMIT was on its way: whether the server carried it out is not known. */
export class CommitOutcomeUnknownError extends ScopedSessionError {
  readonly code = 'SS_ERR_COMMIT_OUTCOME_UNKNOWN';
}

/** The unit of work took longer than `scopeTimeoutMs`; it was rolled back. */
export class ScopeTimeoutError extends ScopedSessionError {
  readonly code = 'SS_ERR_SCOPE_TIMEOUT';
}

/** The unit of work was cut short from outside (client gone, shutdown); it was rolled back. */
export class ScopeAbortedError extends ScopedSessionError {
  readonly code = 'SS_ERR_SCOPE_ABORTED';
}

/** A part of a unit of work came out well, and was rolled back with another part that failed. */
export class RolledBackError extends ScopedSessionError {
  readonly code = 'SS_ERR_ROLLED_BACK';
}

/** A row was changed or deleted by somebody else since it was loaded: what was to be stored would undo their work. */
export class StaleDataError extends ScopedSessionError {
  readonly code = 'SS_ERR_STALE_DATA';
}

/** The application is shutting down and accepts no new units of work. */
export class DrainingError extends ScopedSessionError {
  readonly code = 'SS_ERR_DRAINING';
  override readonly retryable = true;
}

/** There are as many background tasks as are allowed, and one more was not accepted. */
export class BackgroundQueueFullError extends ScopedSessionError {
  readonly code = 'SS_ERR_BACKGROUND_QUEUE_FULL';
  override readonly retryable = true;
}

/** Attaches an error of the clean-up to the first error, which stays the one that is thrown. */
export function suppress(first: unknown, later: unknown): void {
  if (first instanceof ScopedSessionError) return void first.suppressed.push(later);
  if (typeof first !== 'object' || first === null || !Object.isExtensible(first)) return;
  const list = ((first as { suppressed?: unknown[] }).suppressed ??= []);
  if (Array.isArray(list)) list.push(later);
}
