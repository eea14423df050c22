/** What a session offers for objects: loading them, saying what is to become of them, and asking how they are. */
import type {
  DeepPartial,
  EntityTarget,
  FindManyOptions,
  FindOneOptions,
  FindOptionsWhere,
  ObjectLiteral,
  SelectQueryBuilder,
} from 'typeorm';
import type { IdentityView, ObjectInspection } from '../unit-of-work/index.js';

/** What names a row: the value of its key, the values of a composite key in order, or an object such as `{ id: 1 }`. */
export type Identifier = string | number | bigint | Date | Uint8Array | readonly unknown[] | ObjectLiteral;

/** A class of entities; names are TypeORM's. */
export type EntityClass<E extends ObjectLiteral> = Exclude<EntityTarget<E>, string>;

/** Options of `get` and `getOrFail`. */
export interface GetOptions<E extends ObjectLiteral = ObjectLiteral> {
  /** Locks the row, and always asks for it. */
  readonly lock?: RowLock;
  /** Asks for the row also when the object is there, and overwrites the object with it. Default false. */
  readonly populateExisting?: boolean;
  /** Loaded with it, where the object has to be loaded. */
  readonly relations?: FindOneOptions<E>['relations'];
  /** Finds what was removed softly too. Default false. */
  readonly withDeleted?: boolean;
}

/** The locks that `get` and `refresh` can take. */
export const ROW_LOCKS = [
  'pessimistic_read',
  'pessimistic_write',
  'for_no_key_update',
  'for_key_share',
] as const;
/** One of `ROW_LOCKS`. */
export type RowLock = (typeof ROW_LOCKS)[number];

/** A query builder of TypeORM's whose objects are tracked. */
export interface SessionQuery<E extends ObjectLiteral> extends SelectQueryBuilder<E> {
  /** Overwrites objects that are loaded already, unflushed changes included. */
  populateExisting(): this;
}

/** Options of `bulkSaveObjects`. */
export interface BulkSaveOptions {
  /** Keys and whatever else the database makes of new rows are written into the objects, which are detached then. Default false. */
  readonly returnDefaults?: boolean;
  /** Of objects that were loaded, stores only what was changed since. Default true. */
  readonly updateChangedOnly?: boolean;
}

/** Options of `bulkInsertMappings`. */
export interface BulkInsertOptions {
  /** Keys and whatever else the database makes of new rows are written into the mappings. Default false. */
  readonly returnDefaults?: boolean;
  /** Stores null where a mapping says null; else the column's default, as where it says nothing. Default false. */
  readonly renderNulls?: boolean;
}

/** Loading: what these return is tracked, and one object per row. */
export interface SessionLoading {
  /**
   * The object of a row by its primary key; no statement is sent when it is loaded already.
   *
   * @throws `SS_ERR_INVALID_PARAMETER` for an identifier that is no key of the class
   */
  get<E extends ObjectLiteral>(
    target: EntityTarget<E>,
    identifier: Identifier,
    options?: GetOptions<E>,
  ): Promise<E | null>;
  /** The same. Throws `SS_ERR_NO_RESULT_FOUND` (HTTP 404) where there is no such row. */
  getOrFail<E extends ObjectLiteral>(
    target: EntityTarget<E>,
    identifier: Identifier,
    options?: GetOptions<E>,
  ): Promise<E>;
  find<E extends ObjectLiteral>(target: EntityTarget<E>, options?: FindManyOptions<E>): Promise<E[]>;
  findBy<E extends ObjectLiteral>(
    target: EntityTarget<E>,
    where: FindOptionsWhere<E> | FindOptionsWhere<E>[],
  ): Promise<E[]>;
  findOne<E extends ObjectLiteral>(target: EntityTarget<E>, options: FindOneOptions<E>): Promise<E | null>;
  findOneBy<E extends ObjectLiteral>(
    target: EntityTarget<E>,
    where: FindOptionsWhere<E> | FindOptionsWhere<E>[],
  ): Promise<E | null>;
  count<E extends ObjectLiteral>(target: EntityTarget<E>, options?: FindManyOptions<E>): Promise<number>;
  exists<E extends ObjectLiteral>(target: EntityTarget<E>, options?: FindManyOptions<E>): Promise<boolean>;
  /** TypeORM's select builder over a class; nothing is sent before it is asked. */
  query<E extends ObjectLiteral>(target: EntityClass<E>, alias?: string): SessionQuery<E>;
  /** Sends a statement as TypeORM's `query` does: the driver's own placeholders, the driver's own answer. */
  query<T = unknown>(sql: string, positional?: readonly unknown[]): Promise<T>;
  /**
   * Loads the object's row again into it, and the relations that were loaded; its unflushed changes are given up.
   *
   * @param properties - only these columns and relations; a relation that was not loaded is loaded
   * @throws `SS_ERR_OBJECT_STATE` for what is not persistent here, `SS_ERR_OBJECT_DELETED` where its row is gone
   */
  refresh(
    entity: object,
    properties?: readonly string[],
    options?: { readonly lock?: RowLock },
  ): Promise<void>;
  /** What the object holds is not to be trusted any more: reading it throws until it is loaded again. */
  expire(entity: object, properties?: readonly string[]): void;
  /** The same of every object of the session. */
  expireAll(): void;
}

