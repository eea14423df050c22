/** ScopedSession: the current scope's session behind one object, SQLAlchemy's scoped_session. */
import type { ObjectLiteral } from 'typeorm';
import { requireFunction, SessionAlreadyPresentError } from '../errors.js';
import type { Registry, Scope } from '../scope/index.js';
import type { SessionFactoryOptions } from './factory-options.js';
import type { ModelsListener } from './model-signals.js';
import { passOn } from './pass-on.js';
import { isPromised } from './promised-members.js';
import { type MakeQuery, type QueryProperty, queryProperty } from './query-property.js';
import { withRetry } from './retry.js';
import { readRunOptions, type RunOptions } from './run-options.js';
import type { SessionApi } from './session-api.js';
import type { SessionQuery } from './session-objects-api.js';
import type { SessionFactory } from './session-factory.js';
import type { SessionOptions } from './session-options.js';
import type { SessionPlace, Work } from './session-places.js';
import { SessionBase } from './session.js';
import { startedTransactionOf } from './session-core.js';
import { readTransactionalOptions, transactional, type TransactionalOptions } from './transactional.js';

// The members are put on the prototype below; this gives them their types without writing them down again.
const PassedOn = class {} as unknown as new () => SessionApi;

/**
 * Passes every member of the session on to the session of the running code's scope, which is made when it is first needed.
 *
 * @example
 * ```ts
 * import { createEngine, scopedSession, sessionFactory } from 'nestjs-scoped-session';
 * const engine = await createEngine('sqlite+sqljs:///:memory:').initialize();
 * const session = scopedSession(sessionFactory(engine));
 * await session.run(async () => {
 *   await session.execute('CREATE TABLE note (text TEXT)');
 *   await session.execute('INSERT INTO note VALUES (:text)', { text: 'hello' });
 * });
 * ```
 */
export class ScopedSession extends PassedOn {
  readonly #factory: SessionFactory;
  readonly #place: SessionPlace;

  /** @internal */
  constructor(factory: SessionFactory, place: SessionPlace) {
    super();
    this.#factory = factory;
    this.#place = place;
  }

