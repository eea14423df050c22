/** SessionFactory: makes sessions with the same options, SQLAlchemy's sessionmaker. */
import type { DataSource } from 'typeorm';
import { type Engine, readOptions } from '../engine/index.js';
import { requireFunction, suppress } from '../errors.js';
import type { Scope } from '../scope/index.js';
import { bindsWith } from './bind-factories.js';
import { Binds } from './binds.js';
import type { Enlist, ReachedDatabase, SessionSite } from './bound-factory.js';
import { Binding } from './binding.js';
import type { EndingOptions } from './ending.js';
import {
  BEGIN_RULES,
  type BeginOptions,
  checked,
  endingOptionsOf,
  engineFrom,
  FACTORY_RULES,
  type FactorySettings,
  type SessionFactoryOptions,
} from './factory-options.js';
import { noticeForgotten } from './forgotten-sessions.js';
import { ModelSignals, type ModelsListener } from './model-signals.js';
import { type Counted, withRetry } from './retry.js';
import { commitsOf, SessionBase } from './session.js';
import { SESSION_RULES, type SessionOptions } from './session-options.js';
import type { Transaction } from './transaction.js';

/**
 * Makes sessions.
 *
 * @example
 * ```ts
 * import { createEngine, sessionFactory } from 'nestjs-scoped-session';
 * const engine = await createEngine('sqlite+sqljs:///:memory:').initialize();
 * const sessions = sessionFactory(engine, { isolation: 'SERIALIZABLE' });
 * const two = await sessions.begin((session) => session.scalar('SELECT 1 + 1'));
 * ```
 */
export class SessionFactory {
  #settings: FactorySettings;
  #endingOptions: EndingOptions;
  #binds: Binds<ReachedDatabase> | undefined;
  #signals = new ModelSignals();

