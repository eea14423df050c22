/** Where `forRoot()` cannot know which database is meant, the boot fails with a reason, and nothing else is opened. */
import { type DynamicModule, Inject, Injectable, Module, type ModuleMetadata, Scope } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { getDataSourceToken, TypeOrmModule } from '@nestjs/typeorm';
import {
  AmbiguousDataSourceError,
  CircularDataSourceError,
  DuplicateSessionNameError,
  getSessionToken,
  NoDataSourceError,
  ScopedSession,
  type ScopedSessionError,
  ScopedSessionModule,
  UnusableDataSourceError,
} from 'nestjs-scoped-session';
import { DataSource, type DataSourceOptions } from 'typeorm';
import { afterEach, beforeEach, describe, expect, it, type MockInstance, vi } from 'vitest';
import { boot, withNotes } from '../support/boot.js';
import { useDatabase } from '../support/databases.js';

const database = useDatabase('sqljs');

let initialized: MockInstance<DataSource['initialize']>;

beforeEach(() => {
  initialized = vi.spyOn(DataSource.prototype, 'initialize');
  // The environment must not lend an application a database that the test does not know of.
  for (const key of [
    'DATABASE_URL',
    'DB_TYPE',
    'DB_HOST',
    'DB_PORT',
    'DB_USERNAME',
    'DB_PASSWORD',
    'DB_DATABASE',
  ])
    vi.stubEnv(key, undefined);
});
afterEach(() => {
  initialized.mockRestore();
  vi.unstubAllEnvs();
});

const options = (): DataSourceOptions => withNotes(database);

/** What the application's own providers have opened. */
const opened = new Set<unknown>();
const open = (): Promise<DataSource> => {
  const dataSource = new DataSource(options());
  opened.add(dataSource);
  return dataSource.initialize();
};

function databaseModule(name: string, metadata: ModuleMetadata): DynamicModule {
  const module = { [name]: class {} }[name]!;
  Module(metadata)(module);
  return { module };
}

/** What the boot fails with; a boot that hangs runs into the test's own time limit. */
async function bootError(metadata: ModuleMetadata): Promise<ScopedSessionError> {
  const booted = boot(database, metadata);
  return booted.then(
    () => expect.fail('The application has booted.'),
    (error: unknown) => error as ScopedSessionError,
  );
}

describe('two modules that provide the DataSource', () => {
  it('are both named, and none is opened on our account', async () => {
    const error = await bootError({
      imports: [
        ScopedSessionModule.forRoot(),
        databaseModule('OrdersDatabase', { providers: [{ provide: DataSource, useFactory: open }] }),
        databaseModule('UsersDatabase', { providers: [{ provide: DataSource, useFactory: open }] }),
      ],
    });
    expect(error).toBeInstanceOf(AmbiguousDataSourceError);
    expect(error.message).toBe(
      'OrdersDatabase and UsersDatabase each provide DataSource. Keep one, or say which: forRoot({ dataSource }).',
    );
    expect(initialized.mock.contexts.filter((dataSource) => !opened.has(dataSource))).toEqual([]);
  });

  it('are an error for a named database too, and when one of them is TypeOrmModule', async () => {
    const error = await bootError({
      imports: [
        TypeOrmModule.forRoot({ ...options(), name: 'ledger' }),
        ScopedSessionModule.forRoot({ name: 'ledger' }),
        databaseModule('LedgerModule', {
          providers: [{ provide: getDataSourceToken('ledger'), useFactory: open }],
        }),
      ],
    });
    expect(error).toBeInstanceOf(AmbiguousDataSourceError);
    expect(error.message).toContain('TypeOrmCoreModule and LedgerModule each provide ledgerDataSource');
  });
});

