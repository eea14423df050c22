/** One database of the application: its DataSource is found (or made), adopted, and given back at the end. */
import { Inject, type InjectionToken, Logger } from '@nestjs/common';
import { ModuleRef, type ModulesContainer } from '@nestjs/core';
import { DataSource, type DataSourceOptions } from 'typeorm';
import {
  type Adoption,
  engineOf,
  hasEngine,
  isDataSource,
  isPlainObject,
  ENGINE_RULES,
  type EngineOptions,
  refuseLargerPool,
} from '../engine/index.js';
import { CircularDataSourceError, InvalidOptionError, NoDataSourceError } from '../errors.js';
import { joinDataSource, ScopedSession, sessionFactory, SessionsOfScopes } from '../session/index.js';
import type { ActiveWork } from './active-work.js';
import { hostsOf, nameOfToken, pathTo, singletonsOf } from './container.js';
import type { Databases } from './databases.js';
import { readEnvironment } from './environment.js';
import { featureEntities } from './feature-providers.js';
import { findDataSource, otherDataSources, type Ours } from './find-data-source.js';
import { notFound } from './not-found.js';
import { OPTIONS_OF_SESSIONS, type ScopedSessionModuleOptions } from './module-options.js';
import { dataSourceToken, DEFAULT_NAME } from './tokens.js';

/** What the module hands over; `dataSource` and `name` are known before any provider is made. */
export interface AdoptionRequest {
  readonly name: string;
  readonly dataSource: ScopedSessionModuleOptions['dataSource'];
  readonly optionsToken: InjectionToken;
  readonly ours: Ours;
}

export interface AdoptionSite {
  readonly container: ModulesContainer;
  readonly moduleRef: ModuleRef;
  readonly databases: Databases;
  readonly work: ActiveWork;
}

export class AdoptedDatabase {
  readonly scoped: ScopedSession;
  readonly #adoption: Adoption;
  readonly #madeEngine: boolean;
  readonly #logger = new Logger('ScopedSessionModule');
  #options: ScopedSessionModuleOptions = {};

  private constructor(
    readonly name: string,
    readonly dataSource: DataSource,
    private readonly isOurs: boolean,
    private readonly site: AdoptionSite,
  ) {
    const warn = (message: string): void => site.work.warn(message);
    this.#madeEngine = !hasEngine(dataSource);
    const engine = engineOf(dataSource);
    const { settings } = site.databases;
    const { settleTimeoutMs } = settings;
    const factory = sessionFactory(engine, { name, warn, settleTimeoutMs, notFound });
    // Who asks for another database by name means that one.
    if (name === DEFAULT_NAME) factory.reach(() => site.databases.binds);
    this.scoped = new ScopedSession(factory, new SessionsOfScopes(factory, site.work));
    const repositories = (): 'join' | 'leave' => this.#options.repositories ?? 'join';
    this.#adoption = joinDataSource(engine, this.scoped, {
      warn,
      get repositories() {
        return repositories();
      },
    });
  }

  /** Waits for nothing but the DataSource: managers that are made before the adoption are half-joined until the sweep. */
  static async adopt(request: AdoptionRequest, site: AdoptionSite): Promise<AdoptedDatabase> {
    site.databases.reserve(request.name);
    const { dataSource, isOurs } = await locate(request, site);
    if (isOurs && !dataSource.isInitialized) await dataSource.initialize();
    return new AdoptedDatabase(request.name, dataSource, isOurs, site);
  }

  /** The options came; they hold for sessions from now on, and none was made yet. */
  configure(options: ScopedSessionModuleOptions): this {
    refuseLargerPool(this.dataSource, options);
    this.#options = options;
    this.site.databases.add(this, options);
    const { settleTimeoutMs } = this.site.databases.settings;
    this.#adoption.engine.configure(engineOptionsOf(options));
    const ofSessions = Object.fromEntries(OPTIONS_OF_SESSIONS.map((name) => [name, options[name]]));
    this.scoped.sessionFactory.configure({ ...ofSessions, settleTimeoutMs });
    return this;
  }

  /** All providers are made: those that took a manager early are found here. */
  sweep(): void {
    const early = this.#adoption.sweep(singletonsOf(this.site.container));
    const { type, database } = this.dataSource.options;
    const place = typeof database === 'string' ? ` ${database}` : '';
    const mode = this.#options.repositories === 'leave' ? 'stay plain' : 'join';
    this.#logger.log(
      `Adopted the DataSource "${this.name}" (${type}${place}): repositories ${mode}` +
        `${early === 0 ? '' : `, ${early} made earlier included`}.`,
    );
    for (const warning of warningsOf(this.dataSource)) this.#logger.warn(warning);
  }

  async release(): Promise<void> {
    this.#adoption.undo();
    // An engine that was there before is somebody else's.
    if (this.#madeEngine) await this.#adoption.engine.dispose();
    if (this.isOurs && this.dataSource.isInitialized) await this.dataSource.destroy();
  }
}

