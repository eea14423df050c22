/** Where an application's one DataSource may stand: `forRoot()` without arguments finds it, and opens no other. */
import { type DynamicModule, Global, Injectable, Module, type Provider } from '@nestjs/common';
import type { INestApplicationContext, ModuleMetadata } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { getDataSourceToken, TypeOrmModule, type TypeOrmModuleOptions } from '@nestjs/typeorm';
import { getScopedSessionToken, ScopedSession, ScopedSessionModule } from 'nestjs-scoped-session';
import { DataSource, EventSubscriber, type EntitySubscriberInterface, type InsertEvent } from 'typeorm';
import { afterEach, beforeEach, describe, expect, it, type MockInstance, vi } from 'vitest';
import { appModule, boot, withNotes } from '../support/boot.js';
import { useDatabase } from '../support/databases.js';
import { Note } from '../support/note.js';

const database = useDatabase('sqljs');

let initialized: MockInstance<DataSource['initialize']>;

beforeEach(() => {
  initialized = vi.spyOn(DataSource.prototype, 'initialize');
});
afterEach(() => {
  initialized.mockRestore();
});

const typeOrmOptions = (more?: Record<string, unknown>): TypeOrmModuleOptions => withNotes(database, more);

const handMade = (token: unknown = DataSource): Provider => ({
  provide: token as string,
  useFactory: () => new DataSource(withNotes(database)).initialize(),
});

/** A module class of its own for each use, as an application would have. */
function moduleWith(name: string, metadata: ModuleMetadata, isGlobal = false): DynamicModule {
  const module = { [name]: class {} }[name]!;
  Module(metadata)(module);
  if (isGlobal) Global()(module);
  return { module };
}

const sessions = (): DynamicModule => ScopedSessionModule.forRoot();
const typeOrm = (): DynamicModule => TypeOrmModule.forRoot(typeOrmOptions());
const later = async (): Promise<TypeOrmModuleOptions> => {
  await new Promise(setImmediate);
  return typeOrmOptions();
};

/** In a scope everything joins, outside nothing does, and there is one database. */
async function expectOneAdopted(app: INestApplicationContext, name?: string): Promise<DataSource> {
  const scoped = app.get<ScopedSession>(getScopedSessionToken(name), { strict: false });
  const { dataSource } = scoped.sessionFactory.engine!;
  expect(app.get(getDataSourceToken(name), { strict: false })).toBe(dataSource);
  if (!dataSource.isInitialized) await dataSource.initialize();
  expect(new Set(initialized.mock.contexts)).toEqual(new Set([dataSource]));
  const notes = dataSource.getRepository(Note);
  await expect(
    scoped.run(async (session) => {
      await notes.insert({ text: 'lost' });
      expect(await session.scalar('SELECT COUNT(*) FROM note')).toBe(1);
      throw new Error('undo');
    }),
  ).rejects.toThrow('undo');
  await scoped.run(async () => notes.insert({ text: 'kept' }));
  await notes.insert({ text: 'plain' });
  expect((await notes.find({ order: { id: 'ASC' } })).map(({ text }) => text)).toEqual(['kept', 'plain']);
  return dataSource;
}

