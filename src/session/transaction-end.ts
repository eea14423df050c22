/** How a transaction ends: its objects are stored or let go, then the server is told, then subscribers are. */
import type { QueryRunner } from 'typeorm';
import type { Engine, TransactionRunner } from '../engine/index.js';
import { type Outcome, suppress } from '../errors.js';
import type { NestedTransactions } from './nested-transactions.js';
import type { Tracking } from './tracking.js';
import { beforeCommit, type DecidedEvent, tellDecided } from './transaction-events.js';
import type { TransactionHooks } from './transaction-hooks.js';
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
  /** Whether hooks are told at once of what became of it. Default true. */
  readonly tells?: boolean;
}

/** What becomes of the session's objects in a rollback: they are expired, or the session lets go of them. */
export type Fate = 'expired' | 'detached';

/** What became of the transaction. */
interface Change {
  /** Subscribers are told of the end of what was begun. */
  readonly hadConnection: boolean;
  readonly outcome: Outcome;
}

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
  readonly startedHooks: TransactionHooks | undefined;
  clearOptions(): void;
}

export class TransactionEnd {
  constructor(private readonly transaction: EndingTransaction) {}

  async commit(options: CommitOptions): Promise<void> {
    const { settings } = this.transaction;
    const { flushes = true, expires = settings.expireOnCommit, tells = true } = options;
    const change = async (): Promise<Change> => {
      await this.#prepare(flushes);
      // A hook may have decided otherwise.
      this.transaction.state.refuseCommit();
      const { isConnected, startedTracking } = this.transaction;
      if (isConnected) await this.#commit({ ...options, flushes });
      startedTracking?.work.committed(expires);
      return { hadConnection: isConnected, outcome: 'committed' };
    };
    await this.#change('commit()', 'AfterTransactionCommit', change, tells);
  }

  /** The first half of a commit: hooks are asked, and everything is stored that is not stored yet. */
  async prepare(flushes: boolean): Promise<void> {
    await this.transaction.turns.exclusively('commit()', () => this.#prepare(flushes));
  }

  /** The first of two phases. Where nothing was begun nothing is prepared. */
  async prepareBranch({ flushes = true, lastCheck }: CommitOptions = {}): Promise<void> {
    await this.transaction.turns.exclusively('prepare()', async () => {
      const { state } = this.transaction;
      await this.#prepare(flushes);
      state.refuseCommit();
      if (!this.transaction.isConnected || !this.transaction.runner.isBranch || state.isPrepared) return;
      try {
        await this.#lastLook(flushes, lastCheck);
        await this.transaction.runner.prepare();
        state.prepared();
      } catch (error) {
        state.commitFailed(error, this.transaction.isConnected);
        throw error;
      }
    });
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
      return { hadConnection: isConnected, outcome: this.transaction.state.fate };
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
  over(outcome: Outcome): void {
    const { nested, startedHooks, startedTracking, turns, state } = this.transaction;
    startedTracking?.changes.ended();
    startedHooks?.ended(outcome);
    nested.closeAll();
    turns.endHandles();
    this.transaction.clearOptions();
    state.reset();
  }

  async #prepare(flushes: boolean): Promise<void> {
    const { state } = this.transaction;
    state.refuseCommit();
    if (state.isPrepared) return;
    if (flushes) await this.#flushAll();
    // What was flushed may have been the first that somebody is to be told of.
    const { startedHooks } = this.transaction;
    if (startedHooks === undefined) return;
    try {
      await startedHooks.beforeCommit();
    } catch (error) {
      // It is not asked again, so that whoever catches the error must not commit without it.
      state.failedInside(error, 0);
      throw error;
    }
    if (flushes) await this.#flushAll();
  }

  async #commit({ lastCheck, flushes }: CommitOptions): Promise<void> {
    const { runner, state } = this.transaction;
    try {
      if (!state.isPrepared) await this.#lastLook(flushes === true, lastCheck);
      state.commitSent();
      await runner.commit();
    } catch (error) {
      state.commitFailed(error, this.transaction.isConnected);
      throw error;
    }
  }

  /** Subscribers may still send something; then everything was sent, and the server has not lost it. */
  async #lastLook(flushes: boolean, lastCheck: (() => void) | undefined): Promise<void> {
    const { engine, queryRunner, runner, state, turns } = this.transaction;
    if (engine.hasSubscribers) {
      await beforeCommit(queryRunner);
      if (flushes) await this.#flushAll();
    }
    const { queue } = turns.block;
    if (!queue.isIdle) await queue.idle();
    runner.confirm();
    state.refuseCommit();
    lastCheck?.();
  }

  #flushAll(): Promise<void> | undefined {
    return this.transaction.startedTracking?.flushAll();
  }

  async #change(
    name: string,
    event: DecidedEvent,
    change: () => Promise<Change>,
    tells = true,
  ): Promise<void> {
    let hadConnection = false;
    await this.transaction.turns.exclusively(name, async () => {
      const changed = await change();
      ({ hadConnection } = changed);
      this.over(changed.outcome);
    });
    if (hadConnection) await this.#tell(event);
    const { startedHooks, state } = this.transaction;
    // Of a whole unit of work that ends they are called outside of it, by whoever ends it.
    if (tells && startedHooks !== undefined && !state.isSealed) await startedHooks.tell();
  }

  async #tell(event: DecidedEvent): Promise<void> {
    const { engine, label, queryRunner, settings } = this.transaction;
    if (engine.hasSubscribers) await tellDecided(event, queryRunner, label, settings.warn);
  }
}