describe('a DataSource that waits for a session', () => {
  const circles: Record<string, { metadata: () => ModuleMetadata; path: string }> = {
    'directly, in a module that is not global': {
      metadata: () => ({
        imports: [
          ScopedSessionModule.forRoot(),
          databaseModule('DatabaseModule', {
            providers: [{ provide: DataSource, inject: [ScopedSession], useFactory: open }],
          }),
        ],
      }),
      path: 'DataSource -> ScopedSession',
    },
    'through a provider of its module': {
      metadata: () => ({
        imports: [
          ScopedSessionModule.forRoot(),
          databaseModule('DatabaseModule', {
            providers: [
              { provide: 'CONFIG', inject: [ScopedSession], useFactory: () => ({}) },
              { provide: DataSource, inject: ['CONFIG'], useFactory: open },
            ],
          }),
        ],
      }),
      path: 'DataSource -> CONFIG -> ScopedSession',
    },
    'through a class that injects it by type': {
      metadata: () => {
        @Injectable()
        class Settings {
          constructor(readonly session: ScopedSession) {}
        }
        return {
          imports: [ScopedSessionModule.forRoot()],
          providers: [Settings, { provide: DataSource, inject: [Settings], useFactory: open }],
        };
      },
      path: 'DataSource -> Settings -> ScopedSession',
    },
    'through a class that injects the handle by token': {
      metadata: () => {
        @Injectable()
        class Settings {
          constructor(@Inject(getSessionToken()) readonly session: unknown) {}
        }
        return {
          imports: [ScopedSessionModule.forRoot()],
          providers: [
            Settings,
            { provide: DataSource, inject: [{ token: Settings, optional: true }], useFactory: open },
          ],
        };
      },
      path: 'DataSource -> Settings -> Session',
    },
    'through a class that injects it into a property': {
      metadata: () => {
        @Injectable()
        class Settings {
          @Inject(ScopedSession) readonly session!: ScopedSession;
        }
        return {
          imports: [ScopedSessionModule.forRoot()],
          providers: [Settings, { provide: DataSource, inject: [Settings], useFactory: open }],
        };
      },
      path: 'DataSource -> Settings -> ScopedSession',
    },
    'through the options of TypeOrmModule.forRootAsync': {
      metadata: () => ({
        imports: [
          ScopedSessionModule.forRoot(),
          TypeOrmModule.forRootAsync({
            inject: [ScopedSession],
            useFactory: () => options(),
          }),
        ],
      }),
      path: 'DataSource -> TypeOrmModuleOptions -> ScopedSession',
    },
  };

  it.each(Object.entries(circles))('%s is an error that shows the circle, and no hang', async (_, circle) => {
    const error = await bootError(circle.metadata());
    expect(error).toBeInstanceOf(CircularDataSourceError);
    expect(error.message).toContain(`${circle.path}: the provider of the DataSource waits`);
    expect(initialized).not.toHaveBeenCalled();
  });
});

describe('options of forRootAsync that wait', () => {
  it('for the DataSource that is made with them are an error that shows the circle', async () => {
    const error = await bootError({
      imports: [
        ScopedSessionModule.forRootAsync({
          inject: [DataSource],
          useFactory: () => ({ dataSource: options() }),
        }),
      ],
    });
    expect(error).toBeInstanceOf(CircularDataSourceError);
    expect(error.message).toContain('-> DataSource -> ');
    expect(initialized).not.toHaveBeenCalled();
  });

  it('for a session are refused by Nest, whose message can be read', async () => {
    const error = await bootError({
      imports: [
        TypeOrmModule.forRoot(options()),
        ScopedSessionModule.forRootAsync({ inject: [ScopedSession], useFactory: () => ({}) }),
      ],
    });
    expect(error.message).toContain('A circular dependency has been detected inside "nestjs-scoped-session:');
  });
});

describe('a provider of the DataSource that', () => {
  it('is REQUEST-scoped is refused, for every request would open a database', async () => {
    const error = await bootError({
      imports: [ScopedSessionModule.forRoot()],
      providers: [{ provide: DataSource, scope: Scope.REQUEST, useFactory: open }],
    });
    expect(error).toBeInstanceOf(UnusableDataSourceError);
    expect(error.message).toContain('AppModule provides DataSource REQUEST-scoped');
    expect(initialized).not.toHaveBeenCalled();
  });

  it('depends on something REQUEST-scoped is refused in the same way', async () => {
    const error = await bootError({
      imports: [ScopedSessionModule.forRoot()],
      providers: [
        { provide: 'TENANT', scope: Scope.REQUEST, useFactory: () => 'a' },
        { provide: DataSource, inject: ['TENANT'], useFactory: open },
      ],
    });
    expect(error).toBeInstanceOf(UnusableDataSourceError);
    expect(error.message).toContain('REQUEST-scoped');
  });

  it('fails shows its own error, and no second database is opened', async () => {
    vi.stubEnv('DATABASE_URL', 'sqlite+sqljs:///:memory:');
    const failure = new Error('the database is down');
    const error = await bootError({
      imports: [
        ScopedSessionModule.forRoot(),
        databaseModule('DatabaseModule', {
          providers: [{ provide: DataSource, useFactory: async () => Promise.reject(failure) }],
          exports: [DataSource],
        }),
      ],
    });
    expect(error).toBe(failure);
    expect(initialized).not.toHaveBeenCalled();
  });

  it('F01: is TypeOrmModule on a server that is down shows the driver’s error', async () => {
    vi.stubEnv('DATABASE_URL', 'sqlite+sqljs:///:memory:');
    const error = await bootError({
      imports: [
        ScopedSessionModule.forRoot(),
        TypeOrmModule.forRoot({ type: 'mysql', host: '127.0.0.1', port: 1, retryAttempts: 1, retryDelay: 0 }),
      ],
    });
    expect(error).toMatchObject({ code: 'ECONNREFUSED' });
    expect(initialized.mock.contexts.map((dataSource) => (dataSource as DataSource).options.type)).toEqual([
      'mysql',
    ]);
  });

  it.each([
    ['undefined', undefined],
    ['a stub', {}],
    ['null', null],
    ['an EntityManager by mistake', { manager: {} }],
  ])('gives %s is named, and no second database is opened', async (_what, value) => {
    vi.stubEnv('DATABASE_URL', 'sqlite+sqljs:///:memory:');
    const error = await bootError({
      imports: [ScopedSessionModule.forRoot()],
      providers: [{ provide: DataSource, useFactory: () => value }],
    });
    expect(error).toBeInstanceOf(UnusableDataSourceError);
    expect(error.message).toContain('DataSource of AppModule is no TypeORM DataSource');
    expect(initialized).not.toHaveBeenCalled();
  });

  it('was replaced by a stub with overrideProvider is named as well', async () => {
    const compiled = Test.createTestingModule({
      imports: [TypeOrmModule.forRoot(options()), ScopedSessionModule.forRoot()],
    })
      .overrideProvider(DataSource)
      .useValue({})
      .compile();
    await expect(compiled).rejects.toThrow(UnusableDataSourceError);
  });

  it('gives one of an unsupported driver is refused by the driver’s name', async () => {
    const error = await bootError({
      imports: [ScopedSessionModule.forRoot()],
      providers: [{ provide: DataSource, useFactory: () => mongo() }],
    });
    expect(error).toBeInstanceOf(UnusableDataSourceError);
    expect(error.message).toContain('not built on the driver "mongodb"');
  });
});

