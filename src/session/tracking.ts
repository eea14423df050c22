/** The unit of work of one session: flushed in the session's turns, and undone together with its transaction. */
import type { EntityManager, QueryRunner } from 'typeorm';
import { FlushError, IllegalStateChangeError } from '../errors.js';
import { currentFrame, runInFrame } from '../scope/index.js';
import {
  type BulkRow,
  ChangeLog,
  type Changes,
  concernsUnflushed,
  dataSourceOf,
  FollowedWrites,
  FollowingBroadcaster,
  flush,
  IDENTITY,
  Merge,
  NO_CHANGES,
  storeRows,
  TRACKS_EVERYTHING,
  trackingManager,
  UnitOfWork,
} from '../unit-of-work/index.js';
import type { Warn } from './session-options.js';
import type { ModelSignals } from './model-signals.js';
import type { TrackedObjects } from './tracked-objects.js';
import type { TransactionState } from './transaction-state.js';
import type { TransactionHooks } from './transaction-hooks.js';
import type { Turns } from './turns.js';
import { WorkBlock } from './work-block.js';

/** The transaction, as far as its objects are concerned. */
export interface TrackedTransaction {
  readonly label: string;
  readonly turns: Turns;
  readonly state: TransactionState;
  readonly savepoints: number;
  readonly tracksEverything: boolean;
  readonly storesByItself: boolean;
  readonly warn: Warn;
  readonly queryRunner: QueryRunner;
  readonly hooks: TransactionHooks;
  /** A flush failed: what it did is rolled back at once. */
  undoFlush(error: unknown): Promise<void>;
}

/** How what is tracked is stored, and whether it is written down. */
export interface TrackingSettings {
  readonly autoflush: boolean;
  readonly trackModifications: boolean;
  /** Whoever is told of what a COMMIT stores. */
  readonly signals: ModelSignals;
}

/** As many as SQLAlchemy allows. */
const MOST_FLUSHES = 100;
const NO_AUTOFLUSH = Object.freeze({});

export class Tracking implements TrackedObjects {
  readonly work: UnitOfWork;
  /** Loads objects that are tracked. */
  readonly manager: EntityManager;
  autoflush: boolean;
  /** What flushes have stored, where somebody is told. */
  readonly changes: Changes;
  /** What TypeORM stores past them. */
  readonly #writes = new FollowedWrites(this);

