/** The part of a fake session that knows objects: they are the given ones, and what was added. */
import type { EntityTarget, FindManyOptions, FindOneOptions, FindOptionsWhere, ObjectLiteral } from 'typeorm';
import { InvalidOptionError, NoResultFoundError } from '../errors.js';
import { type Identifier, SessionBase } from '../session/index.js';
import { FakeObjects, type FakeObjectsOptions, unknown } from './fake-objects.js';

type Where<E extends ObjectLiteral> = FindOptionsWhere<E> | FindOptionsWhere<E>[];

export class FakeObjectSession extends SessionBase {
  protected readonly objects: FakeObjects;
  #autoflush = true;

  constructor(options: FakeObjectsOptions) {
    super(undefined);
    this.objects = new FakeObjects(options);
  }

  override get autoflush(): boolean {
    return this.#autoflush;
  }

  override set autoflush(value: boolean) {
    this.#autoflush = value;
  }

  override noAutoflush<T>(fn: () => T): T {
    return fn();
  }

  // --- loading ---

  override async get<E extends ObjectLiteral>(
    target: EntityTarget<E>,
    identifier: Identifier,
  ): Promise<E | null> {
    return this.objects.get(target, identifier);
  }

  override async getOrFail<E extends ObjectLiteral>(
    target: EntityTarget<E>,
    identifier: Identifier,
  ): Promise<E> {
    const found = this.objects.get(target, identifier);
    if (found !== null) return found;
    throw new NoResultFoundError(`No ${(target as { name: string }).name} was found when one was required.`);
  }

  override async find<E extends ObjectLiteral>(
    target: EntityTarget<E>,
    options?: FindManyOptions<E>,
  ): Promise<E[]> {
    return this.objects.find(target, options);
  }

  override async findBy<E extends ObjectLiteral>(target: EntityTarget<E>, where: Where<E>): Promise<E[]> {
    return this.objects.findBy(target, where);
  }

  override async findOne<E extends ObjectLiteral>(
    target: EntityTarget<E>,
    options: FindOneOptions<E>,
  ): Promise<E | null> {
    return (await this.find(target, options))[0] ?? null;
  }

  override async findOneBy<E extends ObjectLiteral>(
    target: EntityTarget<E>,
    where: Where<E>,
  ): Promise<E | null> {
    return (await this.findBy(target, where))[0] ?? null;
  }

  override async count<E extends ObjectLiteral>(
    target: EntityTarget<E>,
    options?: FindManyOptions<E>,
  ): Promise<number> {
    return (await this.find(target, options)).length;
  }

  override async exists<E extends ObjectLiteral>(
    target: EntityTarget<E>,
    options?: FindManyOptions<E>,
  ): Promise<boolean> {
    return (await this.count(target, options)) > 0;
  }

  /** An object is as new as it ever will be. */
  override async refresh(entity: object): Promise<void> {
    this.objects.requirePresent(entity);
  }

  override expire(entity: object): void {
    this.objects.requirePresent(entity);
  }

  override expireAll(): void {
    // What they hold is all that there is.
  }

  // --- the unit of work ---

  override add(entity: object): void {
    this.objects.add(requireObject(entity));
  }

  override addAll(entities: Iterable<object>): void {
    for (const entity of entities) this.add(entity);
  }

  override delete(entity: object): void {
    this.objects.delete(entity);
  }

  override async merge<E extends object>(entity: E): Promise<E> {
    if (this.objects.has(requireObject(entity))) return entity;
    const known = this.objects.like(entity);
    const into = (known ?? Object.create(Object.getPrototypeOf(entity) as object)) as E;
    const given = Object.entries(entity).filter(([, value]) => value !== undefined);
    if (known === undefined) this.objects.add(into);
    return Object.assign(into, Object.fromEntries(given));
  }

  override expunge(entity: object): void {
    this.objects.expunge(entity);
  }

  override expungeAll(): void {
    for (const entity of this.objects) this.objects.expunge(entity);
  }

  override has(entity: object): boolean {
    return this.objects.has(entity);
  }

  override [Symbol.iterator](): IterableIterator<object> {
    return this.objects[Symbol.iterator]();
  }

  override get new(): ReadonlySet<object> {
    return new Set(this.objects.new);
  }

  override get deleted(): ReadonlySet<object> {
    return new Set(this.objects.deleted);
  }

  override async flush(): Promise<void> {
    this.objects.flush();
  }

  override async bulkSaveObjects(entities: Iterable<object>): Promise<void> {
    for (const entity of entities) this.objects.store(requireObject(entity));
  }

  // --- what would have to know rows and columns ---

  override get dirty(): never {
    throw unknown('what was changed');
  }

  override get identityMap(): never {
    throw unknown('the identity map');
  }

  override isModified(): never {
    throw unknown('what was changed');
  }

  override inspect(): never {
    throw unknown('the states of objects');
  }

  override makeTransient(): never {
    throw unknown('makeTransient()');
  }

  override makeTransientToDetached(): never {
    throw unknown('makeTransientToDetached()');
  }

  override async bulkInsertMappings(): Promise<never> {
    throw unknown('bulkInsertMappings()');
  }

  override async bulkUpdateMappings(): Promise<never> {
    throw unknown('bulkUpdateMappings()');
  }
}

function requireObject<E extends object>(entity: E): E {
  if (typeof entity === 'object' && entity !== null) return entity;
  throw new InvalidOptionError('An object was required.');
}