/** TypeORM's driver is not installed; the type is all that is asked. */
function mongo(): DataSource {
  const dataSource = new DataSource({ type: 'sqljs' });
  Object.assign(dataSource, { options: { type: 'mongodb' } });
  return dataSource;
}

describe('no DataSource', () => {
  it('is an error that names every cure', async () => {
    const error = await bootError({ imports: [ScopedSessionModule.forRoot()] });
    expect(error).toBeInstanceOf(NoDataSourceError);
    for (const cure of [
      'TypeOrmModule.forRoot(…)',
      'DataSource in a module',
      'forRoot({ dataSource })',
      'DATABASE_URL',
    ])
      expect(error.message).toContain(cure);
    expect(initialized).not.toHaveBeenCalled();
  });

  it('under a name is an error that names it; the environment is of the default database', async () => {
    vi.stubEnv('DATABASE_URL', 'sqlite+sqljs:///:memory:');
    const error = await bootError({ imports: [ScopedSessionModule.forRoot({ name: 'ledger' })] });
    expect(error).toBeInstanceOf(NoDataSourceError);
    expect(error.message).toContain('There is no DataSource "ledger"');
    expect(initialized).not.toHaveBeenCalled();
  });

  it('under its token, but one under another, is an error that names that token and how to say so', async () => {
    vi.stubEnv('DATABASE_URL', 'sqlite+sqljs:///:memory:');
    const error = await bootError({
      imports: [
        databaseModule('DatabaseModule', { providers: [{ provide: 'MAIN_DATABASE', useFactory: open }] }),
        ScopedSessionModule.forRoot(),
      ],
    });
    expect(error).toBeInstanceOf(NoDataSourceError);
    expect(error.message).toContain('MAIN_DATABASE');
    expect(error.message).toContain('forRoot({ dataSource: TOKEN })');
    expect(initialized.mock.contexts).toHaveLength(1);
  });

  it('under its token, but a named one of TypeOrmModule, is an error that names that one', async () => {
    const error = await bootError({
      imports: [ScopedSessionModule.forRoot(), TypeOrmModule.forRoot({ ...options(), name: 'ledger' })],
    });
    expect(error).toBeInstanceOf(NoDataSourceError);
    expect(error.message).toContain('there is one under ledgerDataSource');
  });
});

describe('forRoot() twice', () => {
  it('for the default database is an error that says so', async () => {
    const error = await bootError({
      imports: [
        TypeOrmModule.forRoot(options()),
        ScopedSessionModule.forRoot(),
        databaseModule('FeatureModule', { imports: [ScopedSessionModule.forRoot()] }),
      ],
    });
    expect(error).toBeInstanceOf(DuplicateSessionNameError);
    expect(error.message).toContain(
      'ScopedSessionModule.forRoot() is imported twice for the database "default"',
    );
  });

  it('for one name is an error that says so, also when one is forRootAsync', async () => {
    const error = await bootError({
      imports: [
        TypeOrmModule.forRoot({ ...options(), name: 'ledger' }),
        ScopedSessionModule.forRoot({ name: 'ledger' }),
        ScopedSessionModule.forRootAsync({ name: 'ledger', useFactory: () => ({}) }),
      ],
    });
    expect(error).toBeInstanceOf(DuplicateSessionNameError);
    expect(error.message).toContain('"ledger"');
  });

  it('opens nothing for the second one', async () => {
    const error = await bootError({
      imports: [
        ScopedSessionModule.forRoot({ dataSource: options() }),
        ScopedSessionModule.forRoot({ dataSource: options() }),
      ],
    });
    expect(error).toBeInstanceOf(DuplicateSessionNameError);
    expect(initialized.mock.contexts.length).toBeLessThanOrEqual(1);
  });
});
