/** Goes once over the tracked objects, and finds what a flush has to store, delete and link. */
import type { EntityMetadata } from 'typeorm';
import type { RelationMetadata } from 'typeorm/metadata/RelationMetadata.js';
import { type EntityShape, shapeOf } from './entity-shape.js';
import type { IdentityMap } from './identity-map.js';
import { keyOfRelated, relatedObjects, relationSnapshot } from './relation-values.js';
import { OwnKeys } from './own-keys.js';
import { isTransientAgain } from './stamp.js';
import { TrackedObject } from './tracked-object.js';

/** What the walk found; nothing of it has been written into the map. */
export class DirtyWalk {
  /** New objects in the order of their adding, those that cascades reach after those that lead to them. */
  readonly pending: TrackedObject[] = [];
  readonly persistent: TrackedObject[] = [];
  readonly deleted = new Set<TrackedObject>();
  readonly softDeleted = new Set<TrackedObject>();
  /** What collections say of their members: the other end of an owning relation, null for none. */
  readonly #ends = new Map<object, Map<RelationMetadata, object | null>>();
  readonly #reached = new Map<object, TrackedObject>();
  readonly #held = new Map<TrackedObject, Map<RelationMetadata, unknown>>();
  /** What the objects' own foreign keys say. */
  readonly ownKeys: OwnKeys;
  /** New by their cascades, though their keys were given by hand: their rows may be there already. */
  readonly unsure: TrackedObject[] = [];

  /** @param stored - objects that cascades reach, of which the database was asked: their rows are there */
  constructor(
    readonly map: IdentityMap,
    readonly stored: ReadonlySet<object> = new Set(),
  ) {
    this.ownKeys = new OwnKeys(map);
    for (const tracked of map) if (tracked.isMarkedDeleted) this.#delete(tracked);
    const all = [...map].filter((tracked) => isAlive(tracked) && !this.deleted.has(tracked));
    // The list grows while it is gone through: what a cascade reaches is looked at like the rest, and once.
    for (const tracked of all) this.#cascade(tracked, all);
    // Members that came before members that went: who was moved to another owner is no orphan.
    const collections = [...changedCollections(this, all)];
    for (const collection of collections) this.#takeIn(collection);
    for (const collection of collections) if (!this.deleted.has(collection.owner)) this.#letGo(collection);
    for (const tracked of all) {
      if (this.deleted.has(tracked)) continue;
      this.hold(tracked, tracked.shape.metadata.relations);
      (tracked.state === 'pending' ? this.pending : this.persistent).push(tracked);
    }
  }

  of(entity: object): TrackedObject | undefined {
    return this.map.of(entity) ?? this.#reached.get(entity);
  }

  /** Looks at relations for the last time before they are sent: what is changed later is a change still. */
  hold(tracked: TrackedObject, relations: readonly RelationMetadata[]): void {
    let held = this.#held.get(tracked);
    if (held === undefined) this.#held.set(tracked, (held = new Map()));
    for (const relation of relations) {
      const value = this.ownKeys.hold(tracked, relation);
      if (value === undefined) held.delete(relation);
      else held.set(relation, Array.isArray(value) ? value.slice() : value);
    }
  }

  heldBy(tracked: TrackedObject): ReadonlyMap<RelationMetadata, unknown> {
    return this.#held.get(tracked) ?? new Map();
  }

  /** Where an owning relation is to lead: as a collection says, or else as the object itself; undefined: not loaded. */
  endOf(tracked: TrackedObject, relation: RelationMetadata): unknown {
    const ends = this.#ends.get(tracked.entity);
    if (ends?.has(relation) === true) return ends.get(relation);
    const held = this.#held.get(tracked);
    return held === undefined ? this.ownKeys.endOf(tracked, relation) : held.get(relation);
  }

  /** Whether only a collection says where the relation leads. */
  isImplied({ entity }: TrackedObject, relation: RelationMetadata): boolean {
    return this.#ends.get(entity)?.has(relation) ?? false;
  }

  /** Whether a relation is to lead where its property does not say. */
  isToldOtherwise(tracked: TrackedObject, relation: RelationMetadata): boolean {
    return this.isImplied(tracked, relation) || this.ownKeys.isByKey(tracked, relation);
  }

