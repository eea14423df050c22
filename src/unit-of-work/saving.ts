/** Stores new and changed objects: each when all that it refers to is stored. */
import type { EntityMetadata } from 'typeorm';
import type { RelationMetadata } from 'typeorm/metadata/RelationMetadata.js';
import { IllegalStateChangeError } from '../errors.js';
import { parentsOf } from './parents.js';
import type { FlushPlan } from './flush-plan.js';
import { isObject, takeRelations } from './relation-values.js';
import type { RowOf, RowStore } from './row-store.js';
import { inTableOrder } from './table-order.js';
import { TrackedObject } from './tracked-object.js';

export class Saving {
  readonly #new: Set<TrackedObject>;
  readonly #changed: Set<RowOf>;
  readonly #later = new Map<TrackedObject, Set<RelationMetadata>>();

  constructor(
    { inserts, updates }: FlushPlan,
    private readonly store: RowStore,
  ) {
    this.#new = new Set(inserts);
    this.#changed = new Set(updates);
  }

  async run(): Promise<void> {
    const all = [...this.#new, ...[...this.#changed].map(({ tracked }) => tracked)];
    const order = inTableOrder(all.map(({ shape }) => shape.metadata));
    while (this.#new.size + this.#changed.size > 0) {
      let isStuck = true;
      for (const metadata of order) {
        // A changed row may give up what a new one takes, so it goes first; what they lead to was stored before.
        if (await this.#update(metadata)) isStuck = false;
        while (await this.#insert(metadata)) isStuck = false;
      }
      if (isStuck) this.#breakCircle();
    }
  }

  async #update(metadata: EntityMetadata): Promise<boolean> {
    const ready = [...this.#changed].filter(
      ({ tracked }) => tracked.shape.metadata === metadata && !this.#waits(tracked),
    );
    if (ready.length === 0) return false;
    await this.store.update(ready);
    for (const row of ready) this.#changed.delete(row);
    return true;
  }

  async #insert(metadata: EntityMetadata): Promise<boolean> {
    const ready = [...this.#new].filter(
      (tracked) => tracked.shape.metadata === metadata && !this.#waits(tracked),
    );
    if (ready.length === 0) return false;
    await this.store.insert(ready, this.#later);
    for (const tracked of ready) {
      this.#new.delete(tracked);
      if (this.#later.has(tracked)) this.#changed.add({ tracked, base: this.#asInserted(tracked) });
    }
    this.#later.clear();
    return true;
  }

  #waits(tracked: TrackedObject): boolean {
    if (this.#new.size === 0 || this.#later.has(tracked)) return false;
    for (const parent of parentsOf(this.store.walk, tracked)) {
      const isItself = parent === tracked && tracked.shape.keyOf(tracked.entity) !== undefined;
      if (this.#new.has(parent) && !isItself) return true;
    }
    return false;
  }

  /** New objects refer to each other in a circle: one of them is stored without the key that it cannot have yet. */
  #breakCircle(): void {
    for (const tracked of this.#new) {
      const relations = tracked.shape.metadata.relationsWithJoinColumns.filter((relation) =>
        this.#leadsToNew(tracked, relation),
      );
      if (relations.every(({ joinColumns }) => joinColumns.every(({ isNullable }) => isNullable))) {
        this.#later.set(tracked, new Set(relations));
        return;
      }
    }
    const names = new Set([...this.#new].map(({ shape }) => shape.metadata.name));
    throw new IllegalStateChangeError(
      `New objects refer to each other in a circle (${[...names].join(', ')}), and none of the columns may be empty ` +
        'until the other is stored. Make one of them nullable.',
    );
  }

  #leadsToNew(tracked: TrackedObject, relation: RelationMetadata): boolean {
    const end = this.store.walk.endOf(tracked, relation);
    const parent = isObject(end) ? this.store.walk.of(end) : undefined;
    return parent !== undefined && this.#new.has(parent);
  }

  /** What the row holds, of which a part was left for later. */
  #asInserted(tracked: TrackedObject): TrackedObject {
    const { entity, shape } = tracked;
    const base = new TrackedObject(entity, shape, shape.keyOf(entity));
    takeRelations(base);
    for (const relation of this.#later.get(tracked) ?? []) {
      base.relations.set(relation, null);
    }
    return base;
  }
}
