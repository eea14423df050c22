/** What an application sees of the identity map. */
import type { DataSource, EntityTarget, ObjectLiteral } from 'typeorm';
import { identify } from './identifier.js';
import type { IdentityMap } from './identity-map.js';
import { isOf } from './loading.js';

/** The objects that a session has loaded, by class and key. */
export class IdentityView {
  readonly #map: IdentityMap;
  readonly #dataSource: DataSource;

  /** @internal */
  constructor(map: IdentityMap, dataSource: DataSource) {
    this.#map = map;
    this.#dataSource = dataSource;
  }

  /** How many objects have a row. */
  get size(): number {
    return [...this].length;
  }

  has<E extends ObjectLiteral>(target: EntityTarget<E>, identifier: unknown): boolean {
    return this.get(target, identifier) !== undefined;
  }

  get<E extends ObjectLiteral>(target: EntityTarget<E>, identifier: unknown): E | undefined {
    const metadata = this.#dataSource.getMetadata(target);
    const tracked = this.#map.get(metadata, identify(metadata, identifier).key);
    if (tracked?.state !== 'persistent' || !isOf(metadata, tracked.entity)) return undefined;
    return tracked.entity as E;
  }

  /** In the order of their loading. */
  *[Symbol.iterator](): IterableIterator<object> {
    for (const { entity, state } of this.#map) if (state === 'persistent') yield entity;
  }
}
