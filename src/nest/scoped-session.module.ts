/** ScopedSessionModule: forRoot, forRootAsync, forFeature; thin, for the work is done by what it provides. */
import {
  type DynamicModule,
  type InjectionToken,
  Inject,
  Module,
  type OnApplicationShutdown,
  type OnModuleInit,
  type Provider,
  Scope as ProviderScope,
} from '@nestjs/common';
import { ModuleRef, ModulesContainer } from '@nestjs/core';
import { InvalidOptionError } from '../errors.js';
import type { ScopedSession } from '../session/index.js';
import { ActiveWork } from './active-work.js';
import { AdoptedDatabase } from './adopted-database.js';
import { Databases } from './databases.js';
import { featureProviders, featureTokens } from './feature-providers.js';
import {
  nameOf,
  readAsyncOptions,
  readModuleOptions,
  type ScopedSessionModuleAsyncOptions,
  type ScopedSessionModuleOptions,
  type ScopedSessionOptionsFactory,
} from './module-options.js';
import { ScopedSessionCoreModule } from './scoped-session-core.module.js';
import {
  dataSourceToken,
  DEFAULT_NAME,
  entityManagerToken,
  type EntityOrRepository,
  getScopedSessionToken,
  getSessionToken,
} from './tokens.js';

// Under the same token in each `forRoot` module. Texts, for Nest's own messages cannot print symbols.
const DATABASE = 'nestjs-scoped-session:database';
const OPTIONS = 'nestjs-scoped-session:options';

type OptionsProviders = (token: InjectionToken) => Provider[];

/**
 * Gives every unit of work of the application one session.
 *
 * @example
 * ```ts
 * import { Module } from '@nestjs/common';
 * import { TypeOrmModule } from '@nestjs/typeorm';
 * import { ScopedSessionModule } from 'nestjs-scoped-session';
 * @Module({
 *   imports: [TypeOrmModule.forRoot({ type: 'sqljs', autoLoadEntities: true }), ScopedSessionModule.forRoot()],
 * })
 * export class AppModule {}
 * ```
 */
@Module({})
export class ScopedSessionModule implements OnModuleInit, OnApplicationShutdown {
  constructor(@Inject(DATABASE) private readonly database: AdoptedDatabase) {}

  /**
   * Sets up one database; import it once for each, at the root.
   *
   * @param options - see `ScopedSessionModuleOptions`; with none, the application's DataSource is found
   * @throws `SS_ERR_INVALID_OPTION` at once; at boot `SS_ERR_NO_DATA_SOURCE`, `SS_ERR_AMBIGUOUS_DATA_SOURCE`,
   *   `SS_ERR_CIRCULAR_DATA_SOURCE`, `SS_ERR_UNUSABLE_DATA_SOURCE`, `SS_ERR_DUPLICATE_SESSION_NAME`
   */
  static forRoot(options?: ScopedSessionModuleOptions): DynamicModule {
    const read = readModuleOptions(options);
    return rootModule(nameOf(read), read.dataSource, [], (provide) => [{ provide, useValue: read }]);
  }

  /**
   * The same with options that are made at run time.
   *
   * @param options - `useFactory` (with `inject`), `useClass` or `useExisting`; `name` and `dataSource` beside them
   */
  static forRootAsync(options: ScopedSessionModuleAsyncOptions): DynamicModule {
    const read = readAsyncOptions(options);
    return rootModule(nameOf(read), read.dataSource, read.imports ?? [], asyncOptions(read));
  }

  /**
   * Registers repositories of one database under @nestjs/typeorm's own tokens, for applications without that package.
   *
   * @param targets - entities, or classes that extend `Repository` and take the DataSource
   * @param name - the database; left out, the default one
   */
  static forFeature(targets: readonly EntityOrRepository[], name: string = DEFAULT_NAME): DynamicModule {
    return {
      module: ScopedSessionFeatureModule,
      providers: featureProviders(targets, name),
      exports: featureTokens(targets, name),
    };
  }

