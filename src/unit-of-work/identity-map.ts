/** One object per row: what was loaded once is the same object whenever its row comes again. */
import type { EntityMetadata } from 'typeorm';
import { shapeOf } from './entity-shape.js';
import { stamp, trackedOf } from './stamp.js';
import type { TrackedObject } from './tracked-object.js';

export class IdentityMap {
  readonly #byKey = new Map<EntityMetadata, Map<string, TrackedObject>>();
  readonly #all = new Set<TrackedObject>();

  get size(): number {
    return this.#all.size;
  }

  /** The object of a row. */
  get(metadata: EntityMetadata, key: string): TrackedObject | undefined {
    return this.#byKey.get(shapeOf(metadata).root)?.get(key);
  }

  of(entity: object): TrackedObject | undefined {
    const tracked = trackedOf(entity);
    return tracked?.owner === this ? tracked : undefined;
  }

  /** In the order in which they came. */
  [Symbol.iterator](): IterableIterator<TrackedObject> {
    return this.#all.values();
  }

  /** Takes an object in; one without a key is found by itself only. */
  add(tracked: TrackedObject): void {
    this.#all.add(tracked);
    tracked.owner = this;
    stamp(tracked);
    if (tracked.key === undefined) return;
    const table = this.#table(tracked.shape.root);
    // A new object may be about to take the place of one that is deleted; until then the name is the other's.
    if (tracked.state !== 'pending' || !table.has(tracked.key)) table.set(tracked.key, tracked);
  }

  /** Its row has, or is to have, another name. */
  rename(tracked: TrackedObject, key: string | undefined): void {
    this.#forgetKey(tracked);
    tracked.key = key;
    if (key !== undefined) this.#table(tracked.shape.root).set(key, tracked);
  }

  remove(tracked: TrackedObject): void {
    this.#all.delete(tracked);
    tracked.owner = undefined;
    this.#forgetKey(tracked);
  }

  clear(): void {
    for (const tracked of this.#all) tracked.owner = undefined;
    this.#all.clear();
    this.#byKey.clear();
  }

  /** Another object may have the name by now: two rows can change names, and a new object can take a deleted one's. */
  #forgetKey(tracked: TrackedObject): void {
    const { key, shape } = tracked;
    const table = this.#table(shape.root);
    if (key !== undefined && table.get(key) === tracked) table.delete(key);
  }

  #table(root: EntityMetadata): Map<string, TrackedObject> {
    let table = this.#byKey.get(root);
    if (table === undefined) this.#byKey.set(root, (table = new Map()));
    return table;
  }
}
