/** The part of a session that says what is to be stored, and how its objects are. */
import type { DeepPartial, EntityTarget, ObjectLiteral } from 'typeorm';
import { flag, readOptions, type Rules } from '../engine/index.js';
import { InvalidParameterError, requireFunction } from '../errors.js';
import {
  type BulkRow,
  IdentityView,
  inspectObject,
  type ObjectInspection,
  rowsOfObjects,
  rowsToInsert,
  rowsToUpdate,
  type UnitOfWork,
} from '../unit-of-work/index.js';
import { mergeOptions } from './object-options.js';
import { refuseReadOnly, refuseUntracked } from './refuse-untracked.js';
import { HookingSession } from './hooking-session.js';
import { promised, startedTransactionOf, transactionOf, unitOfWorkOf } from './session-core.js';
import type { BulkInsertOptions, BulkSaveOptions, SessionUnitOfWork } from './session-objects-api.js';

const SAVE_RULES: Rules<BulkSaveOptions> = { returnDefaults: flag, updateChangedOnly: flag };
const INSERT_RULES: Rules<BulkInsertOptions> = { returnDefaults: flag, renderNulls: flag };

export class TrackingSession extends HookingSession implements SessionUnitOfWork {
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

  bulkSaveObjects(entities: Iterable<object>, options?: BulkSaveOptions): Promise<void> {
    const name = 'bulkSaveObjects';
    return this.#bulk(name, () => {
      const { returnDefaults = false, updateChangedOnly = true } = readOptions(name, options, SAVE_RULES);
      requireIterable(entities, name);
      return [rowsOfObjects(unitOfWorkOf(this), entities, updateChangedOnly), returnDefaults];
    });
  }

  bulkInsertMappings<E extends ObjectLiteral>(
    target: EntityTarget<E>,
    mappings: Iterable<DeepPartial<E>>,
    options?: BulkInsertOptions,
  ): Promise<void> {
    const name = 'bulkInsertMappings';
    return this.#bulk(name, ({ dataSource }) => {
      const { returnDefaults = false, renderNulls = false } = readOptions(name, options, INSERT_RULES);
      requireIterable(mappings, name);
      return [rowsToInsert(dataSource, target, mappings, renderNulls), returnDefaults];
    });
  }

  bulkUpdateMappings<E extends ObjectLiteral>(
    target: EntityTarget<E>,
    mappings: Iterable<DeepPartial<E>>,
  ): Promise<void> {
    const name = 'bulkUpdateMappings';
    return this.#bulk(name, ({ dataSource }) => {
      requireIterable(mappings, name);
      return [rowsToUpdate(dataSource, target, mappings), false];
    });
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

  /** What is given is checked, and copied, at the call. */
  #bulk(name: string, read: (work: UnitOfWork) => [rows: BulkRow[], returnDefaults: boolean]): Promise<void> {
    return promised(this, async () => {
      const transaction = transactionOf(this);
      transaction.refuseAfterEnd();
      refuseReadOnly(transaction, `${name}()`);
      const { tracking } = transaction;
      await tracking.bulk(`${name}()`, ...read(tracking.work));
    });
  }

  /** To look needs no transaction. */
  #objects(): UnitOfWork | undefined {
    return startedTransactionOf(this)?.startedTracking?.work;
  }

  /** To change what is tracked begins the transaction. */
  #using(): UnitOfWork {
    const transaction = transactionOf(this);
    refuseUntracked(transaction);
    return transaction.tracking.touch();
  }
}

function requireIterable(given: unknown, name: string): void {
  if (typeof given === 'object' && given !== null && Symbol.iterator in given) return;
  throw new InvalidParameterError(`${name} takes an array, or something else to go through.`);
}