  /** Another object with the same sessions. @internal */
  view(): ScopedSession {
    return new ScopedSession(this.#factory, this.#place);
  }

  get sessionFactory(): SessionFactory {
    return this.#factory;
  }

  get registry(): Registry<SessionBase> {
    return this.#place.registry;
  }

  /**
   * The scope's session, made when there is none.
   *
   * @param options - only for a session that is made by this call
   * @throws `SS_ERR_NO_ACTIVE_SCOPE` outside a scope, `SS_ERR_SESSION_CLOSED` after its end,
   *   `SS_ERR_SESSION_ALREADY_PRESENT` when options come too late
   */
  current(options?: SessionOptions): SessionBase {
    const { registry } = this.#place;
    if (options === undefined || Object.keys(options).length === 0) return registry.get();
    if (registry.has()) throw new SessionAlreadyPresentError(ALREADY_PRESENT);
    const session = this.#place.create(options);
    registry.set(session);
    return session;
  }

  /** Nothing where there is no session: whoever only looks at an object may iterate over it. */
  override [Symbol.iterator](): IterableIterator<object> {
    return this.registry.has() ? this.current()[Symbol.iterator]() : [].values();
  }

  /**
   * Closes the scope's session (a rollback where something is open) and forgets it, whatever fails.
   *
   * @throws `SS_ERR_ILLEGAL_STATE_CHANGE` inside `beginNested(fn)`, and then nothing is forgotten
   */
  async remove(): Promise<void> {
    const { registry } = this.#place;
    const session = registry.has() ? registry.get() : undefined;
    const transaction = session && startedTransactionOf(session);
    if (session === undefined || transaction === undefined) return registry.clear();
    transaction.turns.refuseChange('remove()');
    registry.clear();
    try {
      await session.close();
    } catch (error) {
      // Forgotten with its connection, it would make the next session wait for it.
      transaction.discard(error);
      await transaction.startedHooks?.tell();
      throw error;
    } finally {
      this.#place.removed(session);
    }
  }

  /** Changes the factory's options for sessions made from now on; warns when the scope has its session already. */
  configure(options: SessionFactoryOptions): void {
    if (this.#place.registry.has()) {
      process.emitWarning(
        'At least one scoped session is already present. configure() can not affect sessions that have already been created.',
        { type: 'ScopedSessionWarning' },
      );
    }
    this.#factory.configure(options);
  }

  /**
   * Opens a scope, runs `fn` in it, commits and tears it down; rolls back when `fn` throws. Inside another scope it is a
   * unit of work of its own. With a scope function of one's own: the same with the session of the current key.
   *
   * @param fn - the work; gets the session, and so does everything it calls
   * @param options - `label`, `client`, `isolation`, `readOnly`, `timeoutMs` (of one attempt; no limit when left out), `retry`: `fn` is
   *   called again, in a new scope with a new session, after a failure that left nothing behind
   * @returns what `fn` returns, after the COMMIT was acknowledged
   * @throws what `fn` throws, else what the commit throws, in the last attempt; `SS_ERR_INVALID_OPTION`
   *
   * @example
   * ```ts
   * import type { ScopedSession } from 'nestjs-scoped-session';
   * export const rename = (session: ScopedSession, id: number, name: string) =>
   *   session.run(() => session.execute('UPDATE account SET name = :name WHERE id = :id', { id, name }), {
   *     retry: { times: 3 },
   *   });
   * ```
   */
  async run<T>(fn: (session: SessionBase) => Promise<T> | T, options?: RunOptions): Promise<T> {
    return this.#run('run', fn, options);
  }

  /**
   * Runs `fn` in a scope, with a session and a connection, of its own, whatever scope is around: what it stores stays
   * when the work around fails. The same as `run`, under the name that says why it stands inside another unit of work.
   *
   * @throws as `run`; on SQLite `SS_ERR_SELF_DEADLOCK` when the work around holds the only connection
   */
  async independently<T>(fn: (session: SessionBase) => Promise<T> | T, options?: RunOptions): Promise<T> {
    return this.#run('independently', fn, options);
  }

  async #run<T>(way: 'run' | 'independently', fn: Work<T>, options: RunOptions | undefined): Promise<T> {
    requireFunction(fn, `The first argument of ${way}`);
    const { retry, ...own } = readRunOptions(way, options);
    const work = { label: `scopedSession.${way}`, ...own };
    return withRetry((counted) => this.#place[way](fn, { ...work, counted }), retry);
  }

  /**
   * Runs `fn` as a part of the work, with the propagation of Spring: what it does about the unit of work around it.
   *
   * @param fn - gets the session; undefined where it runs outside of every unit of work (`NOT_SUPPORTED`, `NEVER`, and
   *   `SUPPORTS` where none is open)
   * @param options - `propagation` (default `REQUIRED`), `isolation`, `readOnly`, `timeoutMs`, `retry`, `label`. `timeoutMs` and
   *   `retry` hold where the part opens a unit of work
   * @returns what `fn` returns; where it has opened a unit of work, after the COMMIT
   * @throws what `fn` throws. A part that has joined and fails makes the whole fail: where the error is caught, the end of the
   *   unit of work throws `SS_ERR_UNEXPECTED_ROLLBACK`. `SS_ERR_PROPAGATION`, `SS_ERR_CONFLICTING_TRANSACTION_OPTIONS` where
   *   it asks for another isolation than the transaction that runs has, `SS_ERR_SELF_DEADLOCK`, `SS_ERR_INVALID_OPTION`
   *
   * @example
   * ```ts
   * import type { ScopedSession } from 'nestjs-scoped-session';
   * export const audit = (session: ScopedSession, text: string) =>
   *   session.transactional((own) => own!.execute('INSERT INTO audit (text) VALUES (:text)', { text }), {
   *     propagation: 'REQUIRES_NEW',
   *   });
   * ```
   */
  async transactional<T>(
    fn: (session: SessionBase | undefined) => Promise<T> | T,
    options?: TransactionalOptions,
  ): Promise<T> {
    requireFunction(fn, 'The first argument of transactional');
    return transactional(this.#place, fn, readTransactionalOptions('transactional', options));
  }

  /**
   * Describes a property of a class of entities whose value is a new query of the current scope's session each time it is
   * read; a class that extends it queries itself. SQLAlchemy's `query_property`.
   *
   * @param make - makes something else of the builder; gets it and the class
   * @throws when it is read: `SS_ERR_NO_ACTIVE_SCOPE`, `SS_ERR_INVALID_PARAMETER` on anything else than a class
   *
   * @example
   * ```ts
   * import type { ScopedSession, SessionQuery } from 'nestjs-scoped-session';
   * import { Column, Entity, PrimaryColumn } from 'typeorm';
   *
   * @Entity()
   * export class User {
   *   declare static readonly query: SessionQuery<User>;
   *
   *   @PrimaryColumn()
   *   name!: string;
   *
   *   @Column()
   *   active!: boolean;
   * }
   *
   * export const addQuery = (session: ScopedSession) =>
   *   Object.defineProperty(User, 'query', session.queryProperty());
   * export const activeUsers = () => User.query.where({ active: true }).getMany();
   * ```
   */
  queryProperty<E extends ObjectLiteral>(): QueryProperty<SessionQuery<E>>;
  queryProperty<E extends ObjectLiteral, Query>(make: MakeQuery<E, Query>): QueryProperty<Query>;
  queryProperty<E extends ObjectLiteral>(make?: MakeQuery<E, unknown>): QueryProperty<unknown> {
    if (make !== undefined) requireFunction(make, 'The argument of queryProperty');
    return queryProperty<E, unknown>((owner) => this.query(owner), make ?? ((builder) => builder));
  }

  /** `sessionFactory.beforeModelsCommitted`, of these sessions: told of what a COMMIT is to store; returns what ends it. */
  beforeModelsCommitted(listener: ModelsListener): () => void {
    return this.#factory.beforeModelsCommitted(listener);
  }

  /** `sessionFactory.modelsCommitted`, of these sessions: told of what a COMMIT has stored; returns what ends it. */
  modelsCommitted(listener: ModelsListener): () => void {
    return this.#factory.modelsCommitted(listener);
  }

  /** The session that `scope` has. @internal */
  sessionOf(scope: Scope): SessionBase | undefined {
    return this.#place.sessionOf(scope);
  }
}

const ALREADY_PRESENT =
  'Scoped session is already present; no new options may be specified. Pass them to the first call in the scope, or call ' +
  'remove() first.';

passOn(
  SessionBase.prototype,
  ScopedSession.prototype,
  (scoped) => (scoped as ScopedSession).current(),
  isPromised,
);
