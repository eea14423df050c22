/** The objects of one session and their states: SQLAlchemy's rules of what may be done with an object in which state. */
import type { DataSource, EntityMetadata, QueryRunner } from 'typeorm';
import { ObjectStateError, UnmappedInstanceError } from '../errors.js';
import { type EntityShape, shapeOf } from './entity-shape.js';
import { expire } from './expire.js';
import { IdentityMap } from './identity-map.js';
import { trackingDataSource } from './identity-query-builder.js';
import { changedProperties, isChanged } from './is-changed.js';
import { LazyRelations } from './lazy-relations.js';
import { trackedOf, unstamp } from './stamp.js';
import { giveToJson } from './to-json.js';
import { TrackedObject } from './tracked-object.js';
import { makeTransient, UndoFrames } from './undo-frames.js';

export class UnitOfWork {
  readonly map = new IdentityMap();
  readonly undo = new UndoFrames(this.map);
  readonly #lazyRelations: LazyRelations;

  /** @param runner - what is loaded later on, is loaded there */
  constructor(
    readonly dataSource: DataSource,
    private readonly runner: QueryRunner,
  ) {
    this.#lazyRelations = new LazyRelations(trackingDataSource(dataSource, runner), this.map);
  }

  /** Its lazy relations are loaded by this session, whoever made the object. */
  takeLazyRelations({ entity, shape }: TrackedObject): void {
    const { lazyRelations } = shape.metadata;
    if (lazyRelations.length > 0) this.#lazyRelations.enable(lazyRelations, entity, this.runner);
  }

