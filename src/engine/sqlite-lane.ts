/** A way into a SQLite file: for all who read, or for the one who writes; first come, first served, with a deadline. */
import { SelfDeadlockError } from '../errors.js';
import { Holders } from './holders.js';
import type { Lease, LeaseHolder } from './lease.js';
import type { ConnectionPool } from './pool.js';

const OPENING_MS = 1_000;

export class SqliteLane {
  readonly #holders = new Holders();

  /** @param timeoutMs - asked at each use */
  constructor(
    readonly pool: ConnectionPool,
    private readonly timeoutMs: () => number,
  ) {}

  /**
   * @throws {@link SelfDeadlockError} `SS_ERR_SELF_DEADLOCK` when the holder, and what it runs inside, holds all there is
   * @throws `SS_ERR_POOL_TIMEOUT`
   */
  obtain({ label, owner }: Pick<LeaseHolder, 'label' | 'owner'>): Lease | Promise<Lease> {
    const { limit, total, active } = this.pool.counters();
    if (active >= limit && this.#holders.areAll(owner, limit)) throw waitsForItself(label, limit);
    const since = performance.now();
    // A deadline is for waiting: whoever waits for nobody has time enough to open the file.
    const leastMs = total < limit ? OPENING_MS : 0;
    const obtained = this.pool.obtain({
      timeoutMs: Math.max(this.timeoutMs(), leastMs),
      timedOut: () =>
        this.#holders.timeout({ label, owner }, performance.now() - since, this.pool.counters()),
    });
    return obtained instanceof Promise
      ? obtained.then((connection) => this.#holders.lend(connection, label, owner))
      : this.#holders.lend(obtained, label, owner);
  }
}

function waitsForItself(label: string, limit: number): SelfDeadlockError {
  const held = limit === 1 ? 'the one handle for this is' : `all ${limit} handles for this are`;
  return new SelfDeadlockError(
    `${label} waits for the SQLite database, and ${held} held by itself and the units of work that it runs inside: it ` +
      'would wait for itself. Use the session at hand, or commit first; what only reads can be readOnly.',
  );
}
