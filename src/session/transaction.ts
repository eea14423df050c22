/** A session's transaction: the order of its statements, its savepoints' place, its commit and its rollback. */
import type { EntityManager } from 'typeorm';
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
import { IllegalStateChangeError, TransactionClosedError } from '../errors.js';
import { currentFrame, runInFrame } from '../scope/index.js';
import { AgreedOptions, refuseOther } from './agreed-options.js';
import { NestedTransactions, type Whole } from './nested-transactions.js';
import { PendingWork } from './pending-work.js';
import { noteFailure } from './retryable.js';
import { beforeCommit, type DecidedEvent, tellDecided } from './transaction-events.js';
import type { StatementQueue } from './statement-queue.js';
import type { TransactionSettings } from './transaction-settings.js';
import { TransactionState } from './transaction-state.js';
import { WorkBlock } from './work-block.js';

const BLOCK_CLOSED = 'This transaction is closed: its block has returned. Await everything in it.';

export class Transaction implements RunnerOwner, Whole {
  readonly state: TransactionState;
  readonly nested = new NestedTransactions(this);
  readonly pending = new PendingWork();
  readonly leaseSlot = new LeaseSlot();
  /** The session, for the garbage collector's eyes only. */
  session: object | undefined;
  readonly #root = new WorkBlock('root');
  #runner: TransactionRunner | undefined;
  #changing: string | undefined;
  readonly #options: AgreedOptions;

  constructor(
    readonly engine: Engine,
    readonly settings: TransactionSettings,
  ) {
    this.state = new TransactionState(this, settings.autobegin, settings.scope);
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

  get isConnected(): boolean {
    return this.leaseSlot.lease !== undefined;
  }

  get hasWritten(): boolean {
    return this.#runner?.hasWritten === true;
  }

  /** The part of the work that the running code is in. */
  get block(): WorkBlock {
    return (currentFrame(this) as WorkBlock | undefined) ?? this.#root;
  }

  transactionOptions(): BeginSettings {
    return this.#options.current;
  }

  // --- what is sent ---

  async admit<T>(use: () => Promise<T>): Promise<T> {
    const queue = this.#openQueue();
    // A turn that is free is taken without waiting: most statements are awaited one by one.
    const turn = queue.enter();
    if (turn !== undefined) await turn;
    try {
      this.state.enter();
      return await use();
    } catch (error) {
      this.pending.failed(error);
      throw error;
    } finally {
      queue.leave();
    }
  }

  /** Waits for the turn in the caller's block. */
  async inTurn<T>(use: () => Promise<T>): Promise<T> {
    return this.#openQueue().run(use);
  }

  #openQueue(): StatementQueue {
    const { block } = this;
    this.refuseAfterEnd();
    if (!block.isOpen) throw new TransactionClosedError(BLOCK_CLOSED);
    return block.queue;
  }

  get manager(): EntityManager {
    return this.runner.runner.manager;
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
    this.state.refuseAfterEnd(this.block.kind === 'ending');
  }

  /** @param lastCheck - called when everything was sent and COMMIT is next; it throws to roll back instead */
  async commit(lastCheck: () => void = () => undefined): Promise<void> {
    await this.#change('commit()', 'AfterTransactionCommit', async () => {
      this.state.refuseCommit();
      if (!this.isConnected) return;
      try {
        if (this.engine.hasSubscribers) await beforeCommit(this.runner.runner);
        const { queue } = this.block;
        if (!queue.isIdle) await queue.idle();
        this.runner.confirm();
        this.state.refuseCommit();
        lastCheck();
        this.state.commitSent();
        await this.runner.commit();
      } catch (error) {
        this.state.commitFailed(error, this.isConnected);
        throw error;
      }
    });
  }

  /** Rolls the whole transaction back; without one nothing happens. */
  async rollback(name = 'rollback()'): Promise<void> {
    await this.#change(name, 'AfterTransactionRollback', async () => {
      if (!this.isConnected) return;
      await this.#tell('BeforeTransactionRollback');
      await this.block.queue.idle();
      await this.runner.rollback();
    });
  }

  /** Gives the connection up at once, whatever is going on there. */
  discard(reason: unknown): void {
    this.#runner?.discard(reason);
    this.#over();
  }

  /** True when nothing runs, waits, or is still being read. */
  get isIdle(): boolean {
    return this.#root.queue.isIdle && this.pending.isEmpty;
  }

  /** The work has returned. False when it asked for something without waiting. */
  settle(): boolean {
    this.pending.settle();
    return this.isIdle;
  }

  settled(): Promise<void> {
    return this.pending.settled(this.#root.queue);
  }

  agreeOn(isolation: string | undefined): void {
    this.#options.agreeOn(isolation, this.isConnected ? this.runner.options : undefined);
  }

  /** A transaction that runs cannot take other options any more. */
  refuseOther(asked: TransactionOptions): void {
    if (this.isConnected) refuseOther(asked, this.runner.options);
  }

  // --- inner parts ---

  /**
   * Changes of the whole transaction exclude each other, and cannot come from a part that the whole waits for. While one is
   * made, only what subscribers send from inside it is sent.
   */
  async #change(name: string, event: DecidedEvent, change: () => Promise<void>): Promise<void> {
    this.refuseChange(name);
    this.#changing = name;
    const ending = new WorkBlock('ending', this.#root);
    const { queue } = this.#root;
    const turn = queue.enter();
    if (turn !== undefined) await turn;
    const hadConnection = this.isConnected;
    try {
      await runInFrame(this, ending, change);
      this.#over();
    } finally {
      ending.isOpen = false;
      this.#changing = undefined;
      queue.leave();
    }
    if (hadConnection) await this.#tell(event);
  }

  /** Throws `SS_ERR_ILLEGAL_STATE_CHANGE` where the whole transaction cannot be changed now. */
  refuseChange(name: string): void {
    const { block } = this;
    const inProgress = block.kind === 'nested' && block.isOpen ? 'beginNested(fn)' : this.#changing;
    if (inProgress === undefined) return;
    throw new IllegalStateChangeError(`${name} can't be called here; ${inProgress} is already in progress.`);
  }

  #over(): void {
    this.nested.closeAll();
    this.#root.endAll();
    this.#options.clear();
    this.state.reset();
  }

  async #tell(event: DecidedEvent): Promise<void> {
    if (this.engine.hasSubscribers)
      await tellDecided(event, this.runner.runner, this.label, this.settings.warn);
  }
}
