/** The handle of a savepoint, SQLAlchemy's nested SessionTransaction. */
import type { NestedTransactions } from './nested-transactions.js';
import type { Savepoint } from './savepoint.js';
import type { WorkBlock } from './work-block.js';

/** The savepoints of the other databases that a session reaches, as one. */
export interface OtherSavepoints {
  commit(): Promise<void>;
  rollback(): Promise<void>;
}

/**
 * What `beginNested()` returns.
 *
 * @example
 * ```ts
 * import type { Session } from 'nestjs-scoped-session';
 * export async function tryIt(session: Session) {
 *   const savepoint = await session.beginNested();
 *   await session.execute('UPDATE account SET cents = 0 WHERE id = :id', { id: 1 });
 *   await savepoint.rollback();
 * }
 * ```
 */
export class NestedTransaction {
  readonly #all: NestedTransactions;
  readonly #savepoint: Savepoint;
  readonly #block: WorkBlock;
  readonly #others: OtherSavepoints | undefined;

  /** @internal */
  constructor(all: NestedTransactions, savepoint: Savepoint, block: WorkBlock, others?: OtherSavepoints) {
    this.#others = others;
    this.#all = all;
    this.#savepoint = savepoint;
    this.#block = block;
  }

  get isActive(): boolean {
    return this.#savepoint.isOpen;
  }

  /** Keeps what was done since; the whole transaction still decides. Throws `SS_ERR_TRANSACTION_CLOSED` after the end. */
  async commit(): Promise<void> {
    if (this.isActive && this.#others !== undefined) {
      // What cannot be kept here must not be kept there.
      await this.prepareCommit();
      await this.#others.commit();
    }
    return this.#all.commit(this.#savepoint, this.#block);
  }

  /** @internal */
  prepareCommit(): Promise<void> {
    return this.#all.prepareRelease(this.#savepoint);
  }

  /** Undoes what was done since. Throws `SS_ERR_TRANSACTION_CLOSED` after the end. */
  async rollback(): Promise<void> {
    if (this.isActive) await this.#others?.rollback();
    return this.#all.rollback(this.#savepoint, this.#block);
  }

  /** Rolls back what was not committed. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.isActive) await this.rollback();
  }
}
