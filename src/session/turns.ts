/** The turns of a transaction: one use of its connection after the other, and one change of the whole at a time. */
import { IllegalStateChangeError, TransactionClosedError } from '../errors.js';
import { currentFrame, runInFrame } from '../scope/index.js';
import type { PendingWork } from './pending-work.js';
import type { StatementQueue } from './statement-queue.js';
import type { TransactionState } from './transaction-state.js';
import { BLOCK_NAMES, WorkBlock } from './work-block.js';

const BLOCK_CLOSED = 'This transaction is closed: its block has returned. Await everything in it.';

export class Turns {
  readonly #root = new WorkBlock('root');
  #changing: string | undefined;

  constructor(
    private readonly transaction: object,
    private readonly state: TransactionState,
    private readonly pending: PendingWork,
  ) {}

  /** The part of the work that the running code is in. */
  get block(): WorkBlock {
    return (currentFrame(this.transaction) as WorkBlock | undefined) ?? this.#root;
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

  async admit<T>(use: () => Promise<T>): Promise<T> {
    const { block } = this;
    const queue = this.#openQueue();
    // A turn that is free is taken without waiting: most statements are awaited one by one.
    const turn = queue.enter();
    if (turn !== undefined) await turn;
    try {
      this.state.enter();
      return await use();
    } catch (error) {
      this.pending.failed(error, block.isEnding);
      throw error;
    } finally {
      queue.leave();
    }
  }

  /** Waits for the turn in the caller's block. */
  async inTurn<T>(use: () => Promise<T>): Promise<T> {
    return this.#openQueue().run(use);
  }

  /** Runs `work` in the turn that the caller has: what it sends takes turns among itself. */
  async inBlock<T>(block: WorkBlock, work: () => Promise<T>): Promise<T> {
    try {
      return await runInFrame(this.transaction, block, work);
    } finally {
      await block.queue.idle();
      block.isOpen = false;
    }
  }

  /**
   * Changes of the whole transaction exclude each other, and cannot come from a part that the whole waits for. While one is
   * made, only what is sent from inside it is sent.
   */
  async exclusively(name: string, change: () => Promise<void>): Promise<void> {
    this.refuseChange(name);
    this.#changing = name;
    const { queue } = this.#root;
    const turn = queue.enter();
    if (turn !== undefined) await turn;
    const ending = new WorkBlock('ending', this.#root);
    try {
      await runInFrame(this.transaction, ending, change);
    } finally {
      ending.isOpen = false;
      this.#changing = undefined;
      queue.leave();
    }
  }

  /** Throws `SS_ERR_ILLEGAL_STATE_CHANGE` where the whole transaction cannot be changed now. */
  refuseChange(name: string): void {
    const { block } = this;
    const inProgress = (block.isOpen ? BLOCK_NAMES[block.kind] : undefined) ?? this.#changing;
    if (inProgress === undefined) return;
    throw new IllegalStateChangeError(`${name} can't be called here; ${inProgress} is already in progress.`);
  }

  /** Runs `work` as a part of the end, in turn with everything else. */
  async inEnd<T>(work: () => Promise<T>): Promise<T> {
    const ending = new WorkBlock('ending', this.#root, undefined, this.#root.queue);
    try {
      return await runInFrame(this.transaction, ending, work);
    } finally {
      ending.isOpen = false;
    }
  }

  endHandles(): void {
    this.#root.endAll();
  }

  /** Throws `SS_ERR_TRANSACTION_CLOSED` in code that outlived its part of the work. */
  refuseClosedBlock(): void {
    if (!this.block.isOpen) throw new TransactionClosedError(BLOCK_CLOSED);
  }

  #openQueue(): StatementQueue {
    const { block } = this;
    this.state.refuseAfterEnd(block.isEnding);
    this.refuseClosedBlock();
    return block.queue;
  }
}