  /** @internal */
  constructor(target: DataSource | Engine | undefined, options: SessionFactoryOptions | undefined) {
    const settings = readOptions('sessionFactory', options, FACTORY_RULES) as FactorySettings;
    this.#settings = checked(
      target === undefined ? settings : { ...settings, dataSource: engineFrom(target, 'The DataSource') },
    );
    this.#endingOptions = endingOptionsOf(this.#settings);
    this.#binds = this.#givenBinds();
  }

  /** Where the sessions get their connections; undefined until one is configured. */
  get engine(): Engine | undefined {
    return this.#settings.dataSource;
  }

  /** How units of work over these sessions end. @internal */
  get endingOptions(): EndingOptions {
    return this.#endingOptions;
  }

  /**
   * A new session; nothing is connected yet. It is the caller's: no scope ends it.
   *
   * @param overrides - options for this one; `info` is merged with the factory's
   * @throws `SS_ERR_INVALID_OPTION`
   */
  create(overrides?: SessionOptions): SessionBase {
    return this.#make(overrides, undefined, (transaction, session) =>
      this.noticeForgotten(session, transaction),
    );
  }

  /**
   * A new session that belongs to `scope`.
   *
   * @param enlist - called at the session's first use, so that the scope's end has something to do
   * @internal
   */
  createIn(
    scope: Scope,
    enlist: (transaction: Transaction) => void,
    overrides?: SessionOptions,
  ): SessionBase {
    return this.#make(overrides, scope, enlist);
  }

  #make(
    overrides: SessionOptions | undefined,
    scope: Scope | undefined,
    enlist: Enlist,
    { name = this.#settings.name ?? DEFAULT_NAME, maker }: Bound = {},
  ): SessionBase {
    const own = overrides && readOptions('create', overrides, SESSION_RULES);
    const settings = own === undefined ? this.#settings : checked({ ...this.#settings, ...own });
    const { dataSource: engine, sessionClass = SessionBase } = this.#settings;
    const info = own?.info === undefined ? this.#settings.info : { ...this.#settings.info, ...own.info };
    if (engine === undefined) return new sessionClass(undefined, info);
    const site = { scope, enlist, overrides, maker };
    return new sessionClass(
      new Binding(engine, settings, site, this.endingOptions, this.#signals, name, this.#binds),
      info,
    );
  }

  /** Warns when `session` is dropped while it holds a connection. @internal */
  noticeForgotten(session: object, transaction: Transaction): void {
    // Whoever holds only the manager holds the session too.
    transaction.session = session;
    const { warn } = this.endingOptions;
    noticeForgotten(session, { slot: transaction.leaseSlot, label: transaction.label, warn });
  }

  /** Changes the options of sessions made from now on. Throws `SS_ERR_INVALID_OPTION`. */
  configure(options: SessionFactoryOptions): void {
    const changed = readOptions('configure', options, FACTORY_RULES) as FactorySettings;
    this.#settings = checked({ ...this.#settings, ...changed });
    this.#endingOptions = endingOptionsOf(this.#settings);
    if (this.#settings.binds !== undefined) this.#binds = this.#givenBinds();
  }

  #givenBinds(): Binds<ReachedDatabase> | undefined {
    const name = this.#settings.name ?? DEFAULT_NAME;
    const others = bindsWith(this.#settings, (engine, options) => {
      const other = new SessionFactory(engine, options);
      // Nobody else has that factory: who listens here is told of what it stores.
      other.#signals = this.#signals;
      return other;
    });
    if (others === undefined) return undefined;
    const all = [{ name, factory: this, entities: [] }, ...others];
    return new Binds(name, () => all);
  }

  /**
   * Makes sessions reach the other databases of their application.
   *
   * @param list - all of them in the order of their commits, this one included
   * @internal
   */
  reach(list: () => readonly ReachedDatabase[]): void {
    this.#binds = new Binds(this.#settings.name ?? DEFAULT_NAME, list);
  }

  /**
   * A session that another one has made, to hand to it what belongs here; it has its place and its overrides.
   *
   * @internal
   */
  createBound(name: string, site: SessionSite): SessionBase {
    // What is begun, the other one says.
    const { scope, enlist, overrides, maker } = site;
    return this.#make({ ...overrides, autobegin: true }, scope, enlist, { name, maker });
  }

  /**
   * Calls `listener` before each COMMIT with the objects that it is to store, each once with what became of it in all; with none
   * it is not called. It is awaited, what it adds is stored too, and what it throws prevents the COMMIT. Of bulk operations,
   * SQL and TypeORM's own writes it is not told. Flask-SQLAlchemy's `before_models_committed`.
   *
   * @returns ends it
   * @throws `SS_ERR_INVALID_OPTION` without `trackModifications: true`
   */
  beforeModelsCommitted(listener: ModelsListener): () => void {
    return this.#signals.beforeCommit(listener, this.#settings.trackModifications ?? false);
  }

  /**
   * The same after each COMMIT; what `listener` throws is reported (`warn`) and changes nothing. Flask-SQLAlchemy's
   * `models_committed`.
   *
   * @returns ends it
   * @throws `SS_ERR_INVALID_OPTION` without `trackModifications: true`
   */
  modelsCommitted(listener: ModelsListener): () => void {
    return this.#signals.committed(listener, this.#settings.trackModifications ?? false);
  }

  /**
   * Runs `fn` with a new session in a transaction: commits when it returns, rolls back when it throws, closes always.
   *
   * @param options - those of the session, and `retry`: `fn` is called again, with a new session, after a failure that left
   *   nothing behind
   * @throws what `fn` or the commit throws, in the last attempt; an error of the clean-up is attached to it (`suppressed`);
   *   `SS_ERR_INVALID_OPTION`
   */
  async begin<T>(fn: (session: SessionBase) => Promise<T>, options?: BeginOptions): Promise<T> {
    requireFunction(fn, 'The first argument of begin');
    const { retry, ...overrides } = readOptions('begin', options, BEGIN_RULES);
    return withRetry((counted) => this.#begin(fn, overrides, counted), retry);
  }

  async #begin<T>(
    fn: (session: SessionBase) => Promise<T>,
    overrides: SessionOptions,
    counted: Counted | undefined,
  ): Promise<T> {
    // It is closed whatever happens: nobody can forget it.
    const session = this.#make(overrides, undefined, () => undefined);
    counted?.(commitsOf(session));
    try {
      await session.begin();
      const result = await fn(session);
      await session.commit();
      return result;
    } catch (error) {
      await session.rollback().catch((later: unknown) => suppress(error, later));
      throw error;
    } finally {
      await session.close();
    }
  }
}

/**
 * Makes a factory of sessions, SQLAlchemy's `sessionmaker`.
 *
 * @param target - an engine or a DataSource; may be left out and configured later
 * @param options - what the sessions have in common
 * @throws `SS_ERR_INVALID_OPTION`, `SS_ERR_UNUSABLE_DATA_SOURCE`
 */
export function sessionFactory(
  target?: DataSource | Engine,
  options?: SessionFactoryOptions,
): SessionFactory {
  return new SessionFactory(target, options);
}

const DEFAULT_NAME = 'default';

/** What another session has said of one that is made for it. */
type Bound = Pick<SessionSite, 'maker'> & { readonly name?: string };
