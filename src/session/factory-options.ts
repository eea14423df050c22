/** The options of a session factory, and how they are read. */
import type { DataSource } from 'typeorm';
import { callable, Engine, engineOf, integer, isDataSource, text } from '../engine/index.js';
import { InvalidOptionError } from '../errors.js';
import { type BindsOption, bindsFrom } from './bind-options.js';
import type { EndingOptions } from './ending.js';
import type { NotFound } from './not-found.js';
import { type RetryOptions, retryRule } from './retry.js';
import { SESSION_RULES, type SessionOptions, type Warn } from './session-options.js';
import { SessionBase } from './session.js';

/** The class that a factory makes sessions of: `SessionBase` or one that extends it. */
export type SessionClass = new (...given: ConstructorParameters<typeof SessionBase>) => SessionBase;

/** Options of a factory: those of its sessions, and what only the factory knows. */
export interface SessionFactoryOptions extends SessionOptions {
  /** Where sessions get their connections, instead of the first argument. */
  readonly dataSource?: DataSource | Engine;
  /** What errors call the database, where a unit of work has several. Default `default`. */
  readonly name?: string;
  /**
   * Databases that the sessions reach besides their own, by name: classes that only one of them knows, or that
   * `@BindKey(name)` puts there, are handed to it. SQLAlchemy's `Session(binds={…})`; committed in this order, after their own.
   */
  readonly binds?: BindsOption;
  /** A class of your own that extends `SessionBase`. */
  readonly sessionClass?: SessionClass;
  /** Gets warnings that no caller waits for. Default: `process.emitWarning`. */
  readonly warn?: Warn;
  /** Makes the errors of `getOr404` and its kin. Default: `NotFoundError`. */
  readonly notFound?: NotFound;
  /** Milliseconds that the end of a scope waits for statements which nobody awaited. Default 5 000. */
  readonly settleTimeoutMs?: number;
}

/** Options of `sessionFactory.begin`: those of its session, and whether the work is run again. */
export interface BeginOptions extends SessionOptions {
  /** Runs the work again when it failed and is known to have stored nothing; left out, it runs once. */
  readonly retry?: RetryOptions;
}

export const BEGIN_RULES = { ...SESSION_RULES, retry: retryRule };

export const FACTORY_RULES = {
  ...SESSION_RULES,
  dataSource: engineFrom,
  name: text,
  binds: bindsFrom,
  sessionClass: sessionClassFrom,
  warn: warnFrom,
  notFound: callable<NotFound>(),
  settleTimeoutMs: integer(0),
};

export type FactorySettings = Omit<SessionFactoryOptions, 'dataSource' | 'binds'> & {
  readonly dataSource?: Engine;
  readonly binds?: ReturnType<typeof bindsFrom>;
};

/** Level and begin must exist on the database, whichever of the two was given last. */
export function checked(settings: FactorySettings): FactorySettings {
  settings.dataSource?.refuseUnusable(settings);
  return settings;
}

export function endingOptionsOf({
  warn = warnProcess,
  settleTimeoutMs = 5_000,
}: FactorySettings): EndingOptions {
  return { commit: 'onSuccess', warn, settleTimeoutMs };
}

export function engineFrom(value: unknown, name: string): Engine {
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
