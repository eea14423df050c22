/** SessionFactory: makes sessions with the same options, SQLAlchemy's sessionmaker. */
import type { DataSource } from 'typeorm';
import {
  Engine,
  engineOf,
  integer,
  isDataSource,
  type IsolationLevel,
  readOptions,
} from '../engine/index.js';
import { InvalidOptionError, requireFunction, suppress } from '../errors.js';
import type { Scope } from '../scope/index.js';
import type { EndingOptions } from './ending.js';
import { noticeForgotten } from './forgotten-sessions.js';
import { SessionBase, type SessionBinding } from './session.js';
import { SESSION_RULES, type SessionOptions, type Warn } from './session-options.js';
import { Transaction } from './transaction.js';
import type { TransactionSettings } from './transaction-settings.js';

/** The class that a factory makes sessions of: `SessionBase` or one that extends it. */
export type SessionClass = new (...given: ConstructorParameters<typeof SessionBase>) => SessionBase;

/** Options of a factory: those of its sessions, and what only the factory knows. */
export interface SessionFactoryOptions extends SessionOptions {
  /** Where sessions get their connections, instead of the first argument. */
  readonly dataSource?: DataSource | Engine;
  /** A class of your own that extends `SessionBase`. */
  readonly sessionClass?: SessionClass;
  /** Gets warnings that no caller waits for. Default: `process.emitWarning`. */
  readonly warn?: Warn;
  /** Milliseconds that the end of a scope waits for statements which nobody awaited. Default 5 000. */
  readonly settleTimeoutMs?: number;
}

const FACTORY_RULES = {
  ...SESSION_RULES,
  dataSource: engineFrom,
  sessionClass: sessionClassFrom,
  warn: warnFrom,
  settleTimeoutMs: integer(0),
};

type FactorySettings = Omit<SessionFactoryOptions, 'dataSource'> & { readonly dataSource?: Engine };

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

  /** @internal */
  constructor(target: DataSource | Engine | undefined, options: SessionFactoryOptions | undefined) {
    const settings = readOptions('sessionFactory', options, FACTORY_RULES) as FactorySettings;
    this.#settings = checked(
      target === undefined ? settings : { ...settings, dataSource: engineFrom(target, 'The DataSource') },
    );
    this.#endingOptions = endingOptionsOf(this.#settings);
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
    enlist: (transaction: Transaction, session: object) => void,
  ): SessionBase {
    const own = overrides && readOptions('create', overrides, SESSION_RULES);
    const settings = own === undefined ? this.#settings : checked({ ...this.#settings, ...own });
    const { dataSource: engine, sessionClass = SessionBase } = this.#settings;
    const info = own?.info === undefined ? this.#settings.info : { ...this.#settings.info, ...own.info };
    if (engine === undefined) return new sessionClass(undefined, info);
    return new sessionClass(new Binding(engine, settings, scope, enlist, this.endingOptions), info);
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
  }

  /**
   * Runs `fn` with a new session in a transaction: commits when it returns, rolls back when it throws, closes always.
   *
   * @throws what `fn` or the commit throws; an error of the clean-up is attached to it (`suppressed`)
   */
  async begin<T>(fn: (session: SessionBase) => Promise<T>, overrides?: SessionOptions): Promise<T> {
    requireFunction(fn, 'The first argument of begin');
    // It is closed whatever happens: nobody can forget it.
    const session = this.#make(overrides, undefined, () => undefined);
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

/**
 * What a session is made on, and its transaction with it. Most sessions of requests are looked at and not used: what a
 * transaction needs is made at the first use.
 */
class Binding implements SessionBinding, TransactionSettings {
  constructor(
    readonly engine: Engine,
    private readonly settings: FactorySettings,
    readonly scope: Scope | undefined,
    private readonly enlist: (transaction: Transaction, session: object) => void,
    private readonly ending: EndingOptions,
  ) {}

  get label(): string | undefined {
    return this.settings.label;
  }

  get autobegin(): boolean {
    return this.settings.autobegin ?? true;
  }

  get isolation(): IsolationLevel | undefined {
    return this.settings.isolation;
  }

  get readOnly(): boolean | undefined {
    return this.settings.readOnly;
  }

  get warn(): Warn {
    return this.ending.warn;
  }

  get settleTimeoutMs(): number {
    return this.ending.settleTimeoutMs;
  }

  start(session: object): Transaction {
    const { scope } = this;
    const transaction = new Transaction(this.engine, this);
    if (scope?.isOpen === false) transaction.state.end(scope.endedBy);
    else this.enlist(transaction, session);
    return transaction;
  }
}

/** The level must exist on the database, whichever of the two was given last. */
function checked(settings: FactorySettings): FactorySettings {
  settings.dataSource?.refuseUnknownIsolation(settings.isolation);
  return settings;
}

function endingOptionsOf({ warn = warnProcess, settleTimeoutMs = 5_000 }: FactorySettings): EndingOptions {
  return { commit: 'onSuccess', warn, settleTimeoutMs };
}

function engineFrom(value: unknown, name: string): Engine {
  if (value instanceof Engine) return value;
  if (isDataSource(value)) return engineOf(value);
  throw new InvalidOptionError(`${name} must be a TypeORM DataSource or an engine made by createEngine.`);
}

function sessionClassFrom(value: unknown, name: string): SessionClass {
  const isSessionClass =
    typeof value === 'function' && (value === SessionBase || value.prototype instanceof SessionBase);
  if (!isSessionClass)
    throw new InvalidOptionError(`${name} must be SessionBase or a class that extends it.`);
  return value as unknown as SessionClass;
}

function warnFrom(value: unknown, name: string): Warn {
  if (typeof value !== 'function') throw new InvalidOptionError(`${name} must be a function.`);
  return value as Warn;
}

const warnProcess: Warn = (message) => process.emitWarning(message, { type: 'ScopedSessionWarning' });
