/** What a session's transaction may do now, and why not. */
import type { Spoilt } from '../engine/index.js';
import {
  AutobeginDisabledError,
  IllegalStateChangeError,
  PendingRollbackError,
  ScopedSessionError,
  SessionClosedError,
  UnexpectedRollbackError,
} from '../errors.js';
import { hasUnknownOutcome, mayHaveCommitted } from './retryable.js';

export class TransactionState {
  /** True from `begin()` or the first statement to commit or rollback, whether or not a connection is held yet. */
  hasBegun = false;
  /** Why the transaction may only be rolled back, when somebody decided so. */
  rollbackOnly: string | undefined;
  #spoilt: (Spoilt & { readonly depth: number }) | undefined;
  #isSealed = false;
  #ended: { readonly cause: unknown } | undefined;
  #late: SessionClosedError | undefined;
  /** COMMITs that were sent and not refused, of a session that is in no scope. */
  commits = 0;
  #isCommitSent = false;
  #mayBeStored = false;
  #isPrepared = false;
  #failedInside: { readonly error: unknown; readonly depth: number } | undefined;

  /** @param scope - counts the COMMITs of all its sessions */
  constructor(
    private readonly transaction: { readonly label: string },
    private readonly autobegin: boolean,
    private readonly scope?: { commits: number },
  ) {}

