/** The options of forRoot and forRootAsync: where they come from, and what is refused before anything is opened. */
import { Injectable, Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import {
  getScopedSessionToken,
  InvalidOptionError,
  PoolTimeoutError,
  ScopedSession,
  ScopedSessionModule,
  type ScopedSessionModuleAsyncOptions,
  type ScopedSessionModuleOptions,
  type ScopedSessionOptionsFactory,
} from 'nestjs-scoped-session';
import { DataSource } from 'typeorm';
import { afterEach, beforeEach, describe, expect, it, type MockInstance, vi } from 'vitest';
import { boot, withNotes } from '../support/boot.js';
import { useDatabase } from '../support/databases.js';
import { Note } from '../support/note.js';
import { signal } from '../support/wait-until.js';

const database = useDatabase('sqljs');
const file = useDatabase('better-sqlite3');
const mariadb = useDatabase('mariadb');

let initialized: MockInstance<DataSource['initialize']>;

beforeEach(() => {
  initialized = vi.spyOn(DataSource.prototype, 'initialize');
});
afterEach(() => {
  initialized.mockRestore();
});

const typeOrm = (name?: string): ReturnType<typeof TypeOrmModule.forRoot> =>
  TypeOrmModule.forRoot(withNotes(database, { name }));

@Injectable()
class Settings implements ScopedSessionOptionsFactory {
  readonly repositories = 'leave' as const;

  async createScopedSessionOptions(): Promise<ScopedSessionModuleOptions> {
    return { repositories: this.repositories };
  }
}
@Module({ providers: [Settings], exports: [Settings] })
class SettingsModule {}

/** Whether the options have arrived: repositories stay plain. */
async function expectPlainRepositories(scoped: ScopedSession, dataSource: DataSource): Promise<void> {
  const thrown = scoped.run(async () => {
    await dataSource.getRepository(Note).insert({ text: 'kept' });
    throw new Error('not undone');
  });
  await expect(thrown).rejects.toThrow('not undone');
  expect(await dataSource.getRepository(Note).count()).toBe(1);
}

describe('forRootAsync gets its options from', () => {
  const ways: Record<string, ScopedSessionModuleAsyncOptions> = {
    'useFactory with inject': {
      imports: [SettingsModule],
      inject: [Settings],
      useFactory: async ({ repositories }: Settings) => {
        await new Promise(setImmediate);
        return { repositories };
      },
    },
    'useFactory that returns them at once': { useFactory: () => ({ repositories: 'leave' }) },
    'useFactory with an optional dependency that is not there': {
      inject: [{ token: 'NOWHERE', optional: true }],
      useFactory: (missing: unknown) => ({ repositories: missing === undefined ? 'leave' : 'join' }),
    },
    'useFactory that asks for the DataSource': {
      inject: [DataSource],
      useFactory: ({ options }: DataSource) => ({
        repositories: options.type === 'sqljs' ? 'leave' : 'join',
      }),
    },
    useClass: { useClass: Settings },
    useExisting: { imports: [SettingsModule], useExisting: Settings },
  };

  it.each(Object.entries(ways))('%s', async (_way, options) => {
    const { app } = await boot(database, { imports: [typeOrm(), ScopedSessionModule.forRootAsync(options)] });
    await expectPlainRepositories(app.get(ScopedSession), app.get(DataSource));
  });

  it('useFactory, also the DataSource itself', async () => {
    const { app, close } = await boot(database, {
      imports: [
        ScopedSessionModule.forRootAsync({
          imports: [SettingsModule],
          inject: [Settings],
          useFactory: ({ repositories }: Settings) => ({ repositories, dataSource: withNotes(database) }),
        }),
        ScopedSessionModule.forFeature([Note]),
      ],
    });
    const dataSource = app.get(DataSource);
    await expectPlainRepositories(app.get(ScopedSession), dataSource);
    await close();
    expect(dataSource.isInitialized).toBe(false);
  });

  it('useFactory for a name that stands beside it', async () => {
    const { app } = await boot(database, {
      imports: [
        typeOrm('ledger'),
        ScopedSessionModule.forRootAsync({ name: 'ledger', useFactory: () => ({ repositories: 'leave' }) }),
      ],
    });
    const scoped = app.get<ScopedSession>(getScopedSessionToken('ledger'));
    await expectPlainRepositories(scoped, app.get('ledgerDataSource', { strict: false }));
  });
});

describe('options take effect:', () => {
  it('a unit of work waits for a connection as long as the default says when nothing is set', async () => {
    const { app } = await boot(mariadb, {
      imports: [TypeOrmModule.forRoot(mariadb.options({ poolSize: 1 })), ScopedSessionModule.forRoot()],
    });
    const session = app.get(ScopedSession);
    const holds = signal();
    const held = session.run(async () => {
      await session.execute('SELECT 1');
      await holds.promise;
    });
    const waiting = session.run(() => session.scalar('SELECT 2'));
    // Whoever waits only a moment has given up by now.
    await mariadb.ask('SELECT SLEEP(0.1)');
    holds.resolve();
    await held;
    expect(Number(await waiting)).toBe(2);
  });

  it.each([
    ['poolTimeoutMs', mariadb, { poolTimeoutMs: 0 }],
    ['gateTimeoutMs', database, { gateTimeoutMs: 0 }],
  ] as const)('%s', async (_option, on, options) => {
    const { app } = await boot(on, {
      imports: [TypeOrmModule.forRoot(on.options({ poolSize: 1 })), ScopedSessionModule.forRoot(options)],
    });
    const session = app.get(ScopedSession);
    const [holds, refused] = [signal(), signal()];
    const held = session.run(async () => {
      await session.execute('SELECT 1');
      holds.resolve();
      await refused.promise;
    });
    await holds.promise;
    await expect(session.run(() => session.scalar('SELECT 2'))).rejects.toThrow(PoolTimeoutError);
    refused.resolve();
    await held;
  });

  it('sqliteConnections, also for what was adopted before the options came', async () => {
    const { app } = await boot(file, {
      imports: [
        TypeOrmModule.forRoot(withNotes(file)),
        ScopedSessionModule.forRoot({ sqliteConnections: 'perSession', poolSize: 12 }),
      ],
    });
    const session = app.get(ScopedSession);
    const notes = app.get(DataSource).getRepository(Note);
    await session.run(async () => {
      await notes.insert({ text: 'not yet' });
      const count = session.independently(() => notes.count(), { readOnly: true });
      expect(await count).toBe(0);
    });
    expect(await notes.count()).toBe(1);
    expect(session.sessionFactory.engine!.status()).toMatchObject({ limit: 13, active: 0 });
  });

  it('sqliteConnections is refused where there is no file', async () => {
    const booted = boot(database, {
      imports: [
        TypeOrmModule.forRoot(database.options()),
        ScopedSessionModule.forRoot({ sqliteConnections: 'perSession' }),
      ],
    });
    await expect(booted).rejects.toThrow('needs a database file opened by better-sqlite3, not sqljs');
    await (initialized.mock.contexts.at(-1) as DataSource).destroy();
  });

  it('isolation', async () => {
    const { app } = await boot(mariadb, {
      imports: [
        TypeOrmModule.forRoot(withNotes(mariadb)),
        ScopedSessionModule.forRoot({ isolation: 'READ COMMITTED' }),
      ],
    });
    const session = app.get(ScopedSession);
    await session.run(async () => {
      expect(Number(await session.scalar('SELECT COUNT(*) FROM note'))).toBe(0);
      await mariadb.ask("INSERT INTO note (text) VALUES ('a')");
      // At the server's own level, REPEATABLE READ, the second look is the same as the first.
      expect(Number(await session.scalar('SELECT COUNT(*) FROM note'))).toBe(1);
    });
  });

  it('readOnly', async () => {
    const { app } = await boot(mariadb, {
      imports: [TypeOrmModule.forRoot(withNotes(mariadb)), ScopedSessionModule.forRoot({ readOnly: true })],
    });
    const session = app.get(ScopedSession);
    const refused = session.run(() =>
      session.execute('INSERT INTO note (text) VALUES (:text)', { text: 'a' }),
    );
    await expect(refused).rejects.toThrow('READ ONLY');
  });

  it('poolSize up to the pool of the DataSource that is there, and not above', async () => {
    const imports = (poolSize: number): ReturnType<typeof ScopedSessionModule.forRoot>[] => [
      TypeOrmModule.forRoot(mariadb.options({ poolSize: 4 })),
      ScopedSessionModule.forRoot({ poolSize }),
    ];
    const { close } = await boot(mariadb, { imports: imports(4) });
    await close();
    const booted = boot(mariadb, { imports: imports(5) });
    await expect(booted).rejects.toThrow(InvalidOptionError);
    await expect(booted).rejects.toThrow("poolSize 5 is above the limit of the DataSource's own pool, 4");
    await (initialized.mock.contexts.at(-1) as DataSource).destroy();
  });
});

/** Every wrong option, and what the message must say. */
const WRONG: readonly (readonly [string, object, string])[] = [
  ['an unknown key', { pool: 5 }, 'knows no option "pool". It knows: commit'],
  ['a misspelt key', { scopeTimeoutMS: 5 }, 'knows no option "scopeTimeoutMS"'],
  ['an inherited name', { toString: 5 }, 'knows no option "toString"'],
  ['an unknown commit mode', { commit: 'always' }, '"onSuccess", "manual"'],
  [
    'a rollbackOn that is no function',
    { rollbackOn: true },
    'rollbackOn of ScopedSessionModule.forRoot must be a function',
  ],
  [
    'an exclude that is no list',
    { exclude: '/health' },
    'exclude of ScopedSessionModule.forRoot must be an array',
  ],
  ['an unknown abort policy', { onClientAbort: 'commit' }, '"finish", "rollback"'],
  ['a negative settleTimeoutMs', { settleTimeoutMs: -1 }, 'a whole number from 0 to'],
  ['a scopeTimeoutMs of nothing', { scopeTimeoutMs: 0 }, 'a whole number from 1 to'],
  [
    'a drainTimeoutMs in text',
    { drainTimeoutMs: '10s' },
    'a whole number from 0 to 2147483647, not a value of type string',
  ],
  ['a poolSize of nothing', { poolSize: 0 }, 'a whole number from 1 to 10000, not 0'],
  ['a poolSize beyond reason', { poolSize: 10_001 }, 'a whole number from 1 to 10000'],
  [
    'a poolTimeoutMs that is not whole',
    { poolTimeoutMs: 1.5 },
    'a whole number from 0 to 2147483647, not 1.5',
  ],
  [
    'a gateTimeoutMs beyond what timers can',
    { gateTimeoutMs: 2 ** 31 },
    'a whole number from 0 to 2147483647',
  ],
  ['NaN', { settleTimeoutMs: Number.NaN }, 'a whole number'],
  ['an unknown isolation level', { isolation: 'SNAPSHOT' }, 'isolation of ScopedSessionModule.forRoot'],
  ['SQL in place of an isolation level', { isolation: 'SERIALIZABLE; DROP TABLE note' }, 'isolation'],
  ['a readOnly that is no boolean', { readOnly: 1 }, 'true or false, not 1'],
  ['an autoflush that is no boolean', { autoflush: 'no' }, 'true or false'],
  ['an expireOnCommit that is no boolean', { expireOnCommit: 0 }, 'true or false, not 0'],
  ['an unknown unitOfWork', { unitOfWork: 'all' }, '"session", "everything", "off"'],
  ['an empty name', { name: '' }, 'a text that is not empty'],
  ['an unknown repository mode', { repositories: 'plain' }, '"join", "leave"'],
];

describe('wrong options', () => {
  it.each(WRONG)('such as %s are refused by forRoot() at once', (_what, options, message) => {
    const call = (): unknown => ScopedSessionModule.forRoot(options);
    expect(call).toThrow(InvalidOptionError);
    expect(call).toThrow(message);
    expect(call).toThrow(/ScopedSessionModule\.forRoot/);
  });

  it.each(WRONG.filter(([, options]) => !('name' in options)))(
    'such as %s fail the boot when the factory of forRootAsync returns them',
    async (_what, options, message) => {
      const booted = boot(database, {
        imports: [ScopedSessionModule.forRootAsync({ useFactory: () => options })],
      });
      await expect(booted).rejects.toThrow(InvalidOptionError);
      await expect(booted).rejects.toThrow(message.replace('forRoot must', 'forRootAsync must'));
      expect(initialized).not.toHaveBeenCalled();
    },
  );

  it.each([[null], ['default'], [[]], [new Settings()]])(
    'that are no plain object are refused: %o',
    (options) => {
      const call = (): unknown =>
        ScopedSessionModule.forRoot(options as unknown as ScopedSessionModuleOptions);
      expect(call).toThrow('The options of ScopedSessionModule.forRoot must be a plain object');
    },
  );

  it('never show a value that may be a secret', () => {
    const call = (): unknown =>
      ScopedSessionModule.forRoot({ isolation: 's3cret' } as unknown as ScopedSessionModuleOptions);
    expect(call).not.toThrow('s3cret');
    expect(call).toThrow(InvalidOptionError);
  });

  it.each([
    ['none', {}],
    ['two', { useFactory: () => ({}), useClass: Settings }],
  ])('of forRootAsync with %s of its three ways are refused at once', (_what, options) => {
    expect(() => ScopedSessionModule.forRootAsync(options)).toThrow(
      'forRootAsync takes one of useFactory, useClass and useExisting',
    );
  });

  it('of forRootAsync are refused when a key is unknown', () => {
    const options = { useFactory: () => ({}), usefactory: 1 } as unknown as ScopedSessionModuleAsyncOptions;
    expect(() => ScopedSessionModule.forRootAsync(options)).toThrow('knows no option "usefactory"');
  });

  it('such as a name from the factory of forRootAsync are refused, for it comes too late', async () => {
    const booted = boot(database, {
      imports: [
        typeOrm(),
        ScopedSessionModule.forRootAsync({ useFactory: () => ({ name: 'ledger' }) as object }),
      ],
    }).then(() => 'booted');
    await expect(booted).rejects.toThrow('forRootAsync({ name, useFactory })');
  });
});

describe('an option of the whole unit of work', () => {
  const set: readonly ScopedSessionModuleOptions[] = [
    { commit: 'manual' },
    { rollbackOn: () => false },
    { exclude: ['/health'] },
    { onClientAbort: 'rollback' },
    { settleTimeoutMs: 1 },
    { scopeTimeoutMs: 1 },
    { drainTimeoutMs: 1 },
  ];

  it.each(set)('that two forRoot() set is refused, naming both: %o', async (options) => {
    const booted = boot(database, {
      imports: [
        typeOrm(),
        typeOrm('ledger'),
        ScopedSessionModule.forRoot(options),
        ScopedSessionModule.forRoot({ name: 'ledger', ...options }),
      ],
    });
    await expect(booted).rejects.toThrow(InvalidOptionError);
    await expect(booted).rejects.toThrow(
      new RegExp(
        `${Object.keys(options)[0]} is of the whole unit of work.*"default".*"ledger"|"ledger".*"default"`,
      ),
    );
  });

  it('may be set by either of them', async () => {
    await boot(database, {
      imports: [
        typeOrm(),
        typeOrm('ledger'),
        ScopedSessionModule.forRoot({ commit: 'manual' }),
        ScopedSessionModule.forRoot({ name: 'ledger', scopeTimeoutMs: 5_000, repositories: 'leave' }),
      ],
    });
  });
});
