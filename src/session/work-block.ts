/** A part of a session's work with a turn order of its own: the whole, a savepoint's block, or the end. */
import type { Savepoint } from './savepoint.js';
import { StatementQueue } from './statement-queue.js';

/** What messages call the parts that the whole transaction waits for. */
export const BLOCK_NAMES = {
  root: undefined,
  nested: 'beginNested(fn)',
  flush: 'flush()',
  ending: undefined,
} as const;

export class WorkBlock {
  /** Savepoints opened as handles in this block, outermost first. */
  #handles: Savepoint[] | undefined;
  isOpen = true;

  /**
   * @param kind - `ending` may still send when the session is sealed for everybody else
   * @param around - the block that waits for this one
   * @param savepoint - the one that it is the block of
   * @param queue - the turn order
   */
  constructor(
    readonly kind: keyof typeof BLOCK_NAMES,
    readonly around?: WorkBlock,
    readonly savepoint?: Savepoint,
    readonly queue = new StatementQueue(),
  ) {}

  /** A part of the end, which may still send. */
  get isEnding(): boolean {
    return this.kind === 'ending' || this.around?.isEnding === true;
  }

  /** A part of a flush. */
  get isFlushing(): boolean {
    return this.kind === 'flush' || this.around?.isFlushing === true;
  }

  get innermost(): Savepoint | undefined {
    return this.#handles?.at(-1);
  }

  /** The innermost savepoint that code in this part is behind. */
  get savepointAround(): Savepoint | undefined {
    return this.innermost ?? this.savepoint ?? this.around?.savepointAround;
  }

  opened(handle: Savepoint): void {
    (this.#handles ??= []).push(handle);
  }

  /** `handle` has ended, and everything opened after it. */
  ended(handle: Savepoint): void {
    const place = this.#handles?.indexOf(handle) ?? -1;
    if (place !== -1) this.#handles!.length = place;
  }

  endAll(): void {
    this.#handles = undefined;
  }

  isInside(other: WorkBlock): boolean {
    return this !== other && (this.around === other || (this.around?.isInside(other) ?? false));
  }
}