interface Located {
  readonly dataSource: DataSource;
  readonly isOurs: boolean;
}

async function locate(request: AdoptionRequest, site: AdoptionSite): Promise<Located> {
  const { name, ours } = request;
  if (request.dataSource !== undefined) return fromOption(request.dataSource, request, site);
  const found = await findDataSource(site.container, dataSourceToken(name), ours);
  if (found !== undefined) return { dataSource: found, isOurs: false };
  const { dataSource } = await optionsOf(request, site);
  if (dataSource !== undefined) return fromOption(dataSource, request, site);
  const others = await otherDataSources(site.container, ours);
  if (others.length > 0) {
    throw new NoDataSourceError(
      `No module provides the DataSource "${name}" under its token, but there is one under ${others.join(', ')}: ` +
        'forRoot({ dataSource: TOKEN }) says which to use.',
    );
  }
  return fromEnvironment(request, site);
}

async function fromOption(
  given: NonNullable<ScopedSessionModuleOptions['dataSource']>,
  request: AdoptionRequest,
  site: AdoptionSite,
): Promise<Located> {
  if (isDataSource(given)) return { dataSource: given, isOurs: !given.isInitialized };
  if (isPlainObject(given)) return make(given as unknown as DataSourceOptions, request, site);
  if (typeof given !== 'string' && typeof given !== 'symbol' && typeof given !== 'function') {
    throw new InvalidOptionError(
      'dataSource must be a DataSource, TypeORM options for one, or an injection token.',
    );
  }
  const found = await findDataSource(site.container, given, request.ours);
  if (found !== undefined) return { dataSource: found, isOurs: false };
  throw new NoDataSourceError(
    `No module of the application provides ${nameOfToken(given)}, which forRoot({ dataSource }) names.`,
  );
}

async function fromEnvironment(request: AdoptionRequest, site: AdoptionSite): Promise<Located> {
  const options = request.name === 'default' ? readEnvironment() : undefined;
  if (options !== undefined) return make(options, request, site);
  throw new NoDataSourceError(
    `There is no DataSource "${request.name}". Import TypeOrmModule.forRoot(…), provide TypeORM's DataSource in a module, ` +
      'pass forRoot({ dataSource }), or set DATABASE_URL (or DB_TYPE, DB_HOST, …) for the default one.',
  );
}

async function make(
  options: DataSourceOptions,
  request: AdoptionRequest,
  site: AdoptionSite,
): Promise<Located> {
  const { poolSize, maxOverflow = 0 } = await optionsOf(request, site);
  const { entities = [] } = options;
  const all = Array.isArray(entities) ? entities : Object.values(entities as object);
  const union = [...new Set<unknown>([...all, ...featureEntities(site.container, request.name)])];
  const own = { entities: union, ...(poolSize !== undefined && { poolSize: poolSize + maxOverflow }) };
  return { dataSource: new DataSource({ ...options, ...own } as DataSourceOptions), isOurs: true };
}

function engineOptionsOf(options: ScopedSessionModuleOptions): EngineOptions {
  const ofEngine = Object.entries(options).filter(([name]) => Object.hasOwn(ENGINE_RULES, name));
  return Object.fromEntries(ofEngine);
}

/** Options that a factory makes; asked for only where nothing else says which database is meant. */
async function optionsOf(
  { optionsToken, ours }: AdoptionRequest,
  { container, moduleRef }: AdoptionSite,
): Promise<ScopedSessionModuleOptions> {
  const host = hostsOf(container, optionsToken).find(
    ({ providers }) => providers.get(ModuleRef)?.instance === moduleRef,
  )!;
  const path = pathTo(container, host.providers.get(optionsToken)!, ours.tokens);
  if (path !== undefined) {
    throw new CircularDataSourceError(
      `${path.join(' -> ')}: the options of forRootAsync wait for the DataSource that is made with them.`,
    );
  }
  class Probe {
    constructor(readonly options: ScopedSessionModuleOptions) {}
  }
  Inject(optionsToken)(Probe, undefined, 0);
  return (await moduleRef.create(Probe)).options;
}

function warningsOf(dataSource: DataSource): string[] {
  const { extra } = dataSource.options as { extra?: { multipleStatements?: boolean } };
  const { multipleStatements } = dataSource.options as { multipleStatements?: boolean };
  const warnings: string[] = [];
  if (extra?.multipleStatements === true || multipleStatements === true) {
    warnings.push(
      'multipleStatements is on: one injected semicolon is enough to run a statement of somebody else.',
    );
  }
  if (Object.hasOwn(dataSource, 'transaction')) {
    warnings.push(
      'Another library (typeorm-transactional?) has replaced dataSource.transaction: its REQUIRES_NEW becomes a savepoint ' +
        'of the session here. Use scopedSession.independently(fn).',
    );
  }
  return warnings;
}
