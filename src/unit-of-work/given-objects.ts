/** Takes objects in as TypeORM's `save` was given them: plain, new, of nobody knows where, and what they cascade to. */
import type { EntityManager, EntityMetadata, ObjectLiteral } from 'typeorm';
import { shapeOf } from './entity-shape.js';
import { selectRow } from './loading.js';
import { assignRelation } from './loaded-relations.js';
import { Merge } from './merge.js';
import { isObject, relationValue } from './relation-values.js';
import { trackedOf } from './stamp.js';
import type { UnitOfWork } from './unit-of-work.js';

export class GivenObjects {
  readonly #taken = new Map<object, object>();

  /** @param manager - loads objects that are tracked */
  constructor(
    private readonly work: UnitOfWork,
    private readonly manager: EntityManager,
  ) {}

  /** Returns the object of the session that has what was given; a new instance is its own. */
  async take(given: object, metadata: EntityMetadata): Promise<object> {
    const before = this.#taken.get(given);
    if (before !== undefined) return before;
    const isInstance = typeof metadata.target === 'function' && given instanceof metadata.target;
    const instance = isInstance ? given : this.#instanceOf(given, metadata);
    this.#taken.set(given, instance);
    const isOurs = await this.#add(instance, metadata.findInheritanceMetadata(instance));
    if (isOurs) {
      await this.#takeRelated(instance, metadata.findInheritanceMetadata(instance));
      return instance;
    }
    const merged = await new Merge(this.work, this.manager, true).merge(instance);
    this.#taken.set(given, merged);
    return merged;
  }

  /** The session's object of a row that something names; undefined where there is no such row. */
  async find(given: object, metadata: EntityMetadata): Promise<object | undefined> {
    if (this.work.map.of(given) !== undefined) return given;
    const key = shapeOf(metadata).keyOf(given);
    const known = key === undefined ? undefined : this.work.map.get(metadata, key);
    if (known !== undefined && !known.isExpired) return known.entity;
    if (key === undefined) return undefined;
    const where = metadata.getEntityIdMap(given)!;
    return (await selectRow(this.manager, metadata, { where }, { withDeleted: true })) ?? undefined;
  }

  /** False where another object of the session has the row. */
  async #add(instance: object, metadata: EntityMetadata): Promise<boolean> {
    const { work } = this;
    const known = trackedOf(instance);
    if (known !== undefined && known.owner === undefined) {
      // What was removed is saved as a new row.
      if (known.wasDeleted || known.state === 'deleted') work.makeTransient(instance);
      else if (known.key !== undefined && work.map.get(metadata, known.key) !== undefined) return false;
    } else if (known === undefined && (await this.find(instance, metadata)) !== undefined) return false;
    else if (known !== undefined && known.owner !== work.map) return false;
    work.add(instance);
    return true;
  }

  async #takeRelated(instance: object, metadata: EntityMetadata): Promise<void> {
    for (const relation of metadata.relations) {
      if (!relation.isCascadeInsert && !relation.isCascadeUpdate) continue;
      const value = relationValue(relation, instance);
      const related = (Array.isArray(value) ? value : [value]) as unknown[];
      // One after the other: several may stand for one row. oxlint-disable-next-line no-await-in-loop
      const taken = await this.#takeAll(related, relation.inverseEntityMetadata);
      if (taken.every((one, place) => one === related[place])) continue;
      assignRelation(relation, instance, Array.isArray(value) ? taken : taken[0]);
    }
  }

  /** What has no key is new, and reached by the cascade itself. */
  async #takeAll(related: readonly unknown[], metadata: EntityMetadata): Promise<unknown[]> {
    const taken: unknown[] = [];
    for (const one of related) {
      const isNamed = isObject(one) && shapeOf(metadata).keyOf(one) !== undefined;
      taken.push(isNamed ? await this.take(one, metadata) : one);
    }
    return taken;
  }

  #instanceOf(given: ObjectLiteral, metadata: EntityMetadata): object {
    const blank = metadata.create(undefined, { fromDeserializer: true }) as ObjectLiteral;
    return this.manager.merge(metadata.target, blank, given);
  }
}

/** What the database made of it, told to what was given in its place. */
export function tellMade(given: object, stored: object, { columns }: EntityMetadata): void {
  if (given === stored) return;
  for (const column of columns) {
    const isMade =
      column.isPrimary ||
      column.isVersion ||
      column.isCreateDate ||
      column.isUpdateDate ||
      column.isDeleteDate;
    if (isMade && !column.isVirtual) column.setEntityValue(given, column.getEntityValue(stored));
  }
}