  constructor(
    private readonly transaction: TrackedTransaction,
    { autoflush, signals, trackModifications }: TrackingSettings,
  ) {
    const { queryRunner, savepoints } = transaction;
    const dataSource = dataSourceOf(queryRunner.manager);
    this.autoflush = autoflush;
    this.changes = trackModifications
      ? new ChangeLog((stored) =>
          signals.follow(transaction.hooks, stored, transaction.label, transaction.warn),
        )
      : NO_CHANGES;
    this.work = new UnitOfWork(dataSource, queryRunner);
    this.manager = trackingManager(dataSource, queryRunner);
    Object.assign(queryRunner, {
      [IDENTITY]: this.work.map,
      broadcaster: new FollowingBroadcaster(queryRunner, this.#writes),
    });
    Object.defineProperty(queryRunner, TRACKS_EVERYTHING, { get: () => transaction.tracksEverything });
    for (let open = 0; open < savepoints; open += 1) this.opened();
  }

  /** The running code is a part of a flush. */
  get isFlushing(): boolean {
    return this.transaction.turns.block.isFlushing;
  }

  /** Repositories and managers track too. */
  get tracksEverything(): boolean {
    return this.transaction.tracksEverything;
  }

  /** Whether a flush may have something to send. */
  get isDirty(): boolean {
    return concernsUnflushed(this.work.map);
  }

  /** What objects are told is a use of the session, as SQLAlchemy's autobegin has it. */
  touch(): UnitOfWork {
    const { state, turns } = this.transaction;
    state.refuseAfterEnd(turns.block.isEnding);
    state.enter();
    return this.work;
  }

  async merge<E extends object>(entity: E, { load = true }: { readonly load?: boolean }): Promise<E> {
    // What it is compared with must be what is stored.
    if (load && this.isConcernedBy()) await this.flush();
    const merge = new Merge(this.work, this.manager, load);
    return this.withoutAutoflush(() => merge.merge(entity)) as Promise<E>;
  }

  async flush(): Promise<void> {
    this.#refuseStoring('flush()');
    if (!this.isDirty) return;
    const { state, turns } = this.transaction;
    await turns.inTurn(async () => {
      state.refuseSpoilt();
      // What came first may have stored it: there is nothing to begin a transaction for.
      if (!this.isDirty) return;
      state.enter();
      await this.flushInTurn();
    });
  }

  /** Sends rows that no tracked object stands for; when that fails it is undone as a flush is. */
  async bulk(name: string, rows: readonly BulkRow[], returnDefaults: boolean): Promise<void> {
    this.#refuseStoring(name);
    const { queryRunner, turns } = this.transaction;
    if (rows.length === 0) return;
    await turns.admit(() => this.#store(() => storeRows(queryRunner, rows, returnDefaults)));
  }

  /** For whoever has the turn already. Returns whether anything was sent. */
  async flushInTurn(): Promise<boolean> {
    if (!this.isDirty) return false;
    const { queryRunner, warn } = this.transaction;
    const { map, undo } = this.work;
    const flushed = await this.#store(() => flush(map, queryRunner, { warn }));
    if (flushed === undefined) return false;
    undo.record(flushed);
    this.changes.record(flushed);
    return true;
  }

  /** Until nothing is left: what subscribers add belongs to the transaction too. */
  async flushAll(): Promise<void> {
    for (let count = 0; count < MOST_FLUSHES; count += 1) {
      // One after the other. oxlint-disable-next-line no-await-in-loop
      if (!(await this.flushInTurn())) return;
    }
    throw new FlushError(
      `${MOST_FLUSHES} flushes before the COMMIT of ${this.transaction.label} each left something to flush. Does a subscriber ` +
        'change what it is told of?',
    );
  }

  /** A statement is about to be sent; where it writes past the objects, they follow. */
  isToFlushBefore(sql: string | undefined, parameters: unknown): boolean {
    if (sql !== undefined && !this.isFlushing) this.#writes.sent(sql, parameters);
    return this.isConcernedBy(sql);
  }

  /** Whether a statement may have to see what was not flushed yet. */
  isConcernedBy(sql?: string): boolean {
    const { state, storesByItself, turns } = this.transaction;
    const isOff = !this.autoflush || !storesByItself || currentFrame(this) === NO_AUTOFLUSH;
    if (isOff || !state.isActive || this.work.map.size === 0 || turns.block.isFlushing) return false;
    return concernsUnflushed(this.work.map, sql);
  }

  opened(): void {
    this.work.undo.opened();
    this.changes.opened();
  }

  released(number: number): void {
    this.work.undo.released(number);
    this.changes.released(number);
  }

  rolledBackTo(number: number): void {
    this.work.undo.rolledBackTo(number);
    this.changes.rolledBackTo(number);
  }

  async #store<T>(send: () => Promise<T>): Promise<T> {
    const { turns } = this.transaction;
    try {
      return await turns.inBlock(new WorkBlock('flush', turns.block), send);
    } catch (error) {
      await this.transaction.undoFlush(error);
      throw error;
    }
  }

  #refuseStoring(name: string): void {
    const { state, turns } = this.transaction;
    if (turns.block.isFlushing)
      throw new IllegalStateChangeError(`${name} can't be called here; the session is already flushing.`);
    state.refuseAfterEnd(turns.block.isEnding);
    state.refuseSpoilt();
  }

  /** Calls from inside `fn` do not flush before they ask. */
  withoutAutoflush<T>(fn: () => T): T {
    return runInFrame(this, NO_AUTOFLUSH, fn);
  }
}
