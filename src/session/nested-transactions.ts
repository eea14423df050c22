/** The savepoints of a transaction: a stack on the server, opened as blocks (`fn`) or as handles. */
import { IllegalStateChangeError, suppress, TransactionClosedError } from '../errors.js';
import { runInFrame } from '../scope/index.js';
import { Savepoint } from './savepoint.js';
import type { TransactionState } from './transaction-state.js';
import { WorkBlock } from './work-block.js';

/** The transaction that the savepoints are in. */
export interface Whole {
  readonly state: TransactionState;
  /** The part of the work that the running code is in. */
  readonly block: WorkBlock;
  admit<T>(use: () => Promise<T>): Promise<T>;
  inTurn<T>(use: () => Promise<T>): Promise<T>;
  agreeOn(isolation: string | undefined): void;
  /** Sends at once, in the caller's turn. */
  send(sql: string): Promise<unknown>;
  /** TypeORM reads on the runner how deep it is. */
  showDepth(depth: number): void;
}

export class NestedTransactions {
  readonly #open: Savepoint[] = [];
  #count = 0;

  constructor(private readonly transaction: Whole) {}

  get depth(): number {
    return this.#open.length;
  }

  /** Opens a savepoint that stays until its handle, or one around it, ends. */
  async open(isolation?: string): Promise<Savepoint> {
    const { block } = this.transaction;
    return this.transaction.admit(async () => {
      const savepoint = await this.#begin(isolation);
      block.handles.push(savepoint);
      return savepoint;
    });
  }

  /** Runs `work` behind a savepoint: calls from inside take turns among themselves, everybody else waits. */
  async run<T>(work: () => Promise<T>, isolation?: string): Promise<T> {
    const { transaction } = this;
    const around = transaction.block;
    return transaction.admit(async () => {
      const savepoint = await this.#begin(isolation);
      const block = new WorkBlock('nested', around);
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
    for (const savepoint of this.#open.splice(0)) savepoint.isOpen = false;
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
    return this.transaction.inTurn(async () => {
      if (!savepoint.isOpen)
        throw new TransactionClosedError('This transaction is closed: it or one around it has ended.');
      await end();
      const place = block.handles.indexOf(savepoint);
      if (place !== -1) block.handles.length = place;
    });
  }

  async #begin(isolation: string | undefined): Promise<Savepoint> {
    this.transaction.agreeOn(isolation);
    const savepoint = new Savepoint(`ss_${(this.#count += 1)}`);
    await this.transaction.send(`SAVEPOINT ${savepoint.name}`);
    this.#open.push(savepoint);
    this.#showDepth();
    return savepoint;
  }

  async #release(savepoint: Savepoint): Promise<void> {
    this.transaction.state.refuseSpoilt();
    await this.transaction.send(`RELEASE SAVEPOINT ${savepoint.name}`);
    this.#close(savepoint);
  }

  /** Where the server has lost the whole transaction there is no savepoint to go back to. */
  async #rollBack(savepoint: Savepoint): Promise<void> {
    const { state } = this.transaction;
    const number = this.#open.indexOf(savepoint) + 1;
    const canRollBack = number > 0 && state.canRollBackTo(number);
    this.#close(savepoint);
    if (!canRollBack) return;
    try {
      await this.transaction.send(`ROLLBACK TO SAVEPOINT ${savepoint.name}`);
    } catch (error) {
      // What it was to undo is still there, and must not be committed.
      state.spoil({ state: 'gone', reason: 'a savepoint could not be rolled back', error }, 0);
      throw error;
    }
    state.rolledBackTo();
  }

  /** A savepoint ends together with everything opened after it. */
  #close(savepoint: Savepoint): void {
    const place = this.#open.indexOf(savepoint);
    if (place === -1) return;
    for (const ended of this.#open.splice(place)) ended.isOpen = false;
    this.#showDepth();
  }

  #showDepth(): void {
    this.transaction.showDepth(this.#open.length + 1);
  }
}
