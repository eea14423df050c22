/** One object per row: what was loaded once is the same object whenever its row comes again. */
import type { EntityMetadata } from 'typeorm';
import { shapeOf } from './entity-shape.js';
import type { TrackedObject } from './tracked-object.js';

export class IdentityMap {
  readonly #byKey = new Map<EntityMetadata, Map<string, TrackedObject>>();
  readonly #byEntity = new Map<object, TrackedObject>();

  get size(): number {
    return this.#byEntity.size;
  }

  /** The object of a row. */
  get(metadata: EntityMetadata, key: string): TrackedObject | undefined {
    return this.#byKey.get(shapeOf(metadata).root)?.get(key);
  }

  of(entity: object): TrackedObject | undefined {
    return this.#byEntity.get(entity);
  }

  /** In the order in which they came. */
  [Symbol.iterator](): IterableIterator<TrackedObject> {
    return this.#byEntity.values();
  }

  /** Takes an object in; one without a key is found by itself only. */
  add(tracked: TrackedObject): void {
    this.#byEntity.set(tracked.entity, tracked);
    if (tracked.key !== undefined) this.#table(tracked.shape.root).set(tracked.key, tracked);
  }

  /** Its row has, or is to have, another name. */
  rename(tracked: TrackedObject, key: string | undefined): void {
    this.#forgetKey(tracked);
    tracked.key = key;
    if (key !== undefined) this.#table(tracked.shape.root).set(key, tracked);
  }

  remove(tracked: TrackedObject): void {
    this.#byEntity.delete(tracked.entity);
    this.#forgetKey(tracked);
  }

  clear(): void {
    this.#byEntity.clear();
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
