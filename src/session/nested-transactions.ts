/** The savepoints of a transaction: a stack on the server, opened as blocks (`fn`) or as handles. */
import type { EntityManager } from 'typeorm';
import type { NestedWork } from '../engine/index.js';
import { IllegalStateChangeError, suppress, TransactionClosedError } from '../errors.js';
import { runInFrame } from '../scope/index.js';
import type { AskedOptions } from './agreed-options.js';
import { Savepoint } from './savepoint.js';
import type { TrackedObjects } from './tracked-objects.js';
import type { TransactionHooks } from './transaction-hooks.js';
import type { TransactionState } from './transaction-state.js';
import { WorkBlock } from './work-block.js';

/** The transaction that the savepoints are in. */
export interface Whole {
  readonly state: TransactionState;
  /** The part of the work that the running code is in. */
  readonly block: WorkBlock;
  admit<T>(use: () => Promise<T>): Promise<T>;
  inTurn<T>(use: () => Promise<T>): Promise<T>;
  agree(asked: AskedOptions): void;
  readonly manager: EntityManager;
  refuseAfterEnd(): void;
  commit(): Promise<void>;
  rollback(): Promise<void>;
  /** Sends at once, in the caller's turn. */
  send(sql: string): Promise<unknown>;
  /** What the session tracks. */
  readonly objects: TrackedObjects;
  /** Undefined where nobody has registered one. */
  readonly startedHooks: TransactionHooks | undefined;
  /** TypeORM reads on the runner how deep it is. */
  showDepth(depth: number): void;
}

const IN_FLUSH =
  "A savepoint that stays open can't be opened here; flush() is already in progress. Use beginNested(fn).";

/** Shared by all transactions that have none. */
const NONE: readonly Savepoint[] = [];

export class NestedTransactions implements NestedWork {
  #open: readonly Savepoint[] = NONE;
  #count = 0;

  constructor(private readonly transaction: Whole) {}

  get depth(): number {
    return this.#open.length;
  }

  /** The savepoint that the running code is behind. */
  get around(): Savepoint | undefined {
    return this.transaction.block.savepointAround;
  }

  /** The number of a savepoint; 0, the whole, where there is none or it has ended. */
  depthOf(savepoint: Savepoint | undefined): number {
    return savepoint === undefined ? 0 : this.#open.indexOf(savepoint) + 1;
  }

  /** Stores what is not stored yet; throws where the savepoint (left out: the one around the code) could not be kept. */
  async prepareRelease(savepoint = this.around): Promise<void> {
    if (savepoint !== undefined) await this.transaction.inTurn(() => this.#prepareRelease(savepoint));
  }

  async #prepareRelease(savepoint: Savepoint): Promise<void> {
    const { objects, state } = this.transaction;
    state.refuseSpoilt();
    state.refuseFailedInside(this.depthOf(savepoint));
    await objects.flushInTurn();
  }

  /** Opens a savepoint that stays until its handle, or one around it, ends. */
  async open(isolation?: string): Promise<Savepoint> {
    const { block } = this.transaction;
    if (block.isFlushing) throw new IllegalStateChangeError(IN_FLUSH);
    return this.transaction.admit(async () => {
      const savepoint = await this.#begin(isolation);
      block.opened(savepoint);
      return savepoint;
    });
  }

  // --- TypeORM's words for it ---

  async start(isolation?: string): Promise<void> {
    await this.open(isolation);
  }

  async commitInnermost(): Promise<void> {
    this.transaction.refuseAfterEnd();
    const { block } = this.transaction;
    const { innermost } = block;
    return innermost === undefined ? this.transaction.commit() : this.commit(innermost, block);
  }

  async rollbackInnermost(): Promise<void> {
    this.transaction.refuseAfterEnd();
    const { block } = this.transaction;
    const { innermost } = block;
    return innermost === undefined ? this.transaction.rollback() : this.rollback(innermost, block);
  }

  runManaged<T>(isolation: string | undefined, run: (manager: EntityManager) => Promise<T>): Promise<T> {
    return this.run(() => run(this.transaction.manager), isolation);
  }

  // --- blocks and handles ---

  /** Runs `work` behind a savepoint: calls from inside take turns among themselves, everybody else waits. */
  async run<T>(work: () => Promise<T>, isolation?: string): Promise<T> {
    return this.#thenTell(() => this.#run(work, isolation));
  }

