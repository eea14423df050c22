/** Lends the connections of one server: nobody waits for himself, and who waits in vain is told who has them. */
import { SelfDeadlockError } from '../errors.js';
import type { PoolCounters } from './backend.js';
import type { Patience } from './deadline.js';
import { Holders } from './holders.js';
import type { DriverConnection, Lease, LeaseHolder } from './lease.js';

/** Where connections come from. */
interface Source {
  obtain(holder: LeaseHolder, patience: Patience): DriverConnection | Promise<DriverConnection>;
  counters(): PoolCounters;
  /** A connection was lost: the others must be expected to be lost too. */
  invalidate(): void;
}

/** Whoever a unit of work leases from. */
export interface Lender {
  /**
   * A connection, at once where one is free.
   *
   * @throws `SS_ERR_POOL_TIMEOUT` when none is free within `timeoutMs`
   * @throws `SS_ERR_SELF_DEADLOCK` when all are held by the holder and what it runs inside
   */
  acquire(holder: LeaseHolder, timeoutMs: number): Lease | Promise<Lease>;
}

export class Lending implements Lender {
  readonly #holders = new Holders();

  constructor(private readonly source: Source) {}

  /** Somebody has a connection of it. */
  get isInUse(): boolean {
    return this.#holders.size > 0;
  }

  acquire(holder: LeaseHolder, timeoutMs: number): Lease | Promise<Lease> {
    this.#refuseSelfDeadlock(holder);
    const since = performance.now();
    const timedOut = (): Error =>
      this.#holders.timeout(holder, performance.now() - since, this.source.counters());
    const obtained = this.source.obtain(holder, { timeoutMs, timedOut });
    // On their own, so that what the lease keeps does not lead to the holder's runner, and from there to its session.
    const { label, owner } = holder;
    return obtained instanceof Promise
      ? obtained.then((connection) => this.#holders.lend(connection, label, owner, this.source))
      : this.#holders.lend(obtained, label, owner, this.source);
  }

  #refuseSelfDeadlock(holder: LeaseHolder): void {
    const { limit, active } = this.source.counters();
    if (active < limit || !this.#holders.areAll(holder.owner, limit)) return;
    throw new SelfDeadlockError(
      `${holder.label} waits for a connection, and all ${limit} are held by itself and the units of work that it runs ` +
        'inside: it would wait for itself. Use the session at hand, commit first, or raise poolSize.',
    );
  }
}