  /** The classes of an inheritance tree are told apart by the object. */
  shapeFor(entity: unknown): EntityShape {
    return shapeOf(this.#metadataOf(entity).findInheritanceMetadata(entity));
  }

  // --- what may be stored ---

  add(entity: object): void {
    const shape = this.shapeFor(entity);
    const known = trackedOf(entity);
    if (known === undefined) {
      const tracked = new TrackedObject(entity, shape, shape.keyOf(entity));
      tracked.state = 'pending';
      this.map.add(tracked);
      giveToJson(tracked);
    } else if (this.#isOurs(known)) known.isMarkedDeleted = false;
    else this.#attach(known);
  }

  /** The row goes at the next flush. */
  delete(entity: object): void {
    const shape = this.shapeFor(entity);
    const known = trackedOf(entity);
    if (known === undefined || known.state === 'pending')
      throw new ObjectStateError(`${nameOf(shape)} is not persisted: only what has a row can be deleted.`);
    if (this.undo.hasDeleted(known)) {
      known.state = 'persistent';
      this.map.add(known);
    } else if (!this.#isOurs(known)) this.#attach(known);
    known.isMarkedDeleted = true;
  }

  /** The session forgets the object; its row stays as it is. */
  expunge(entity: object): void {
    const shape = this.shapeFor(entity);
    const known = trackedOf(entity);
    const isDeletedHere = known !== undefined && this.undo.hasDeleted(known);
    if (known === undefined || !(this.#isOurs(known) || isDeletedHere))
      throw new ObjectStateError(`${nameOf(shape)} is not present in this session.`);
    if (known.state === 'pending') return makeTransient(this.map, known);
    this.undo.forget(known);
    known.wasDeleted = isDeletedHere;
    this.#detach(known);
  }

  expungeAll(): void {
    for (const { entity } of [...this.map, ...this.undo.deleted]) this.expunge(entity);
  }

  /** The object has no row any more, as far as it knows: it can be added as a new one. */
  makeTransient(entity: object): void {
    this.shapeFor(entity);
    const known = trackedOf(entity);
    if (known === undefined) return;
    if (known.owner !== undefined && !this.#isOurs(known)) throw alreadyAttached(known);
    this.undo.forget(known);
    makeTransient(this.map, known);
  }

  /** The object stands for a row that is there, of which only the key is known. */
  makeTransientToDetached(entity: object): void {
    const shape = this.shapeFor(entity);
    if (trackedOf(entity) !== undefined) throw new ObjectStateError('The given object must be transient.');
    const key = shape.keyOf(entity);
    if (key === undefined) throw new ObjectStateError(`${nameOf(shape)} has no key that could name its row.`);
    const tracked = new TrackedObject(entity, shape, key);
    this.map.add(tracked);
    this.#detach(tracked);
    expire(tracked);
  }

  // --- what is there ---

  has(entity: object): boolean {
    this.shapeFor(entity);
    return this.map.of(entity) !== undefined;
  }

  *[Symbol.iterator](): IterableIterator<object> {
    for (const { entity } of this.map) yield entity;
  }

  /** Added, and not flushed yet. */
  get new(): Set<object> {
    return this.#entities(({ state }) => state === 'pending');
  }

  get deleted(): Set<object> {
    return this.#entities(({ isMarkedDeleted }) => isMarkedDeleted);
  }

  /** Those with a net change. */
  get dirty(): Set<object> {
    return this.#entities(
      (tracked) => tracked.state === 'persistent' && !tracked.isMarkedDeleted && isChanged(tracked),
    );
  }

  /** Whether a flush would store something of the object itself. */
  isModified(entity: object, withCollections: boolean): boolean {
    this.shapeFor(entity);
    const tracked = trackedOf(entity);
    return tracked !== undefined && (tracked.state === 'pending' || isChanged(tracked, withCollections));
  }

  /** What a flush would store, for messages: names of classes and properties, no values. */
  unflushed(): string[] {
    const changes = [...this.map].flatMap((tracked) => {
      const { name } = tracked.shape.metadata;
      if (tracked.state === 'pending') return [`new ${name}`];
      if (tracked.isMarkedDeleted) return [`deleted ${name}`];
      return changedProperties(tracked).map((property) => `${name}.${property}`);
    });
    return [...new Set(changes)];
  }

  /** The tracked object of one that is persistent here. */
  persistent(entity: object): TrackedObject {
    const shape = this.shapeFor(entity);
    const tracked = this.map.of(entity);
    if (tracked?.state === 'persistent') return tracked;
    throw new ObjectStateError(`${nameOf(shape)} is not persistent within this session.`);
  }

  // --- the end ---

  /** Nothing of it is tracked any more: what was added is transient again, everything else is detached as it is. */
  close(): void {
    this.undo.committed();
    for (const tracked of this.map) {
      if (tracked.state === 'pending') unstamp(tracked);
      else tracked.state = 'detached';
      tracked.isMarkedDeleted = false;
    }
    this.map.clear();
  }

  /** @param expires - what the next transaction sees may be something else */
  committed(expires: boolean): void {
    this.undo.committed();
    if (expires) this.expireAll();
  }

  expireAll(): void {
    for (const tracked of this.map) if (tracked.state === 'persistent') expire(tracked);
  }

  #entities(is: (tracked: TrackedObject) => boolean): Set<object> {
    return new Set([...this.map].filter(is).map(({ entity }) => entity));
  }

  #isOurs(tracked: TrackedObject): boolean {
    return tracked.owner === this.map;
  }

  #detach(tracked: TrackedObject): void {
    this.map.remove(tracked);
    tracked.state = 'detached';
    tracked.isMarkedDeleted = false;
  }

  /** An object of an earlier session: with what it held then, and what was changed since. */
  #attach(known: TrackedObject): void {
    if (known.owner !== undefined) throw alreadyAttached(known);
    if (known.state === 'deleted' || known.wasDeleted)
      throw new ObjectStateError(
        `${nameOf(known.shape)} has been deleted. Use makeTransient() to send it back to the transient state.`,
      );
    const { metadata } = known.shape;
    if (known.key !== undefined && this.map.get(metadata, known.key) !== undefined)
      throw new ObjectStateError(
        `This ${metadata.name} cannot be attached: another object with its key is already present in this session. ` +
          'Use merge().',
      );
    known.state = 'persistent';
    this.map.add(known);
    this.takeLazyRelations(known);
  }

  #metadataOf(entity: unknown): EntityMetadata {
    const owner: unknown = typeof entity === 'object' && entity !== null ? entity.constructor : undefined;
    if (typeof owner === 'function' && this.dataSource.hasMetadata(owner))
      return this.dataSource.getMetadata(owner);
    throw new UnmappedInstanceError(unmapped(entity, this.dataSource));
  }
}

function nameOf({ metadata }: EntityShape): string {
  return `This object of class ${metadata.name}`;
}

function alreadyAttached({ shape }: TrackedObject): ObjectStateError {
  return new ObjectStateError(
    `${nameOf(shape)} is already attached to another session. Use merge() for a copy in this one.`,
  );
}

function unmapped(entity: unknown, dataSource: DataSource): string {
  if (typeof entity === 'function' && dataSource.hasMetadata(entity))
    return `An object of class ${entity.name} was required, and the class itself was given.`;
  const what = typeof entity === 'object' && entity !== null ? entity.constructor?.name : typeof entity;
  return (
    `${what ?? 'An object without a class'} is not mapped: it is no entity of this DataSource. Of plain values make an ` +
    'object first: session.manager.create(Entity, values).'
  );
}
