/** Copies the state of objects that are not this session's onto those that are: SQLAlchemy's merge, over TypeORM's cascades. */
import type { EntityManager } from 'typeorm';
import type { RelationMetadata } from 'typeorm/metadata/RelationMetadata.js';
import { ObjectStateError, StaleDataError } from '../errors.js';
import type { EntityShape } from './entity-shape.js';
import { isChanged } from './is-changed.js';
import { refresh, selectRow } from './loading.js';
import { assignRelation } from './loaded-relations.js';
import { isRelationItself, rootOf } from './property-roots.js';
import { isObject, relationValue, takeRelations } from './relation-values.js';
import { trackedOf } from './stamp.js';
import { TrackedObject } from './tracked-object.js';
import type { UnitOfWork } from './unit-of-work.js';

export class Merge {
  /** What was merged already: a graph may lead to it by several ways, and in circles. */
  readonly #merged = new Map<object, object>();
  /** New objects with a key: the same row may be there several times, and is one. */
  readonly #made = new Map<string, object>();

  constructor(
    private readonly work: UnitOfWork,
    private readonly manager: EntityManager,
    private readonly loads: boolean,
  ) {}

  async merge(source: object): Promise<object> {
    const shape = this.work.shapeFor(source);
    const known = this.#merged.get(source);
    if (known !== undefined) return known;
    const own = this.work.map.of(source);
    if (own !== undefined && (this.loads || own.state !== 'pending')) return source;
    if (!this.loads) this.#refuseUnloaded(source, shape);
    const target = await this.#targetFor(source, shape);
    this.#merged.set(source, target);
    this.#copyColumns(source, target, shape);
    for (const relation of shape.metadata.relations) await this.#copyRelation(relation, source, target);
    if (!this.loads) this.#takeAsLoaded(target);
    return target;
  }

  async #targetFor(source: object, shape: EntityShape): Promise<object> {
    const { metadata } = shape;
    const key = shape.keyOf(source);
    const name = key === undefined ? undefined : `${shape.root.name}\u0001${key}`;
    const made = name === undefined ? undefined : this.#made.get(name);
    if (made !== undefined) return made;
    const there = key === undefined ? null : await this.#stored(source, shape, key);
    if (there !== null) {
      refuseOtherVersion(source, there, shape);
      return there;
    }
    const target = metadata.create(undefined, { fromDeserializer: true }) as object;
    if (name !== undefined) this.#made.set(name, target);
    for (const column of metadata.primaryColumns) {
      const value = column.getEntityValue(source) as unknown;
      if (value !== undefined && !isRelationItself(column)) column.setEntityValue(target, value);
    }
    if (this.loads) this.work.add(target);
    else this.work.map.add(new TrackedObject(target, shape, key));
    this.work.takeLazyRelations(this.work.map.of(target)!);
    return target;
  }

  async #stored(source: object, { metadata }: EntityShape, key: string): Promise<object | null> {
    const known = this.work.map.get(metadata, key);
    if (known !== undefined && (!known.isExpired || !this.loads)) return known.entity;
    if (!this.loads) return null;
    return selectRow(this.manager, metadata, { where: metadata.getEntityIdMap(source)! });
  }

  #copyColumns(source: object, target: object, { columns }: EntityShape): void {
    const expired = trackedOf(source)?.expired;
    for (const column of columns) {
      if (column.isPrimary || isRelationItself(column)) continue;
      if (expired?.has(rootOf(column)) === true) continue;
      const value = column.getEntityValue(source) as unknown;
      if (value !== undefined) column.setEntityValue(target, value);
    }
  }

  async #copyRelation(relation: RelationMetadata, source: object, target: object): Promise<void> {
    const value = relationValue(relation, source);
    if (value === undefined) return;
    if (Array.isArray(value)) {
      await this.#loadBefore(relation, target);
      const merged: unknown[] = [];
      // One after the other: several may stand for one row.
      for (const one of value) merged.push(await this.#end(relation, one));
      assignRelation(relation, target, [...new Set(merged)]);
    } else assignRelation(relation, target, await this.#end(relation, value));
  }

  /** What the relation does not cascade to is only named. */
  async #end(relation: RelationMetadata, value: unknown): Promise<unknown> {
    const isCascade = relation.isCascadeInsert || relation.isCascadeUpdate || !this.loads;
    return isCascade && isObject(value) ? this.merge(value) : value;
  }

  /** Who is missing in the new collection is only known by the old one. */
  async #loadBefore(relation: RelationMetadata, target: object): Promise<void> {
    const tracked = this.work.map.of(target);
    const isKnown = tracked?.state !== 'persistent' || tracked.relations.has(relation) || !this.loads;
    if (!isKnown) await refresh(this.manager, tracked, [relation.propertyPath]);
  }

  #refuseUnloaded(source: object, { metadata }: EntityShape): void {
    const tracked = trackedOf(source);
    if (tracked === undefined || tracked.state === 'pending')
      throw new ObjectStateError(
        `merge() with load: false does not support transient objects, and this ${metadata.name} was never loaded by a session.`,
      );
    if (isChanged(tracked))
      throw new ObjectStateError(
        `merge() with load: false does not support changed objects, and this ${metadata.name} is. Flush it first.`,
      );
  }

  #takeAsLoaded(target: object): void {
    const tracked = this.work.map.of(target)!;
    tracked.takeSnapshot();
    takeRelations(tracked);
  }
}

function refuseOtherVersion(source: object, there: object, { metadata }: EntityShape): void {
  const { versionColumn } = metadata;
  const given = versionColumn?.getEntityValue(source) as unknown;
  const stored = versionColumn?.getEntityValue(there) as unknown;
  if (given === undefined || given === null || Number(given) === Number(stored)) return;
  throw new StaleDataError(
    `Version ${Number(given)} of the merged ${metadata.name} is not version ${Number(stored)} of its row. Leave the version ` +
      'away to change the newest.',
  );
}