  /** TypeORM's cascades of removal, over what is loaded. */
  #delete(tracked: TrackedObject): void {
    if (!isAlive(tracked) || this.deleted.has(tracked)) return;
    this.deleted.add(tracked);
    for (const relation of tracked.shape.metadata.relations) {
      if (!relation.isCascadeRemove) continue;
      for (const related of relatedObjects(relation, tracked.entity)) {
        const other = this.map.of(related);
        if (other !== undefined && other.state !== 'pending' && !isMoved(other, relation, tracked))
          this.#delete(other);
      }
    }
  }

  #cascade(owner: TrackedObject, all: TrackedObject[]): void {
    const { entity, shape } = owner;
    for (const relation of shape.metadata.relations) {
      if (!relation.isCascadeInsert) continue;
      for (const related of relatedObjects(relation, entity)) {
        if (this.of(related) !== undefined) continue;
        const relatedShape = shapeOf(relation.inverseEntityMetadata.findInheritanceMetadata(related));
        const key = relatedShape.keyOf(related);
        if (key !== undefined && wasThere(owner, relation, key)) continue;
        if (key !== undefined && this.#isReference(related, relatedShape, key)) continue;
        const tracked = new TrackedObject(related, relatedShape, key);
        tracked.state = 'pending';
        if (key !== undefined && !this.#isReplaced(relatedShape, key)) this.unsure.push(tracked);
        this.#reached.set(related, tracked);
        all.push(tracked);
      }
    }
  }

  /** Whether something that nobody added only names a row: `{ id: 5 }`, another object's row, or one of an earlier load. */
  #isReference(related: object, shape: EntityShape, key: string): boolean {
    const { metadata } = shape;
    if (this.stored.has(related)) return true;
    if (this.map.get(metadata, key) !== undefined) return !this.#isReplaced(shape, key);
    if (typeof metadata.target === 'function' && !(related instanceof metadata.target)) return true;
    // What a rollback made new again has a key, and no row.
    if (isTransientAgain(related)) return false;
    return metadata.primaryColumns.some(({ generationStrategy }) => generationStrategy === 'increment');
  }

  #isReplaced({ metadata }: EntityShape, key: string): boolean {
    const known = this.map.get(metadata, key);
    return known !== undefined && this.deleted.has(known);
  }

  #takeIn({ owner, relation, inverse, was }: Collection): void {
    const known = new Set(was);
    for (const member of relatedObjects(relation, owner.entity)) {
      const isNew = !known.has(keyOfRelated(relation, member));
      if (isNew && this.#saysNothing(member, inverse)) this.#link(member, inverse, owner.entity);
    }
  }

  #letGo({ relation, inverse, was, now }: Collection): void {
    const kept = new Set(now);
    for (const key of was) {
      if (!kept.has(key)) this.#orphan(relation.inverseEntityMetadata, key, inverse);
    }
  }

  /** Whether a member leaves it to the collection to say to whom it belongs. */
  #saysNothing(member: object, relation: RelationMetadata): boolean {
    const own = relationSnapshot(relation, member);
    const tracked = this.of(member);
    if (tracked !== undefined && this.ownKeys.isByKey(tracked, relation)) return false;
    if (own === undefined || own === null) return true;
    return tracked?.state === 'persistent' && tracked.relations.get(relation) === own;
  }

  #link(member: object, relation: RelationMetadata, end: object | null): void {
    let ends = this.#ends.get(member);
    if (ends === undefined) this.#ends.set(member, (ends = new Map()));
    ends.set(relation, end);
  }

  /** A member was taken out: TypeORM's rule for orphans, unless it belongs to another by now. */
  #orphan(metadata: EntityMetadata, key: string, relation: RelationMetadata): void {
    const member = this.map.get(metadata, key);
    if (member === undefined || this.deleted.has(member) || this.isImplied(member, relation)) return;
    if (!this.#saysNothing(member.entity, relation)) return;
    const action = relation.orphanedRowAction ?? 'nullify';
    if (action === 'disable') return;
    if (action === 'soft-delete') this.softDeleted.add(member);
    else if (action === 'nullify' && relation.joinColumns.every(({ isNullable }) => isNullable))
      this.#link(member.entity, relation, null);
    else this.#delete(member);
  }
}

/** A loaded one-to-many, or the far side of a one-to-one: the members that it had, and those that it has. */
interface Collection {
  readonly owner: TrackedObject;
  readonly relation: RelationMetadata;
  readonly inverse: RelationMetadata;
  readonly was: readonly string[];
  readonly now: readonly string[];
}

function* changedCollections({ deleted }: DirtyWalk, all: readonly TrackedObject[]): Generator<Collection> {
  for (const owner of all) {
    if (deleted.has(owner)) continue;
    for (const relation of owner.shape.metadata.relations) {
      const { inverseRelation: inverse } = relation;
      if (!(relation.isOneToMany || relation.isOneToOneNotOwner) || inverse === undefined) continue;
      const now = relation.persistenceEnabled ? relationSnapshot(relation, owner.entity) : undefined;
      if (now === undefined) continue;
      const was = owner.state === 'pending' ? null : owner.relations.get(relation);
      const collection = { owner, relation, inverse, was: listOf(was), now: listOf(now) };
      if (String(collection.was) !== String(collection.now)) yield collection;
    }
  }
}

function isAlive({ state }: TrackedObject): boolean {
  return state === 'pending' || state === 'persistent';
}

/** Whether an object that is not tracked is one that the relation led to when it was loaded. */
function wasThere({ state, relations }: TrackedObject, relation: RelationMetadata, key: string): boolean {
  return state === 'persistent' && listOf(relations.get(relation)).includes(key);
}

function listOf(snapshot: string | null | undefined | readonly string[]): readonly string[] {
  if (snapshot === undefined || snapshot === null) return [];
  return typeof snapshot === 'string' ? [snapshot] : snapshot;
}

/** Whether a member of a collection belongs to another owner by now, or to none, as it says itself. */
function isMoved(
  member: TrackedObject,
  { inverseRelation }: RelationMetadata,
  owner: TrackedObject,
): boolean {
  if (inverseRelation?.isWithJoinColumn !== true) return false;
  let end = relationSnapshot(inverseRelation, member.entity);
  if (end === undefined) end = member.relations.get(inverseRelation);
  return end !== undefined && end !== owner.key;
}
