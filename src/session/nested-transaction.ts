/** The handle of a savepoint, SQLAlchemy's nested SessionTransaction. */
import type { NestedTransactions } from './nested-transactions.js';
import type { Savepoint } from './savepoint.js';
import type { WorkBlock } from './work-block.js';

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

  /** @internal */
  constructor(all: NestedTransactions, savepoint: Savepoint, block: WorkBlock) {
    this.#all = all;
    this.#savepoint = savepoint;
    this.#block = block;
  }

  get isActive(): boolean {
    return this.#savepoint.isOpen;
  }

  /** Keeps what was done since; the whole transaction still decides. Throws `SS_ERR_TRANSACTION_CLOSED` after the end. */
  commit(): Promise<void> {
    return this.#all.commit(this.#savepoint, this.#block);
  }

  /** Undoes what was done since. Throws `SS_ERR_TRANSACTION_CLOSED` after the end. */
  rollback(): Promise<void> {
    return this.#all.rollback(this.#savepoint, this.#block);
  }

  /** Rolls back what was not committed. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.isActive) await this.rollback();
  }
}