  get #counter(): { commits: number } {
    return this.scope ?? this;
  }

  get label(): string {
    return this.transaction.label;
  }

  /** SQLAlchemy's `is_active`: false only while a rollback is pending. */
  get isActive(): boolean {
    return this.#spoilt === undefined && this.#ended === undefined;
  }

  /** The first of two phases is done: what is left is to commit or to roll back. */
  get isPrepared(): boolean {
    return this.#isPrepared;
  }

  prepared(): void {
    this.#isPrepared = true;
  }

  /** COMMIT is on its way, and was not answered yet. */
  get isCommitSent(): boolean {
    return this.#isCommitSent;
  }

  /** What became of the transaction, where nothing of it was acknowledged. */
  get fate(): 'rolledBack' | 'unknown' {
    return this.#mayBeStored || this.#isCommitSent ? 'unknown' : 'rolledBack';
  }

  /** The end has begun: what is decided now is final. */
  get isSealed(): boolean {
    return this.#isSealed;
  }

  get isEnded(): boolean {
    return this.#ended !== undefined;
  }

  /** The first use that was refused because the end had begun; it was not awaited. */
  get late(): SessionClosedError | undefined {
    return this.#late;
  }

  /** The error that spoilt the transaction. */
  get cause(): unknown {
    return this.#spoilt?.error;
  }

  /** At the call: refuses what comes after the end has begun, except the end's own doing. */
  refuseAfterEnd(isEnding: boolean): void {
    this.#refuseEnded();
    if (this.#isSealed && !isEnding) throw (this.#late ??= new SessionClosedError(this.label));
  }

  /** At its turn: refuses where only a rollback is accepted; begins otherwise. */
  enter(): void {
    this.#refuseEnded();
    this.refuseSpoilt();
    if (this.#isPrepared) throw new IllegalStateChangeError(PREPARED);
    if (!this.hasBegun && !this.autobegin) throw new AutobeginDisabledError(AUTOBEGIN_DISABLED);
    this.hasBegun = true;
  }

  /** Begins by name. */
  begin(): void {
    this.refuseSpoilt();
    if (this.hasBegun) throw new IllegalStateChangeError('A transaction is already begun on this session.');
    this.hasBegun = true;
  }

  refuseCommit(): void {
    this.refuseSpoilt();
    this.refuseFailedInside(0);
    if (this.rollbackOnly === undefined) return;
    throw new PendingRollbackError(
      `The transaction of ${this.label} was marked rollback-only: ${this.rollbackOnly}. Call rollback().`,
      { outcome: 'rolledBack' },
    );
  }

  refuseSpoilt(): void {
    if (this.#spoilt === undefined) return;
    const { reason, error } = this.#spoilt;
    const known = this.#spoilt.outcome ?? (error instanceof ScopedSessionError ? error.outcome : undefined);
    throw new PendingRollbackError(
      `The transaction of ${this.label} cannot go on: ${reason}. Call rollback(); the next statement begins a new one.`,
      { ...(error !== undefined && { cause: error }), outcome: known ?? 'rolledBack' },
    );
  }

  /** A part that took part in the whole has failed, and may have done half of what it should: the whole must not be kept. */
  failedInside(error: unknown, depth: number): void {
    if (this.#failedInside === undefined || depth < this.#failedInside.depth)
      this.#failedInside = { error, depth };
  }

  /** @param depth - of the savepoint that is to be kept; what failed outside of it is not its concern */
  refuseFailedInside(depth: number): void {
    if (this.#failedInside === undefined || this.#failedInside.depth < depth) return;
    throw new UnexpectedRollbackError(
      `${this.label} was to be committed, but a part that had joined its transaction had failed, and the error was caught: ` +
        "it was rolled back. Let the error pass, or give the part a savepoint of its own (propagation 'NESTED').",
      { cause: this.#failedInside.error, outcome: 'rolledBack' },
    );
  }

  /** @param depth - the savepoints open at this moment; the rollback of one of them mends what only failed */
  spoil(what: Spoilt, depth: number): void {
    if (mayHaveCommitted(what)) {
      this.#counter.commits += 1;
      this.#mayBeStored = true;
    }
    const isGone = what.state === 'gone';
    this.#spoilt ??= { ...what, depth: isGone ? 0 : depth };
    // Told is what happened first; where the server has lost it all since, no savepoint mends that.
    if (isGone) this.#spoilt = { ...this.#spoilt, depth: 0 };
  }

  /** The savepoint number `depth` (1 is the outermost) is about to be rolled back: can the server do that? */
  canRollBackTo(depth: number): boolean {
    return this.#spoilt === undefined || this.#spoilt.depth >= depth;
  }

  rolledBackTo(depth: number): void {
    this.#spoilt = undefined;
    if (this.#failedInside !== undefined && this.#failedInside.depth >= depth) this.#failedInside = undefined;
  }

  /** COMMIT is on its way: from now on something may be stored. */
  commitSent(): void {
    this.#isCommitSent = true;
    this.#counter.commits += 1;
  }

  /** It was refused, or could not be sent, or its answer was lost. */
  commitFailed(error: unknown, isConnected: boolean): void {
    if (this.#isCommitSent && !hasUnknownOutcome(error)) this.#counter.commits -= 1;
    this.#mayBeStored ||= this.#isCommitSent && hasUnknownOutcome(error);
    this.#isCommitSent = false;
    // As in SQLAlchemy, a session whose COMMIT failed is inactive until rollback().
    if (!isConnected) this.#spoilt ??= { state: 'gone', reason: 'its COMMIT failed', error, depth: 0 };
  }

  /** From now on only the end may send. */
  seal(): void {
    this.#isSealed = true;
  }

  /** Nothing is accepted any more, for good. */
  end(cause?: unknown): void {
    this.#ended ??= { cause };
  }

  #refuseEnded(): void {
    if (this.#ended === undefined) return;
    const { cause } = this.#ended;
    throw new SessionClosedError(this.label, cause === undefined ? {} : { cause });
  }

  /** The transaction is over; the next one starts afresh. */
  reset(): void {
    this.hasBegun = false;
    this.rollbackOnly = undefined;
    this.#spoilt = undefined;
    this.#isCommitSent = false;
    this.#mayBeStored = false;
    this.#isPrepared = false;
    this.#failedInside = undefined;
  }
}

const AUTOBEGIN_DISABLED =
  'Autobegin is disabled on this session; please call session.begin() to start a new transaction.';

const PREPARED =
  "This session is in the 'prepared' state; nothing can be sent within this transaction any more. Call commit() or rollback().";
