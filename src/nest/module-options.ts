/** The options of forRoot, what of them belongs to one database and what to the application's units of work. */
import type { MiddlewareConsumer, ModuleMetadata, Type } from '@nestjs/common';
import type { DataSource, DataSourceOptions } from 'typeorm';
import { type OnTaskError, TASK_LIMITS } from '../background/index.js';
import {
  anything,
  callable,
  ENGINE_RULES,
  integer,
  listOf,
  oneOf,
  readOptions,
  text,
  type EngineOptions,
  type Rule,
  type Rules,
} from '../engine/index.js';
import {
  commitMode,
  repositoryMode,
  SESSION_RULES,
  type CommitMode,
  type RepositoryMode,
  type RollbackOn,
  type SessionOptions as SessionSettings,
} from '../session/index.js';
import { readYourWritesRule, type ReadYourWritesOptions } from './client-of.js';
import { DEFAULT_NAME } from './tokens.js';

/** A route as Nest's `MiddlewareConsumer.exclude` takes it. */
export type ExcludedRoute = Parameters<ReturnType<MiddlewareConsumer['apply']>['exclude']>[number];

/** What may become of a running request whose client has gone: it ends as it would, or it is rolled back. */
export const ABORT_POLICIES = ['finish', 'rollback'] as const;
/** One of `ABORT_POLICIES`. */
export type AbortPolicy = (typeof ABORT_POLICIES)[number];

/** Options of how every unit of work of the application ends; given in one `forRoot` only. */
export interface UnitOfWorkOptions {
  /** `onSuccess` (default) commits when the handler succeeds; `manual` rolls back what was not committed by hand. */
  readonly commit?: CommitMode;
  /** Overrides which outcomes are rolled back. Default: any error, and any status of 400 and above. */
  readonly rollbackOn?: RollbackOn;
  /** Routes that get no session, as patterns of Nest's `MiddlewareConsumer.exclude`. Default none. */
  readonly exclude?: readonly ExcludedRoute[];
  /** `finish` (default): a handler whose client has gone goes on and commits. `rollback`: its work is undone. */
  readonly onClientAbort?: AbortPolicy;
  /** Milliseconds that the end waits for statements which nobody awaited. Default 5 000. */
  readonly settleTimeoutMs?: number;
  /** Milliseconds that a request may take once it uses a session. Default 60 000; server-sent events are exempt. */
  readonly scopeTimeoutMs?: number;
  /** Milliseconds that a shutdown waits for units of work. Default 10 000. */
  readonly drainTimeoutMs?: number;
  /** Background tasks that run at the same time, 1 and up. Default 5, but always one less than a pool lends. */
  readonly backgroundConcurrency?: number;
  /** Background tasks that are accepted beyond those, 0 and up; one more is refused. Default 1 000. */
  readonly backgroundQueueLimit?: number;
  /** Is told of the error of a background task, which is logged in any case. */
  readonly onBackgroundError?: OnTaskError;
  /** Lets clients read on replicas no later than what they wrote. Default: only within one unit of work. */
  readonly readYourWrites?: ReadYourWritesOptions;
}

/** What the sessions of a database have in common. */
export const OPTIONS_OF_SESSIONS = [
  'isolation',
  'readOnly',
  'begin',
  'unrepeatableReads',
  'twoPhase',
  'unitOfWork',
  'autoflush',
  'expireOnCommit',
  'recordQueries',
  'trackModifications',
] as const satisfies readonly (keyof SessionSettings)[];
type OptionOfSessions = (typeof OPTIONS_OF_SESSIONS)[number];

/** The options of `ScopedSessionModule.forRoot`. */
export interface ScopedSessionModuleOptions
  extends UnitOfWorkOptions, EngineOptions, Pick<SessionSettings, OptionOfSessions> {
  /** The database's name, for `@Session(name)`. Default `default`. */
  readonly name?: string;
  /** A DataSource, TypeORM's options for one, or the injection token of one. Default: found in the application. */
  readonly dataSource?: DataSource | DataSourceOptions | string | symbol | Type;
  /** `join` (default): repositories take part in the session. `leave`: they stay plain TypeORM. */
  readonly repositories?: RepositoryMode;
}