describe('forRoot() without arguments finds the DataSource of', () => {
  const layouts: Record<string, () => ModuleMetadata> = {
    'TypeOrmModule.forRoot before it': () => ({ imports: [typeOrm(), sessions()] }),
    'TypeOrmModule.forRoot after it': () => ({ imports: [sessions(), typeOrm()] }),
    'TypeOrmModule.forRoot deep in a feature module': () => ({
      imports: [
        sessions(),
        moduleWith('FeatureModule', { imports: [moduleWith('DatabaseModule', { imports: [typeOrm()] })] }),
      ],
    }),
    'TypeOrmModule.forRootAsync before it': () => ({
      imports: [TypeOrmModule.forRootAsync({ useFactory: later }), sessions()],
    }),
    'TypeOrmModule.forRootAsync after it': () => ({
      imports: [sessions(), TypeOrmModule.forRootAsync({ useFactory: later })],
    }),
    'TypeOrmModule.forRootAsync deep in a feature module': () => ({
      imports: [
        sessions(),
        moduleWith('FeatureModule', { imports: [TypeOrmModule.forRootAsync({ useFactory: later })] }),
      ],
    }),
    'a @Global module that makes it by hand, imported first': () => ({
      imports: [
        moduleWith('DatabaseModule', { providers: [handMade()], exports: [DataSource] }, true),
        sessions(),
      ],
    }),
    'a @Global module that makes it by hand, imported last': () => ({
      imports: [
        sessions(),
        moduleWith('DatabaseModule', { providers: [handMade()], exports: [DataSource] }, true),
      ],
    }),
    'a module that is not global and exports it': () => ({
      imports: [sessions(), moduleWith('DatabaseModule', { providers: [handMade()], exports: [DataSource] })],
    }),
    'a module that keeps it to itself': () => ({
      imports: [sessions(), moduleWith('DatabaseModule', { providers: [handMade()] })],
    }),
    "AppModule's own providers": () => ({ imports: [sessions()], providers: [handMade()] }),
    'a provider that is there already (useValue)': () => ({
      imports: [sessions()],
      providers: [
        {
          provide: DataSource,
          useValue: new DataSource(withNotes(database)),
        },
      ],
    }),
    'an alias of another token (useExisting)': () => ({
      imports: [sessions()],
      providers: [handMade('PRIMARY'), { provide: DataSource, useExisting: 'PRIMARY' }],
    }),
    'TypeOrmModule with manualInitialization': () => ({
      imports: [TypeOrmModule.forRoot(typeOrmOptions({ manualInitialization: true })), sessions()],
    }),
  };

  it.each(Object.entries(layouts))('%s', async (_layout, metadata) => {
    const { app } = await boot(database, metadata());
    await expectOneAdopted(app);
  });

  it('the providers of a TestingModule', async () => {
    const module = await Test.createTestingModule({
      imports: [sessions()],
      providers: [handMade()],
    }).compile();
    await module.init();
    const dataSource = await expectOneAdopted(module);
    database.watch({ dataSource, close: () => module.close().then(() => dataSource.destroy()) });
  });

  it('the one that a test has put in its place with overrideProvider', async () => {
    const other = await new DataSource(withNotes(database)).initialize();
    const module = await Test.createTestingModule({ imports: [typeOrm(), sessions()] })
      .overrideProvider(DataSource)
      .useValue(other)
      .compile();
    await module.init();
    database.watch({ dataSource: other, close: () => module.close() });
    expect(await expectOneAdopted(module)).toBe(other);
  });
});

describe('forRoot({ name }) finds the named DataSource of', () => {
  const layouts: Record<string, () => ModuleMetadata> = {
    'TypeOrmModule.forRoot': () => ({
      imports: [
        TypeOrmModule.forRoot(typeOrmOptions({ name: 'ledger' })),
        ScopedSessionModule.forRoot({ name: 'ledger' }),
      ],
    }),
    'TypeOrmModule.forRootAsync, imported last': () => ({
      imports: [
        ScopedSessionModule.forRoot({ name: 'ledger' }),
        TypeOrmModule.forRootAsync({ name: 'ledger', useFactory: later }),
      ],
    }),
    'a module that is not global': () => ({
      imports: [
        ScopedSessionModule.forRoot({ name: 'ledger' }),
        moduleWith('DatabaseModule', { providers: [handMade(getDataSourceToken('ledger'))] }),
      ],
    }),
  };

  it.each(Object.entries(layouts))('%s', async (_layout, metadata) => {
    const { app } = await boot(database, metadata());
    await expectOneAdopted(app, 'ledger');
  });
});

