/** A session's transaction: the order of its statements, its savepoints' place, its commit and its rollback. */
import type { EntityManager, QueryRunner } from 'typeorm';
import {
  type BeginSettings,
  type Engine,
  type LeaseOwner,
  LeaseSlot,
  type RunnerOwner,
  type Spoilt,
  type TransactionOptions,
  TransactionRunner,
} from '../engine/index.js';
import { IllegalStateChangeError, suppress } from '../errors.js';
import { AgreedOptions, refuseOther } from './agreed-options.js';
import { NestedTransactions, NO_OBJECTS, type TrackedObjects, type Whole } from './nested-transactions.js';
import { PendingWork } from './pending-work.js';
import { noteFailure } from './retryable.js';
import { beforeCommit, type DecidedEvent, tellDecided } from './transaction-events.js';
import type { Warn } from './session-options.js';
import type { TransactionSettings } from './transaction-settings.js';
import { TransactionState } from './transaction-state.js';
import { type TrackedTransaction, Tracking } from './tracking.js';
import { Turns } from './turns.js';
import type { WorkBlock } from './work-block.js';

/** How the whole is committed. */
export interface CommitOptions {
  /** Called when everything was sent and COMMIT is next; it throws to roll back instead. */
  readonly lastCheck?: () => void;
  /** Whether what is not flushed yet belongs to it. Default true. */
  readonly flushes?: boolean;
  /** Whether objects are expired. Default: what the session's `expireOnCommit` says. */
  readonly expires?: boolean;
}

/** What becomes of the session's objects in a rollback: they are expired, or the session lets go of them. */
export type Fate = 'expired' | 'detached';

export class Transaction implements RunnerOwner, TrackedTransaction, Whole {
  readonly state: TransactionState;
  readonly turns: Turns;
  readonly nested = new NestedTransactions(this);
  readonly pending = new PendingWork();
  readonly leaseSlot = new LeaseSlot();
  /** The session, for the garbage collector's eyes only. */
  session: object | undefined;
  #runner: TransactionRunner | undefined;
  #tracking: Tracking | undefined;
  readonly #options: AgreedOptions;

  constructor(
    readonly engine: Engine,
    readonly settings: TransactionSettings,
  ) {
    this.state = new TransactionState(this, settings.autobegin, settings.scope);
    this.turns = new Turns(this, this.state, this.pending);
    this.#options = new AgreedOptions(settings, engine.isolation);
  }

  get label(): string {
    return this.settings.label ?? this.settings.scope?.label ?? 'a session';
  }

  /** The unit of work that connections are leased for; not the transaction itself, which must stay collectable. */
  get identity(): LeaseOwner {
    return this.settings.scope ?? this.leaseSlot;
  }

  /** Made at its first use; it holds no connection. */
  get runner(): TransactionRunner {
    return (this.#runner ??= new TransactionRunner(this.engine, this));
  }

  /** Made when the session first tracks something. */
  get tracking(): Tracking {
    return (this.#tracking ??= new Tracking(this, this.settings.autoflush));
  }

  /** Undefined as long as the session tracks nothing. */
  get startedTracking(): Tracking | undefined {
    return this.#tracking;
  }

  get objects(): TrackedObjects {
    return this.#tracking ?? NO_OBJECTS;
  }

  /** False where objects are loaded as TypeORM loads them. */
  get tracks(): boolean {
    return this.settings.unitOfWork !== 'off' && this.transactionOptions().readOnly !== true;
  }

  refuseUntracked(): void {
    if (this.tracks) return;
    throw new IllegalStateChangeError(
      `${this.label} tracks no objects: ${this.settings.unitOfWork === 'off' ? "unitOfWork is 'off'" : 'it is read-only'}.`,
    );
  }

  /** Begun, or about to be: there is something to store. */
  get isInTransaction(): boolean {
    return this.state.hasBegun || this.#tracking?.isDirty === true;
  }

  get isConnected(): boolean {
    return this.leaseSlot.lease !== undefined;
  }

  get hasWritten(): boolean {
    return this.#runner?.hasWritten === true;
  }

  /** The part of the work that the running code is in. */
  get block(): WorkBlock {
    return this.turns.block;
  }

  transactionOptions(): BeginSettings {
    return this.#options.current;
  }

  // --- what is sent ---

  admit<T>(use: () => Promise<T>): Promise<T> {
    return this.turns.admit(use);
  }

  /** @param sql - undefined where nothing is known of what it reads */
  admitStatement<T>(sql: string | undefined, send: () => Promise<T>): Promise<T> {
    const tracking = this.#tracking;
    if (tracking?.isConcernedBy(sql) !== true) return this.turns.admit(send);
    return this.turns.admit(async () => {
      await tracking.flushInTurn();
      return send();
    });
  }

  inTurn<T>(use: () => Promise<T>): Promise<T> {
    return this.turns.inTurn(use);
  }

  get queryRunner(): QueryRunner {
    return this.runner.runner;
  }

  get manager(): EntityManager {
    return this.queryRunner.manager;
  }

  get savepoints(): number {
    return this.nested.depth;
  }

  get warn(): Warn {
    return this.settings.warn;
  }

  send(sql: string): Promise<unknown> {
    return this.runner.send(sql);
  }

  showDepth(depth: number): void {
    Object.assign(this.runner.runner, { transactionDepth: depth });
  }

  awaitBeforeEnd(done: Promise<unknown>): void {
    this.pending.waitFor(done);
  }

  spoilt(what: Spoilt): void {
    noteFailure(what.error);
    this.state.spoil(what, this.nested.depth);
  }

  // --- begin, commit, rollback ---

  begin(options: TransactionOptions): void {
    this.refuseAfterEnd();
    this.state.begin();
    this.#options.set(options);
  }

  /** Once the end has begun, only its own doing is accepted. */
  refuseAfterEnd(): void {
    this.state.refuseAfterEnd(this.block.isEnding);
  }

  async commit(options: CommitOptions = {}): Promise<void> {
    const { flushes = true, expires = this.settings.expireOnCommit } = options;
    await this.#change('commit()', 'AfterTransactionCommit', async () => {
      this.state.refuseCommit();
      if (flushes) await this.#tracking?.flushAll();
      const { isConnected } = this;
      if (isConnected) await this.#commit({ ...options, flushes });
      this.#tracking?.work.committed(expires);
      return isConnected;
    });
  }

