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
import { classOf } from './route-to-binds.js';
import {
  bindingOf,
  otherOf,
  promised,
  type SessionCore,
  startedTransactionOf,
  togetherOf,
  transactionOf,
  unitOfWorkOf,
} from './session-core.js';
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
    this.#using();
    for (const entity of entities) this.add(entity);
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
    for (const session of togetherOf(this)) unitOfWorkOf(session).expungeAll();
  }

  has(entity: object): boolean {
    return unitOfWorkOf(this).has(entity);
  }

  [Symbol.iterator](): IterableIterator<object> {
    return this.#objects((work) => work).values();
  }

  get new(): ReadonlySet<object> {
    return this.#objects((work) => work.new);
  }

  get dirty(): ReadonlySet<object> {
    return this.#objects((work) => work.dirty);
  }

  get deleted(): ReadonlySet<object> {
    return this.#objects((work) => work.deleted);
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
    return promised(this, async () => {
      // One after the other, as they will be committed. oxlint-disable-next-line no-await-in-loop
      for (const session of togetherOf(this)) await transactionOf(session).tracking.flush();
    });
  }

  bulkSaveObjects(entities: Iterable<object>, options?: BulkSaveOptions): Promise<void> {
    const name = 'bulkSaveObjects';
    return promised(this, async () => {
      const { returnDefaults = false, updateChangedOnly = true } = readOptions(name, options, SAVE_RULES);
      requireIterable(entities, name);
      // What is given is checked, and copied, before the first is stored.
      const stored = [...bySession(this, entities, name)].map(([session, own]) =>
        bulk(session, name, (work) => [rowsOfObjects(work, own, updateChangedOnly), returnDefaults]),
      );
      await Promise.all(stored);
    });
  }

  bulkInsertMappings<E extends ObjectLiteral>(
    target: EntityTarget<E>,
    mappings: Iterable<DeepPartial<E>>,
    options?: BulkInsertOptions,
  ): Promise<void> {
    const name = 'bulkInsertMappings';
    return bulk(this, name, ({ dataSource }) => {
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
    return bulk(this, name, ({ dataSource }) => {
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

  /** To look needs no transaction. */
  #objects(those: (work: UnitOfWork) => Iterable<object>): Set<object> {
    const works = togetherOf(this).map((session) => startedTransactionOf(session)?.startedTracking?.work);
    return new Set(works.flatMap((work) => (work === undefined ? [] : [...those(work)])));
  }

  /** To change what is tracked begins the transaction. */
  #using(): UnitOfWork {
    const transaction = transactionOf(this);
    refuseUntracked(transaction);
    return transaction.tracking.touch();
  }
}

/** What is given is checked, and copied, at the call. */
function bulk(
  session: SessionCore,
  name: string,
  read: (work: UnitOfWork) => [rows: BulkRow[], returnDefaults: boolean],
): Promise<void> {
  return promised(session, async () => {
    const transaction = transactionOf(session);
    transaction.refuseAfterEnd();
    refuseReadOnly(transaction, `${name}()`);
    const { tracking } = transaction;
    await tracking.bulk(`${name}()`, ...read(tracking.work));
  });
}

/** The objects by the session of their class, in their order. */
function bySession(
  session: SessionCore,
  entities: Iterable<object>,
  use: string,
): ReadonlyMap<SessionCore, Iterable<object>> {
  if (bindingOf(session).binds === undefined) return new Map([[session, entities]]);
  const found = new Map<SessionCore, object[]>();
  for (const entity of entities) {
    const own = otherOf(session, classOf(entity), use) ?? session;
    found.set(own, [...(found.get(own) ?? []), entity]);
  }
  return found;
}

function requireIterable(given: unknown, name: string): void {
  if (typeof given === 'object' && given !== null && Symbol.iterator in given) return;
  throw new InvalidParameterError(`${name} takes an array, or something else to go through.`);
}