/** The unit of work: what is to be stored, and the states of objects. */
export interface SessionUnitOfWork {
  /** Whether queries store what was changed first. */
  autoflush: boolean;
  /** The next flush stores it. Throws `SS_ERR_OBJECT_STATE`, `SS_ERR_UNMAPPED_INSTANCE`. */
  add(entity: object): void;
  addAll(entities: Iterable<object>): void;
  /** The next flush deletes its row. Throws `SS_ERR_OBJECT_STATE` for what has none. */
  delete(entity: object): void;
  /**
   * Copies the object's state onto the object that this session has for the same row, and returns that one.
   *
   * @param options - `load: false` takes it as it is, without a look at the database; it must have been loaded by a session
   *   before, and not be changed since
   * @throws `SS_ERR_STALE_DATA` when its version is not the row's
   */
  merge<E extends object>(entity: E, options?: { readonly load?: boolean }): Promise<E>;
  /** The session forgets the object. Throws `SS_ERR_OBJECT_STATE` for what is not in it. */
  expunge(entity: object): void;
  expungeAll(): void;
  has(entity: object): boolean;
  [Symbol.iterator](): IterableIterator<object>;
  /** Added, and not stored yet. */
  readonly new: ReadonlySet<object>;
  /** Changed since they were loaded. */
  readonly dirty: ReadonlySet<object>;
  /** To be deleted by the next flush. */
  readonly deleted: ReadonlySet<object>;
  readonly identityMap: IdentityView;
  /** Whether a flush would store something of the object itself. */
  isModified(entity: object, options?: { readonly includeCollections?: boolean }): boolean;
  inspect(entity: object): ObjectInspection;
  /**
   * Sends what was added, changed and deleted.
   *
   * @throws what the database refuses, `SS_ERR_STALE_DATA`; the transaction is rolled back then, and `rollback()` has to be
   *   called
   */
  flush(): Promise<void>;
  /**
   * Stores objects with as few statements as possible, in their order: an INSERT for new ones, an UPDATE for those that were
   * loaded. Nothing is tracked, no listener or subscriber hears of it, nothing cascades, nothing else is flushed, and the
   * objects stay as they are: a change stored here is a change still to the session that has the object.
   *
   * @throws as `flush()`; `SS_ERR_OBJECT_STATE` for an object that was added, `SS_ERR_UNMAPPED_INSTANCE`
   *
   * @example
   * ```ts
   * import type { Session } from 'nestjs-scoped-session';
   * export const importAll = (session: Session, notes: object[]) =>
   *   session.bulkSaveObjects(notes, { returnDefaults: true });
   * ```
   */
  bulkSaveObjects(entities: Iterable<object>, options?: BulkSaveOptions): Promise<void>;
  /**
   * The same of new rows, for which there are values only: columns and relations that have one, by their properties.
   *
   * @throws as `flush()`; `SS_ERR_INVALID_PARAMETER` before anything is sent, naming properties that the class has not
   */
  bulkInsertMappings<E extends ObjectLiteral>(
    target: EntityTarget<E>,
    mappings: Iterable<DeepPartial<E>>,
    options?: BulkInsertOptions,
  ): Promise<void>;
  /**
   * The same of rows that are there: each mapping has the whole primary key, and what is to be changed. With the version in
   * it, the row must still have that version. Objects that are loaded keep what they hold: `refresh` them.
   *
   * @throws as `flush()`; `SS_ERR_INVALID_PARAMETER` before anything is sent, `SS_ERR_STALE_DATA` where a row is not there
   */
  bulkUpdateMappings<E extends ObjectLiteral>(
    target: EntityTarget<E>,
    mappings: Iterable<DeepPartial<E>>,
  ): Promise<void>;
  /** Runs `fn`; queries from inside it do not flush. */
  noAutoflush<T>(fn: () => T): T;
  /** The object is as if it was new. */
  makeTransient(entity: object): void;
  /** The object stands for a row that is there; add it to load it. Throws `SS_ERR_OBJECT_STATE`. */
  makeTransientToDetached(entity: object): void;
}
