/** Who has written what replicas may not have yet: units of work, and for a time the clients that they worked for. */
import type { Client, LeaseOwner } from './lease.js';
import type { Positions } from './positions.js';

/** Somebody's last write. */
export interface Written {
  /** Where it stands in the primary's log; undefined where nobody knows. */
  readonly position: string | undefined;
}

/** Keys are the application's, and may come from the network. */
const MOST_CLIENTS = 10_000;

export class OwnWrites {
  readonly #units = new WeakMap<LeaseOwner, Written>();
  readonly #clients = new Map<string, Written & { readonly until: number }>();

  constructor(private readonly later: Positions['later']) {}

  /** `owner` has written: it, the units of work around it, and the client that it works for are to see it. */
  note(owner: LeaseOwner, position: string | undefined): void {
    let client: Client | undefined;
    for (let one: LeaseOwner | undefined = owner; one !== undefined; one = one.parent) {
      this.#units.set(one, this.#both(this.#units.get(one), { position }));
      client ??= one.client;
    }
    if (client === undefined) return;
    const written = this.#both(this.#ofClient(client), { position });
    // Behind all others: those that wrote long ago are in front.
    this.#clients.delete(client.key);
    this.#clients.set(client.key, { ...written, until: performance.now() + client.forMs });
    if (this.#clients.size > MOST_CLIENTS) this.#clients.delete(this.#clients.keys().next().value!);
  }

  /** What whoever is about to read has written, in any unit of work around him or as a client. */
  of(owner: LeaseOwner): Written | undefined {
    let client: Client | undefined;
    let found: Written | undefined;
    for (let one: LeaseOwner | undefined = owner; one !== undefined; one = one.parent) {
      found = this.#both(found, this.#units.get(one));
      client ??= one.client;
    }
    return client === undefined ? found : this.#both(found, this.#ofClient(client));
  }

  #ofClient({ key }: Client): Written | undefined {
    const known = this.#clients.get(key);
    if (known === undefined || performance.now() <= known.until) return known;
    this.#clients.delete(key);
    return undefined;
  }

  #both(one: Written | undefined, other: Written): Written;
  #both(one: Written | undefined, other: Written | undefined): Written | undefined;
  #both(one: Written | undefined, other: Written | undefined): Written | undefined {
    if (one === undefined || other === undefined) return one ?? other;
    if (one.position === undefined || other.position === undefined) return { position: undefined };
    return { position: this.later(one.position, other.position) };
  }
}
