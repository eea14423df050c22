/** The part of a session that says what is to be stored, and how its objects are. */
import { InvalidParameterError, requireFunction } from '../errors.js';
import {
  IdentityView,
  inspectObject,
  type ObjectInspection,
  type UnitOfWork,
} from '../unit-of-work/index.js';
import { mergeOptions } from './object-options.js';
import { promised, SessionCore, startedTransactionOf, transactionOf, unitOfWorkOf } from './session-core.js';
import type { SessionUnitOfWork } from './session-objects-api.js';

export class TrackingSession extends SessionCore implements SessionUnitOfWork {
  get autoflush(): boolean {
    return transactionOf(this).tracking.autoflush;
  }

  set autoflush(value: boolean) {
    if (typeof value !== 'boolean') throw new InvalidParameterError('autoflush is true or false.');
    transactionOf(this).tracking.autoflush = value;
  }

  add(entity: object): void {
    this.#using().add(entity);
  }

  addAll(entities: Iterable<object>): void {
    const work = this.#using();
    for (const entity of entities) work.add(entity);
  }

  delete(entity: object): void {
    this.#using().delete(entity);
  }

  async merge<E extends object>(entity: E, options?: { readonly load?: boolean }): Promise<E> {
    this.#using();
    return promised(this, async () => transactionOf(this).tracking.merge(entity, mergeOptions(options)));
  }

  expunge(entity: object): void {
    unitOfWorkOf(this).expunge(entity);
  }

  expungeAll(): void {
    unitOfWorkOf(this).expungeAll();
  }

  has(entity: object): boolean {
    return unitOfWorkOf(this).has(entity);
  }

  [Symbol.iterator](): IterableIterator<object> {
    return this.#objects()?.[Symbol.iterator]() ?? [].values();
  }

  get new(): ReadonlySet<object> {
    return this.#objects()?.new ?? new Set();
  }

  get dirty(): ReadonlySet<object> {
    return this.#objects()?.dirty ?? new Set();
  }

  get deleted(): ReadonlySet<object> {
    return this.#objects()?.deleted ?? new Set();
  }

  get identityMap(): IdentityView {
    const { map, dataSource } = unitOfWorkOf(this);
    return new IdentityView(map, dataSource);
  }

  isModified(
    entity: object,
    { includeCollections = true }: { readonly includeCollections?: boolean } = {},
  ): boolean {
    return unitOfWorkOf(this).isModified(entity, includeCollections);
  }

  inspect(entity: object): ObjectInspection {
    unitOfWorkOf(this).shapeFor(entity);
    return inspectObject(entity);
  }

  flush(): Promise<void> {
    return promised(this, () => transactionOf(this).tracking.flush());
  }

  noAutoflush<T>(fn: () => T): T {
    requireFunction(fn, 'The argument of noAutoflush');
    return transactionOf(this).tracking.withoutAutoflush(fn);
  }

  makeTransient(entity: object): void {
    unitOfWorkOf(this).makeTransient(entity);
  }

  makeTransientToDetached(entity: object): void {
    unitOfWorkOf(this).makeTransientToDetached(entity);
  }

  /** To look needs no transaction. */
  #objects(): UnitOfWork | undefined {
    return startedTransactionOf(this)?.startedTracking?.work;
  }

  /** To change what is tracked begins the transaction. */
  #using(): UnitOfWork {
    const transaction = transactionOf(this);
    transaction.refuseUntracked();
    return transaction.tracking.touch();
  }
}
