/** Who holds the connections of a pool: for messages, and to tell somebody who waits for himself. */
import { PoolTimeoutError } from '../errors.js';
import type { PoolCounters } from './backend.js';
import { type DriverConnection, Lease, type LeaseHolder, type LeaseOwner } from './lease.js';
import { LinkedList } from './linked-list.js';

/** Not the lease itself: a session that was forgotten with its lease must stay collectable to be noticed. */
class Holding {
  readonly since = performance.now();

  constructor(
    readonly label: string,
    readonly owner: LeaseOwner,
  ) {}
}

export class Holders {
  readonly #held = new LinkedList<Holding>();

  get size(): number {
    return this.#held.size;
  }

  lend(
    connection: DriverConnection,
    label: string,
    owner: LeaseOwner,
    server?: { invalidate(): void },
  ): Lease {
    return new Lease(connection, this.#held.add(new Holding(label, owner)), server);
  }

  /** Whether `owner` and the units of work around it hold `count` connections. */
  areAll(owner: LeaseOwner, count: number): boolean {
    let own = 0;
    for (const holding of this.#held) if (isAround(holding.owner, owner)) own += 1;
    return own >= count;
  }

  timeout(
    { label, owner }: Pick<LeaseHolder, 'label' | 'owner'>,
    waitedMs: number,
    { limit, total, active, idle, waiting }: PoolCounters,
  ): PoolTimeoutError {
    const longest = this.#held.first;
    const held =
      longest === undefined
        ? ''
        : ` Longest holder: ${longest.label}, ${Math.round(performance.now() - longest.since)} ms.`;
    const own = this.areAll(owner, 1)
      ? ` ${label} itself holds a connection while it waits for another.`
      : '';
    return new PoolTimeoutError(
      `${label} got no connection within ${Math.round(waitedMs)} ms (limit=${limit}, total=${total}, active=${active}, ` +
        `idle=${idle}, waiting=${waiting}).${held}${own} Shorten the holders or raise the limit.`,
    );
  }
}

/** Whether `around` is `owner`, or a unit of work that it runs inside. */
function isAround(around: LeaseOwner, owner: LeaseOwner): boolean {
  for (let one: LeaseOwner | undefined = owner; one !== undefined; one = one.parent) {
    if (one === around) return true;
  }
  return false;
}