  async #run<T>(work: () => Promise<T>, isolation: string | undefined): Promise<T> {
    const { transaction } = this;
    const around = transaction.block;
    return transaction.admit(async () => {
      const savepoint = await this.#begin(isolation);
      const block = new WorkBlock('nested', around, savepoint);
      const finish = async (): Promise<void> => {
        await block.queue.idle();
        block.isOpen = false;
      };
      try {
        const result = await runInFrame(transaction, block, work);
        await finish();
        await this.#release(savepoint);
        return result;
      } catch (error) {
        await finish();
        await this.#rollBack(savepoint).catch((later: unknown) => suppress(error, later));
        throw error;
      }
    });
  }

  commit(savepoint: Savepoint, block: WorkBlock): Promise<void> {
    return this.#endHandle('commit()', savepoint, block, () => this.#release(savepoint));
  }

  rollback(savepoint: Savepoint, block: WorkBlock): Promise<void> {
    return this.#endHandle('rollback()', savepoint, block, () => this.#rollBack(savepoint));
  }

  /** The transaction is over, and with it all of them. */
  closeAll(): void {
    if (this.#open === NONE) return;
    for (const savepoint of this.#open) savepoint.isOpen = false;
    this.#open = NONE;
  }

  async #endHandle(
    name: string,
    savepoint: Savepoint,
    block: WorkBlock,
    end: () => Promise<void>,
  ): Promise<void> {
    if (this.transaction.block.isInside(block)) {
      throw new IllegalStateChangeError(
        `${name} can't be called here; a beginNested(fn) inside it is in progress.`,
      );
    }
    return this.#thenTell(() =>
      this.transaction.inTurn(async () => {
        if (!savepoint.isOpen)
          throw new TransactionClosedError('This transaction is closed: it or one around it has ended.');
        await end();
        block.ended(savepoint);
      }),
    );
  }

  /** Hooks are called when the turn is free again, for they may use the session. */
  async #thenTell<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } finally {
      await this.transaction.startedHooks?.tell();
    }
  }

  async #begin(isolation: string | undefined): Promise<Savepoint> {
    this.transaction.agree({ isolation });
    // What was changed before it is not undone with it.
    await this.transaction.objects.flushInTurn();
    const savepoint = new Savepoint(`ss_${(this.#count += 1)}`);
    await this.transaction.send(`SAVEPOINT ${savepoint.name}`);
    this.#open = [...this.#open, savepoint];
    this.transaction.objects.opened();
    this.#showDepth();
    return savepoint;
  }

  async #release(savepoint: Savepoint): Promise<void> {
    const number = this.depthOf(savepoint);
    await this.#prepareRelease(savepoint);
    await this.transaction.send(`RELEASE SAVEPOINT ${savepoint.name}`);
    this.transaction.objects.released(number);
    this.transaction.startedHooks?.released(number);
    this.#close(savepoint);
  }

  /** Where the server has lost the whole transaction there is no savepoint to go back to. */
  async #rollBack(savepoint: Savepoint): Promise<void> {
    const { state } = this.transaction;
    const number = this.depthOf(savepoint);
    const canRollBack = number > 0 && state.canRollBackTo(number);
    this.#close(savepoint);
    if (!canRollBack) return;
    if (!savepoint.isUndone) await this.#undo(savepoint);
    this.transaction.objects.rolledBackTo(number);
    this.transaction.startedHooks?.rolledBackTo(number);
    state.rolledBackTo(number);
  }

  /** A flush failed: the innermost savepoint is rolled back at once, and its owner will do it once more. */
  async undoInnermost(): Promise<void> {
    const savepoint = this.#open.at(-1)!;
    await this.#undo(savepoint);
    savepoint.isUndone = true;
    this.transaction.objects.rolledBackTo(this.#open.length);
  }

  async #undo(savepoint: Savepoint): Promise<void> {
    try {
      await this.transaction.send(`ROLLBACK TO SAVEPOINT ${savepoint.name}`);
    } catch (error) {
      // What it was to undo is still there, and must not be committed.
      this.transaction.state.spoil(
        { state: 'gone', reason: 'a savepoint could not be rolled back', error },
        0,
      );
      throw error;
    }
  }

  /** A savepoint ends together with everything opened after it. */
  #close(savepoint: Savepoint): void {
    const place = this.#open.indexOf(savepoint);
    if (place === -1) return;
    for (const ended of this.#open.slice(place)) ended.isOpen = false;
    this.#open = place === 0 ? NONE : this.#open.slice(0, place);
    this.#showDepth();
  }

  #showDepth(): void {
    this.transaction.showDepth(this.#open.length + 1);
  }
}
