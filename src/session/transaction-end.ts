/** How a transaction ends: its objects are stored or let go, then the server is told, then subscribers are. */
import type { QueryRunner } from 'typeorm';
import type { Engine, TransactionRunner } from '../engine/index.js';
import { suppress } from '../errors.js';
import type { ModelChange } from '../unit-of-work/index.js';
import type { NestedTransactions } from './nested-transactions.js';
import type { Tracking } from './tracking.js';
import { beforeCommit, type DecidedEvent, tellDecided } from './transaction-events.js';
import type { TransactionSettings } from './transaction-settings.js';
import type { TransactionState } from './transaction-state.js';
import type { Turns } from './turns.js';

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

/** The transaction, as far as its end is concerned. */
export interface EndingTransaction {
  readonly label: string;
  readonly engine: Engine;
  readonly settings: TransactionSettings;
  readonly state: TransactionState;
  readonly turns: Turns;
  readonly nested: NestedTransactions;
  readonly runner: TransactionRunner;
  readonly queryRunner: QueryRunner;
  readonly isConnected: boolean;
  readonly isInTransaction: boolean;
  readonly startedTracking: Tracking | undefined;
  clearOptions(): void;
}

export class TransactionEnd {
  constructor(private readonly transaction: EndingTransaction) {}

  async commit(options: CommitOptions): Promise<void> {
    const { state, settings } = this.transaction;
    const { flushes = true, expires = settings.expireOnCommit } = options;
    let stored: readonly ModelChange[] = [];
    await this.#change('commit()', 'AfterTransactionCommit', async () => {
      state.refuseCommit();
      if (flushes) await this.#flushAll();
      const { isConnected, startedTracking } = this.transaction;
      if (isConnected) await this.#commit({ ...options, flushes });
      startedTracking?.work.committed(expires);
      stored = startedTracking?.changes.list() ?? stored;
      return isConnected;
    });
    await settings.signals.tellCommitted(stored, this.transaction.label, settings.warn);
  }

  /** Stores everything that is not stored yet, as the first half of a commit. */
  async prepare(): Promise<void> {
    await this.transaction.turns.exclusively('commit()', async () => this.#flushAll());
  }

  async rollback(name: string, fate: Fate): Promise<void> {
    await this.#change(name, 'AfterTransactionRollback', async () => {
      const { isConnected, isInTransaction, startedTracking } = this.transaction;
      if (isConnected) {
        await this.#tell('BeforeTransactionRollback');
        await this.transaction.turns.block.queue.idle();
        await this.transaction.runner.rollback();
      }
      if (fate === 'detached') startedTracking?.work.close();
      else if (isInTransaction) startedTracking?.work.undo.rolledBack();
      return isConnected;
    });
  }

  /** As in SQLAlchemy, a flush that failed is undone at once; until `rollback()` nothing else is accepted. */
  async undoFlush(error: unknown): Promise<void> {
    const { isConnected, nested, startedTracking, state } = this.transaction;
    const { depth } = nested;
    const reason = 'a flush failed, and was rolled back';
    try {
      if (depth > 0 && state.canRollBackTo(depth)) {
        await nested.undoInnermost();
        state.spoil({ state: 'failed', reason, error }, depth);
        return;
      }
      if (isConnected) await this.transaction.runner.rollback();
    } catch (later) {
      suppress(error, later);
    }
    startedTracking?.work.undo.rolledBack();
    state.spoil({ state: 'gone', reason, error }, 0);
  }

  /** The next transaction starts afresh. */
  over(): void {
    const { nested, startedTracking, turns, state } = this.transaction;
    startedTracking?.changes.clear();
    nested.closeAll();
    turns.endHandles();
    this.transaction.clearOptions();
    state.reset();
  }

  async #commit({ lastCheck, flushes }: CommitOptions): Promise<void> {
    const { engine, queryRunner, runner, settings, startedTracking, state, turns } = this.transaction;
    try {
      if (engine.hasSubscribers) {
        await beforeCommit(queryRunner);
        if (flushes === true) await this.#flushAll();
      }
      const isTold = await settings.signals.tellBefore(startedTracking?.changes.list() ?? []);
      if (isTold && flushes === true) await this.#flushAll();
      const { queue } = turns.block;
      if (!queue.isIdle) await queue.idle();
      runner.confirm();
      state.refuseCommit();
      lastCheck?.();
      state.commitSent();
      await runner.commit();
    } catch (error) {
      state.commitFailed(error, this.transaction.isConnected);
      throw error;
    }
  }

  #flushAll(): Promise<void> | undefined {
    return this.transaction.startedTracking?.flushAll();
  }

  /** @param change - returns whether there was a connection, whose end subscribers are told of */
  async #change(name: string, event: DecidedEvent, change: () => Promise<boolean>): Promise<void> {
    let hadConnection = false;
    await this.transaction.turns.exclusively(name, async () => {
      hadConnection = await change();
      this.over();
    });
    if (hadConnection) await this.#tell(event);
  }

  async #tell(event: DecidedEvent): Promise<void> {
    const { engine, label, queryRunner, settings } = this.transaction;
    if (engine.hasSubscribers) await tellDecided(event, queryRunner, label, settings.warn);
  }
}
