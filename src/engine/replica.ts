/** One replica: a pool of its own, and a rest from being asked after nobody could reach it. */
import { PoolTimeoutError, SelfDeadlockError } from '../errors.js';
import type { PoolCounters, ReplicaPool } from './backend.js';
import { withDeadline } from './deadline.js';
import { classifyFailure, concernsOthers } from './failures.js';
import type { Lease, LeaseHolder } from './lease.js';
import { Lending } from './lending.js';
import type { Positions } from './positions.js';

/** What a server has to answer in, beyond the time that it was asked to wait. */
const ANSWER_TIMEOUT_MS = 1_000;

/** What is awaited before a replica may be read. */
export interface Awaited {
  readonly position: string;
  readonly timeoutMs: number;
}

/** A replica at this moment. */
export interface ReplicaStatus extends PoolCounters {
  /** It could not be reached, or a connection to it was lost; it is left alone for `replicaRetryMs`. */
  readonly isDown: boolean;
}

export class Replica {
  readonly #lending: Lending;
  #downUntil = -Infinity;

  constructor(
    private readonly pool: ReplicaPool,
    private readonly positions: Positions,
    private readonly retryMs: () => number,
  ) {
    this.#lending = new Lending({
      obtain: (_holder, patience) => pool.obtain(patience),
      counters: () => pool.counters(),
      invalidate: () => this.#leaveAlone(),
    });
  }

  get isDown(): boolean {
    return performance.now() < this.#downUntil;
  }

  get status(): ReplicaStatus {
    return { ...this.pool.counters(), isDown: this.isDown };
  }

  invalidate(): void {
    this.pool.invalidate();
  }

  /** A lease; undefined where another server has to serve `holder`. Throws what would come again on a replica that is there. */
  acquire(
    holder: LeaseHolder,
    timeoutMs: number,
    awaited?: Awaited,
  ): Lease | Promise<Lease | undefined> | undefined {
    try {
      const lent = this.#lending.acquire(holder, timeoutMs);
      if (!(lent instanceof Promise)) return awaited === undefined ? lent : this.#upTo(awaited, lent);
      const arriving = awaited === undefined ? lent : lent.then((lease) => this.#upTo(awaited, lease));
      return arriving.catch((error: unknown) => this.#elsewhere(error));
    } catch (error) {
      return this.#elsewhere(error);
    }
  }

  /** The same lease, once the replica has come to the position; it goes back where that takes too long. */
  async #upTo({ position, timeoutMs }: Awaited, lease: Lease): Promise<Lease | undefined> {
    const noAnswer = (): Error =>
      Object.assign(new Error('The replica did not answer.'), { code: 'ETIMEDOUT' });
    const reaching = this.positions.reach(lease.raw, position, timeoutMs);
    try {
      if (await withDeadline(reaching, timeoutMs + ANSWER_TIMEOUT_MS, noAnswer, () => undefined))
        return lease;
      await lease.release();
      return undefined;
    } catch (error) {
      lease.destroy();
      return this.#elsewhere(error);
    }
  }

  #elsewhere(error: unknown): undefined {
    if (error instanceof SelfDeadlockError) return undefined;
    const isTimeout = error instanceof PoolTimeoutError;
    // Whose connections are lent is busy; who lends none in all that time does not answer.
    if (isTimeout && this.#lending.isInUse) return undefined;
    if (!isTimeout && !concernsOthers(classifyFailure(error))) throw error;
    this.#leaveAlone();
    return undefined;
  }

  /** Who comes next is better served elsewhere, until there was time to recover. */
  #leaveAlone(): void {
    this.#downUntil = performance.now() + this.retryMs();
    this.pool.invalidate();
  }
}
