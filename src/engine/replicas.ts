/** Sends those who only read to replicas, in turn; the primary serves them where none can, or none has what they wrote. */
import type { Lease, LeaseHolder } from './lease.js';
import type { Lender } from './lending.js';
import type { OwnWrites } from './own-writes.js';
import type { Awaited, Replica } from './replica.js';

/** Which replica is asked first: TypeORM's words. */
export type ReplicaOrder = 'RR' | 'RANDOM' | 'ORDER';

export interface ReplicaNeeds {
  readonly replicas: readonly Replica[];
  readonly primary: Lender;
  readonly writes: OwnWrites;
  readonly order: ReplicaOrder;
  /** Milliseconds that a replica is waited for until it has what the reader wrote; 0 asks the primary instead. */
  readonly waitMs: () => number;
}

export class Replicas implements Lender {
  #next = 0;

  constructor(private readonly needs: ReplicaNeeds) {}

  acquire(holder: LeaseHolder, timeoutMs: number): Lease | Promise<Lease> {
    const { primary, writes, waitMs } = this.needs;
    const written = writes.of(holder.owner);
    if (written === undefined) return this.#anyOf(this.#inOrder(), holder, timeoutMs);
    const awaited = { position: written.position, timeoutMs: waitMs() };
    return isKnown(awaited) ? this.#upTo(awaited, holder, timeoutMs) : primary.acquire(holder, timeoutMs);
  }

  /** At once where the first one has a connection at hand. */
  #anyOf(replicas: readonly Replica[], holder: LeaseHolder, timeoutMs: number): Lease | Promise<Lease> {
    const [first, ...others] = replicas;
    if (first === undefined) return this.needs.primary.acquire(holder, timeoutMs);
    const since = performance.now();
    const lent = first.acquire(holder, half(timeoutMs));
    if (lent !== undefined && !(lent instanceof Promise)) return lent;
    // 0 waits for nobody else.
    const leftMs = (): number => timeoutMs && Math.max(1, Math.ceil(timeoutMs - (performance.now() - since)));
    if (lent === undefined) return this.#anyOf(others, holder, leftMs());
    return lent.then((lease) => lease ?? this.#anyOf(others, holder, leftMs()));
  }

  /** One is waited for, and no other: they would be as far behind. */
  async #upTo(awaited: Awaited, holder: LeaseHolder, timeoutMs: number): Promise<Lease> {
    const [first] = this.#inOrder();
    const lease = await first?.acquire(holder, half(timeoutMs), awaited);
    return lease ?? this.needs.primary.acquire(holder, timeoutMs);
  }

  /** Those that are not left alone. */
  #inOrder(): Replica[] {
    const { replicas, order } = this.needs;
    const start =
      order === 'ORDER' ? 0 : order === 'RR' ? this.#next++ : Math.floor(Math.random() * replicas.length);
    return replicas
      .map((_replica, place) => replicas[(start + place) % replicas.length]!)
      .filter(({ isDown }) => !isDown);
  }
}

function isKnown(awaited: { position: string | undefined; timeoutMs: number }): awaited is Awaited {
  return awaited.position !== undefined && awaited.timeoutMs > 0;
}

/** So that there is time left for the next one, and for the primary. */
function half(timeoutMs: number): number {
  return Math.ceil(timeoutMs / 2);
}
