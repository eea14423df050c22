/** Errors of a program that is wrong: running it again cannot help. */
import { BRAND, type ErrorDetails, ScopedSessionError } from './scoped-session-error.js';

/** An option, URL or argument was refused, before any I/O. */
export class InvalidOptionError extends ScopedSessionError {
  readonly code = 'SS_ERR_INVALID_OPTION';
}

/** A statement's parameter is missing, cannot be bound, or is not the parameter object's own. */
export class InvalidParameterError extends ScopedSessionError {
  readonly code = 'SS_ERR_INVALID_PARAMETER';
}

/** A scope function gave no token: a `TypeError`, as an unhashable key is to SQLAlchemy's registry. */
export class InvalidScopeTokenError extends TypeError {
  readonly code = 'SS_ERR_INVALID_SCOPE_TOKEN';
  readonly retryable = false;
  readonly outcome = undefined;
  readonly suppressed: unknown[] = [];

  constructor(token: unknown) {
    super(
      `The scope function returned ${String(token)}; return an object or a primitive that names the unit of work.`,
    );
    this.name = new.target.name;
    Object.defineProperty(this, BRAND, { value: true });
  }
}

/** Code that needs a session runs outside every scope. */
export class NoActiveScopeError extends ScopedSessionError {
  readonly code = 'SS_ERR_NO_ACTIVE_SCOPE';

  /** @param more - the cure for what was used */
  constructor(what: string, more?: string) {
    super(
      `${what} was used outside a scope. A request has one when ScopedSessionModule.forRoot() is imported and the route ` +
        'is not excluded (a hybrid application also needs connectMicroservice(options, { inheritAppConfig: true }), a ' +
        'gateway of NestJS 11 @UseInterceptors(SessionInterceptor)); ' +
        'everywhere else (guards and filters of messages, hooks of gateways, cron, listeners, queues, scripts, tests) wrap ' +
        'the work in scopedSession.run(fn), or put @SessionScope() on the method.' +
        (more === undefined ? '' : ` ${more}`),
    );
  }
}

/** The scope, and with it its session, has ended; the code that called outlived it. */
export class SessionClosedError extends ScopedSessionError {
  readonly code = 'SS_ERR_SESSION_CLOSED';

  constructor(label: string, details?: ErrorDetails) {
    super(
      `The session of ${label} has ended, and this call came after it. Await the work before the handler returns; work ` +
        'that outlives it needs a unit of its own: BackgroundTasks.run(fn), or afterCommit(fn); work that is to be kept when ' +
        'it fails: scopedSession.independently(fn).',
      details,
    );
  }
}

/** `current(options)` found a session in the scope already. */
export class SessionAlreadyPresentError extends ScopedSessionError {
  readonly code = 'SS_ERR_SESSION_ALREADY_PRESENT';
}

/** A method was called in a state in which it has no meaning. */
export class IllegalStateChangeError extends ScopedSessionError {
  readonly code = 'SS_ERR_ILLEGAL_STATE_CHANGE';
}

/** The session was made with `autobegin: false` and nobody called `begin()`. */
export class AutobeginDisabledError extends ScopedSessionError {
  readonly code = 'SS_ERR_AUTOBEGIN_DISABLED';
}

/** A handle or block of `beginNested` was used after its end. */
export class TransactionClosedError extends ScopedSessionError {
  readonly code = 'SS_ERR_TRANSACTION_CLOSED';
}

/** The transaction is gone or spoilt: nothing but `rollback()` is accepted. */
export class PendingRollbackError extends ScopedSessionError {
  readonly code = 'SS_ERR_PENDING_ROLLBACK';
}

/** A part that had joined the transaction failed, and whoever called it caught the error: the whole is not committed. */
export class UnexpectedRollbackError extends ScopedSessionError {
  readonly code = 'SS_ERR_UNEXPECTED_ROLLBACK';
}

/** A propagation needs a transaction and there is none, or forbids one and there is one. */
export class PropagationError extends ScopedSessionError {
  readonly code = 'SS_ERR_PROPAGATION';
}

/** A transaction runs already, and with other options than those asked for. */
export class ConflictingTransactionOptionsError extends ScopedSessionError {
  readonly code = 'SS_ERR_CONFLICTING_TRANSACTION_OPTIONS';
}

/** A session that has no DataSource was asked to work. */
export class UnboundSessionError extends ScopedSessionError {
  readonly code = 'SS_ERR_UNBOUND_SESSION';
}

/** A row was required and none was there. */
export class NoResultFoundError extends ScopedSessionError {
  readonly code = 'SS_ERR_NO_RESULT_FOUND';
}

/** Exactly one row was required and more were there. */
export class MultipleResultsFoundError extends ScopedSessionError {
  readonly code = 'SS_ERR_MULTIPLE_RESULTS_FOUND';
}

/** What was asked for is not there, and whoever asked is to be told so: an answer of 404. */
export class NotFoundError extends ScopedSessionError {
  readonly code = 'SS_ERR_NOT_FOUND';
}

/** An object was handed to a session, and its class is no entity of the DataSource. */
export class UnmappedInstanceError extends ScopedSessionError {
  readonly code = 'SS_ERR_UNMAPPED_INSTANCE';
}

/** An object is in a state, or in another session, in which the call has no meaning. */
export class ObjectStateError extends ScopedSessionError {
  readonly code = 'SS_ERR_OBJECT_STATE';
}

/** A property was read that a rollback, a commit or `expire()` has expired. */
export class ExpiredPropertyError extends ScopedSessionError {
  readonly code = 'SS_ERR_EXPIRED_PROPERTY';
}

/** Something is to be loaded for an object that belongs to no session. */
export class DetachedInstanceError extends ScopedSessionError {
  readonly code = 'SS_ERR_DETACHED_INSTANCE';
}

/** The row of an object that was to be refreshed is not there any more. */
export class ObjectDeletedError extends ScopedSessionError {
  readonly code = 'SS_ERR_OBJECT_DELETED';
}

/** Each flush before a COMMIT made new objects to store. */
export class FlushError extends ScopedSessionError {
  readonly code = 'SS_ERR_FLUSH';
}

/** A unit of work waits for a connection that it holds itself. */
export class SelfDeadlockError extends ScopedSessionError {
  readonly code = 'SS_ERR_SELF_DEADLOCK';
}

/** Nothing in this context would commit a session. */
export class UnsupportedContextError extends ScopedSessionError {
  readonly code = 'SS_ERR_UNSUPPORTED_CONTEXT';
}

/** Work was still going on, or failed unseen, when its unit of work ended; it was rolled back. */
export class UnfinishedWorkError extends ScopedSessionError {
  readonly code = 'SS_ERR_UNFINISHED_WORK';
}

/** Refuses an argument that is no function, before anything is done. */
export function requireFunction(value: unknown, what: string): void {
  if (typeof value === 'function') return;
  throw new InvalidOptionError(`${what} must be a function, not a value of type ${typeof value}.`);
}