  /** Called by Nest. */
  onModuleInit(): void {
    this.database.sweep();
  }

  /** Called by Nest. */
  async onApplicationShutdown(): Promise<void> {
    await this.database.release();
  }
}

@Module({})
class ScopedSessionFeatureModule {}

function rootModule(
  name: string,
  dataSource: ScopedSessionModuleOptions['dataSource'],
  imports: NonNullable<DynamicModule['imports']>,
  optionsProviders: OptionsProviders,
): DynamicModule {
  const scopedToken = getScopedSessionToken(name);
  const sessionToken = getSessionToken(name);
  // Of this database only: the DataSource of another may well wait for it.
  const adoptedToken = `nestjs-scoped-session:adopted:${name}`;
  const ours = {
    modules: new Set([ScopedSessionModule, ScopedSessionCoreModule, ScopedSessionFeatureModule]),
    tokens: new Set([scopedToken, sessionToken, adoptedToken]),
  };
  const request = { name, dataSource, optionsToken: OPTIONS, ours };
  const exported: Provider[] = [
    { provide: scopedToken, inject: [DATABASE], useFactory: ({ scoped }: AdoptedDatabase) => scoped },
    {
      provide: dataSourceToken(name),
      inject: [adoptedToken],
      useFactory: (adopted: AdoptedDatabase) => adopted.dataSource,
    },
    {
      provide: entityManagerToken(name),
      inject: [adoptedToken],
      useFactory: (adopted: AdoptedDatabase) => adopted.dataSource.manager,
    },
    {
      provide: sessionToken,
      scope: ProviderScope.REQUEST,
      inject: [scopedToken],
      // An object of its own for each request, and no state.
      useFactory: (scoped: ScopedSession) => scoped.view(),
    },
  ];
  return {
    module: ScopedSessionModule,
    global: true,
    imports: [ScopedSessionCoreModule, ...imports],
    providers: [
      ...optionsProviders(OPTIONS),
      {
        provide: adoptedToken,
        inject: [ModulesContainer, ModuleRef, Databases, ActiveWork],
        useFactory: (
          container: ModulesContainer,
          moduleRef: ModuleRef,
          databases: Databases,
          work: ActiveWork,
        ) => AdoptedDatabase.adopt(request, { container, moduleRef, databases, work }),
      },
      {
        provide: DATABASE,
        inject: [adoptedToken, OPTIONS],
        useFactory: (adopted: AdoptedDatabase, options: ScopedSessionModuleOptions) =>
          adopted.configure(options),
      },
      ...exported,
    ],
    exports: exported.map((provider) => (provider as { provide: InjectionToken }).provide),
  };
}

function asyncOptions(options: ScopedSessionModuleAsyncOptions): OptionsProviders {
  const { useFactory, useClass, useExisting, inject = [] } = options;
  const read = (given: unknown): ScopedSessionModuleOptions => {
    const made = readModuleOptions(given, 'ScopedSessionModule.forRootAsync');
    if (made.name === undefined || made.name === nameOf(options)) return made;
    throw new InvalidOptionError(
      'The name of a database must be known before its options are made: forRootAsync({ name, useFactory }).',
    );
  };
  if ([useFactory, useClass, useExisting].filter((way) => way !== undefined).length !== 1) {
    throw new InvalidOptionError('forRootAsync takes one of useFactory, useClass and useExisting.');
  }
  if (useFactory !== undefined) {
    return (provide) => [
      {
        provide,
        inject: [...inject],
        useFactory: async (...given: never[]) => read(await useFactory(...given)),
      },
    ];
  }
  const factory = (useExisting ?? useClass)!;
  return (provide) => [
    ...(useClass === undefined ? [] : [useClass]),
    {
      provide,
      inject: [factory],
      useFactory: async (made: ScopedSessionOptionsFactory) => read(await made.createScopedSessionOptions()),
    },
  ];
}