describe('the found DataSource', () => {
  it('may wait for other providers, which may be slow', async () => {
    const slow = {
      provide: 'SETTINGS',
      useFactory: async () => (await new Promise(setImmediate), typeOrmOptions()),
    };
    const { app } = await boot(database, {
      imports: [
        sessions(),
        TypeOrmModule.forRootAsync({
          imports: [moduleWith('SettingsModule', { providers: [slow], exports: ['SETTINGS'] })],
          inject: ['SETTINGS'],
          useFactory: (settings: TypeOrmModuleOptions) => settings,
        }),
      ],
    });
    await expectOneAdopted(app);
  });

  it('may be made from what another database of the application holds', async () => {
    const { app } = await boot(database, {
      imports: [
        ScopedSessionModule.forRoot({ name: 'ledger' }),
        TypeOrmModule.forRootAsync({
          name: 'ledger',
          inject: [DataSource, ScopedSession],
          useFactory: async (first: DataSource, session: ScopedSession) => {
            await session.run(async () => first.getRepository(Note).insert({ text: 'where the ledger is' }));
            return typeOrmOptions();
          },
        }),
        typeOrm(),
        sessions(),
      ],
    });
    const ledger = app.get<DataSource>(getDataSourceToken('ledger'), { strict: false });
    const sessionsOf = (name?: string): unknown =>
      app.get<ScopedSession>(getScopedSessionToken(name)).sessionFactory.engine?.dataSource;
    expect(sessionsOf('ledger')).toBe(ledger);
    expect(sessionsOf()).toBe(app.get(DataSource));
    expect(await app.get(DataSource).getRepository(Note).count()).toBe(1);
  });

  it('is injected by modules that import nothing, as DataSource, EntityManager and ScopedSession', async () => {
    @Injectable()
    class Service {
      constructor(
        readonly session: ScopedSession,
        readonly dataSource: DataSource,
      ) {}
    }
    const { app } = await boot(database, {
      imports: [
        sessions(),
        moduleWith('DatabaseModule', { providers: [handMade()] }),
        moduleWith('FeatureModule', { providers: [Service] }),
      ],
    });
    const service = app.get(Service, { strict: false });
    expect(service.dataSource).toBe(await expectOneAdopted(app));
  });

  it('gives a subscriber that Nest has made the session of the moment', async () => {
    const seen: boolean[] = [];
    @EventSubscriber()
    class NoteSubscriber implements EntitySubscriberInterface<Note> {
      constructor(
        dataSource: DataSource,
        private readonly session: ScopedSession,
      ) {
        dataSource.subscribers.push(this);
      }

      listenTo(): typeof Note {
        return Note;
      }

      afterInsert({ queryRunner }: InsertEvent<Note>): void {
        seen.push(queryRunner === this.session.queryRunner);
      }
    }
    const { app } = await boot(database, { imports: [typeOrm(), sessions()], providers: [NoteSubscriber] });
    const notes = app.get(DataSource).getRepository(Note);
    await app.get(ScopedSession).run(async () => notes.insert({ text: 'a' }));
    expect(seen).toEqual([true]);
  });

  it('lets an application seed its tables while it boots, outside every scope', async () => {
    @Injectable()
    class Seed {
      constructor(private readonly dataSource: DataSource) {}

      async onModuleInit(): Promise<void> {
        await this.dataSource.getRepository(Note).insert({ text: 'seeded' });
      }
    }
    const { app } = await boot(database, { imports: [sessions(), typeOrm()], providers: [Seed] });
    expect(await app.get(DataSource).getRepository(Note).count()).toBe(1);
  });

  it('is adopted once for an application that imports the module of forRoot in two places', async () => {
    const once = sessions();
    const { app } = await boot(database, {
      imports: [typeOrm(), once, moduleWith('FeatureModule', { imports: [once] })],
    });
    await expectOneAdopted(app);
  });

  it('is found again when the application boots again', async () => {
    const AppModule = appModule({ imports: [typeOrm(), sessions()] });
    for (let round = 0; round < 2; round += 1) {
      initialized.mockClear();
      const module = await Test.createTestingModule({ imports: [AppModule] }).compile();
      await module.init();
      await expectOneAdopted(module);
      await module.close();
    }
  });
});
