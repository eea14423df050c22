/** A session's transaction: the order of its statements, its savepoints' place, its commit and its rollback. */
import type { EntityManager, QueryRunner } from 'typeorm';
import {
  type BeginSettings,
  type Engine,
  type LeaseOwner,
  LeaseSlot,
  type Persistence,
  type RunnerOwner,
  type Spoilt,
  type TransactionOptions,
  TransactionRunner,
} from '../engine/index.js';
import { trackedBuilder } from '../unit-of-work/index.js';
import { AgreedOptions, type AskedOptions, refuseOther } from './agreed-options.js';
import { NestedTransactions, type Whole } from './nested-transactions.js';
import { PendingWork } from './pending-work.js';
import { noteFailure } from './retryable.js';
import { optionsOf } from './scope-options.js';
import { type CommitOptions, type EndingTransaction, type Fate, TransactionEnd } from './transaction-end.js';
import type { Warn } from './session-options.js';
import { NO_OBJECTS, type TrackedObjects } from './tracked-objects.js';
import type { TransactionSettings } from './transaction-settings.js';
import { TransactionHooks } from './transaction-hooks.js';
import { TransactionState } from './transaction-state.js';
import { type TrackedTransaction, Tracking } from './tracking.js';
import { Turns } from './turns.js';
import { persist } from './typeorm-writes.js';
import type { WorkBlock } from './work-block.js';

export class Transaction implements RunnerOwner, TrackedTransaction, EndingTransaction, Whole {
  readonly state: TransactionState;
  readonly turns: Turns;
  readonly nested = new NestedTransactions(this);
  readonly pending = new PendingWork();
  readonly leaseSlot = new LeaseSlot();
  /** The session, for the garbage collector's eyes only. */
  session: object | undefined;
  #runner: TransactionRunner | undefined;
  #tracking: Tracking | undefined;
  #hooks: TransactionHooks | undefined;
  readonly #options: AgreedOptions;
  /** Its prepare, commit and rollback. */
  readonly end = new TransactionEnd(this);

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
    if (this.#runner !== undefined) return this.#runner;
    this.#runner = new TransactionRunner(this.engine, this, this.settings.recorder);
    if (this.settings.unitOfWork === 'everything') void this.tracking;
    return this.#runner;
  }

  /** Made when the session first tracks something. */
  get tracking(): Tracking {
    return (this.#tracking ??= new Tracking(this, this.settings));
  }

  /** Undefined as long as the session tracks nothing. */
  get startedTracking(): Tracking | undefined {
    return this.#tracking;
  }

  /** Made when the application first registers one. */
  get hooks(): TransactionHooks {
    return (this.#hooks ??= new TransactionHooks(this));
  }

  /** Undefined where nobody has registered one. */
  get startedHooks(): TransactionHooks | undefined {
    return this.#hooks;
  }

  /** A flush has its objects in hand: a savepoint inside it is for what else is sent there. */
  get objects(): TrackedObjects {
    return this.#tracking === undefined || this.block.isFlushing ? NO_OBJECTS : this.#tracking;
  }

  /** False where objects are loaded as TypeORM loads them. */
  get tracks(): boolean {
    return this.settings.unitOfWork !== 'off' && this.transactionOptions().readOnly !== true;
  }

  /** True where repositories and managers track too. */
  get tracksEverything(): boolean {
    return this.settings.unitOfWork === 'everything' && this.tracks;
  }

  /** False where only `flush()`, `commit()` and savepoints store what was changed. */
  get storesByItself(): boolean {
    return optionsOf(this.settings.scope).storesByItself ?? true;
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
  admitStatement<T>(sql: string | undefined, send: () => Promise<T>, parameters?: unknown): Promise<T> {
    const tracking = this.#tracking;
    if (tracking?.isToFlushBefore(sql, parameters) !== true) return this.turns.admit(send);
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

  built = trackedBuilder;

  persist<T>(asked: Persistence, plain: () => Promise<T>): Promise<T> {
    return this.settings.recorder.asking(() => persist(this.#tracking, asked, plain))();
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

  commit(options: CommitOptions = {}): Promise<void> {
    return this.end.commit(options);
  }

  /** The first half of a commit: hooks are asked, and what is not stored yet is stored. */
  async prepare(flushes: boolean): Promise<void> {
    if (this.#tracking !== undefined || this.#hooks !== undefined) await this.end.prepare(flushes);
  }

  /** Rolls the whole transaction back; without one nothing happens. */
  rollback(name = 'rollback()', fate: Fate = 'expired'): Promise<void> {
    return this.end.rollback(name, fate);
  }

  undoFlush(error: unknown): Promise<void> {
    this.pending.failed(error);
    return this.end.undoFlush(error);
  }

  clearOptions(): void {
    this.#options.clear();
  }

  /** The session tracks nothing any more. */
  letGo(): void {
    this.#tracking?.work.close();
  }

  /** Gives the connection up at once, whatever is going on there. */
  discard(reason: unknown): void {
    this.#runner?.discard(reason);
    this.letGo();
    this.end.over(this.state.fate);
  }

  agree(asked: AskedOptions): void {
    this.#options.agree(asked, this.isConnected ? this.runner.options : undefined);
  }

  /** A transaction that runs cannot take other options any more. */
  refuseOther(asked: TransactionOptions): void {
    if (this.isConnected) refuseOther(asked, this.runner.options);
  }
}