  async #commit({ lastCheck, flushes }: CommitOptions): Promise<void> {
    try {
      if (this.engine.hasSubscribers) {
        await beforeCommit(this.queryRunner);
        if (flushes) await this.#tracking?.flushAll();
      }
      const { queue } = this.block;
      if (!queue.isIdle) await queue.idle();
      this.runner.confirm();
      this.state.refuseCommit();
      lastCheck?.();
      this.state.commitSent();
      await this.runner.commit();
    } catch (error) {
      this.state.commitFailed(error, this.isConnected);
      throw error;
    }
  }

  /** Stores everything that is not stored yet, as the first half of a commit. */
  async prepare(): Promise<void> {
    const { tracking } = this;
    await this.turns.exclusively('commit()', () => tracking.flushAll());
  }

  /** Rolls the whole transaction back; without one nothing happens. */
  async rollback(name = 'rollback()', fate: Fate = 'expired'): Promise<void> {
    await this.#change(name, 'AfterTransactionRollback', async () => {
      const { isConnected, isInTransaction } = this;
      if (isConnected) await this.#rollback();
      if (fate === 'detached') this.letGo();
      else if (isInTransaction) this.#tracking?.work.undo.rolledBack();
      return isConnected;
    });
  }

  async #rollback(): Promise<void> {
    await this.#tell('BeforeTransactionRollback');
    await this.block.queue.idle();
    await this.runner.rollback();
  }

  /** As in SQLAlchemy, a flush that failed is undone at once; until `rollback()` nothing else is accepted. */
  async undoFlush(error: unknown): Promise<void> {
    const { nested, state } = this;
    const { depth } = nested;
    const reason = 'a flush failed, and was rolled back';
    try {
      if (depth > 0 && state.canRollBackTo(depth)) {
        await nested.undoInnermost();
        state.spoil({ state: 'failed', reason, error }, depth);
        return;
      }
      if (this.isConnected) await this.#rollback();
    } catch (later) {
      suppress(error, later);
    }
    this.#tracking?.work.undo.rolledBack();
    state.spoil({ state: 'gone', reason, error }, 0);
  }

  /** The session tracks nothing any more. */
  letGo(): void {
    this.#tracking?.work.close();
  }

  /** Gives the connection up at once, whatever is going on there. */
  discard(reason: unknown): void {
    this.#runner?.discard(reason);
    this.letGo();
    this.#over();
  }

  /** True when nothing runs, waits, or is still being read. */
  get isIdle(): boolean {
    return this.turns.isIdle;
  }

  /** The work has returned. False when it asked for something without waiting. */
  settle(): boolean {
    this.pending.settle();
    return this.isIdle;
  }

  settled(): Promise<void> {
    return this.turns.settled();
  }

  agreeOn(isolation: string | undefined): void {
    this.#options.agreeOn(isolation, this.isConnected ? this.runner.options : undefined);
  }

  /** A transaction that runs cannot take other options any more. */
  refuseOther(asked: TransactionOptions): void {
    if (this.isConnected) refuseOther(asked, this.runner.options);
  }

  // --- inner parts ---

  /** @param change - returns whether there was a connection, whose end subscribers are told of */
  async #change(name: string, event: DecidedEvent, change: () => Promise<boolean>): Promise<void> {
    let hadConnection = false;
    await this.turns.exclusively(name, async () => {
      hadConnection = await change();
      this.#over();
    });
    if (hadConnection) await this.#tell(event);
  }

  #over(): void {
    this.nested.closeAll();
    this.turns.endHandles();
    this.#options.clear();
    this.state.reset();
  }

  async #tell(event: DecidedEvent): Promise<void> {
    if (this.engine.hasSubscribers)
      await tellDecided(event, this.runner.runner, this.label, this.settings.warn);
  }
}