/** Makes the options at run time. */
export interface ScopedSessionOptionsFactory {
  createScopedSessionOptions(): Promise<ScopedSessionModuleOptions> | ScopedSessionModuleOptions;
}

/** The options of `ScopedSessionModule.forRootAsync`; `name` and `dataSource` stand beside the factory. */
export interface ScopedSessionModuleAsyncOptions
  extends Pick<ModuleMetadata, 'imports'>, Pick<ScopedSessionModuleOptions, 'name' | 'dataSource'> {
  readonly useFactory?: (
    ...given: never[]
  ) => Promise<Omit<ScopedSessionModuleOptions, 'name'>> | Omit<ScopedSessionModuleOptions, 'name'>;
  readonly inject?: readonly (
    string | symbol | Type | { token: string | symbol | Type; optional: boolean }
  )[];
  readonly useClass?: Type<ScopedSessionOptionsFactory>;
  readonly useExisting?: Type<ScopedSessionOptionsFactory>;
}

export const UNIT_OF_WORK_RULES: Rules<UnitOfWorkOptions> = {
  commit: commitMode,
  rollbackOn: callable<RollbackOn>(),
  exclude: listOf(anything<ExcludedRoute>()),
  onClientAbort: oneOf(ABORT_POLICIES),
  settleTimeoutMs: integer(0),
  scopeTimeoutMs: integer(1),
  drainTimeoutMs: integer(0),
  backgroundConcurrency: integer(1),
  backgroundQueueLimit: integer(0),
  onBackgroundError: callable<OnTaskError>(),
  readYourWrites: readYourWritesRule,
};

const MODULE_RULES: Rules<ScopedSessionModuleOptions> = {
  ...UNIT_OF_WORK_RULES,
  ...ENGINE_RULES,
  isolation: SESSION_RULES.isolation,
  readOnly: SESSION_RULES.readOnly,
  begin: SESSION_RULES.begin,
  unrepeatableReads: SESSION_RULES.unrepeatableReads,
  twoPhase: SESSION_RULES.twoPhase,
  unitOfWork: SESSION_RULES.unitOfWork,
  autoflush: SESSION_RULES.autoflush,
  expireOnCommit: SESSION_RULES.expireOnCommit,
  recordQueries: SESSION_RULES.recordQueries,
  trackModifications: SESSION_RULES.trackModifications,
  name: text,
  dataSource: anything<ScopedSessionModuleOptions['dataSource']>(),
  repositories: repositoryMode,
};

const ASYNC_RULES: Rules<ScopedSessionModuleAsyncOptions> = {
  imports: listOf(anything<NonNullable<ModuleMetadata['imports']>[number]>()) as Rule<
    ModuleMetadata['imports']
  >,
  name: MODULE_RULES.name,
  dataSource: MODULE_RULES.dataSource,
  useFactory: callable(),
  inject: listOf(anything()),
  useClass: callable(),
  useExisting: callable(),
};

export const UNIT_OF_WORK_DEFAULTS = {
  commit: 'onSuccess',
  onClientAbort: 'finish',
  exclude: [],
  settleTimeoutMs: 5_000,
  scopeTimeoutMs: 60_000,
  drainTimeoutMs: 10_000,
  backgroundQueueLimit: TASK_LIMITS.queueLimit,
} as const satisfies UnitOfWorkOptions;

export function readModuleOptions(
  given: unknown,
  what = 'ScopedSessionModule.forRoot',
): ScopedSessionModuleOptions {
  return readOptions(what, given, MODULE_RULES);
}

export function readAsyncOptions(given: unknown): ScopedSessionModuleAsyncOptions {
  return readOptions('ScopedSessionModule.forRootAsync', given, ASYNC_RULES);
}

export function nameOf(options: { readonly name?: string }): string {
  return options.name ?? DEFAULT_NAME;
}
