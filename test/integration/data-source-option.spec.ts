/** `forRoot({ dataSource })`: a DataSource, TypeORM's options for one, or the token of one. */
import { type DynamicModule, Injectable, Module, type Type } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import {
  InjectRepository,
  InvalidOptionError,
  NoDataSourceError,
  ScopedSession,
  ScopedSessionModule,
  type ScopedSessionModuleOptions,
} from 'nestjs-scoped-session';
import { Column, DataSource, Entity, EntitySchema, PrimaryGeneratedColumn, Repository } from 'typeorm';
import { afterEach, beforeEach, describe, expect, it, type MockInstance, vi } from 'vitest';
import { boot, withNotes } from '../support/boot.js';
import { useDatabase } from '../support/databases.js';
import { Note } from '../support/note.js';

const database = useDatabase('sqljs');
const mariadb = useDatabase('mariadb');

let initialized: MockInstance<DataSource['initialize']>;

beforeEach(() => {
  initialized = vi.spyOn(DataSource.prototype, 'initialize');
});
afterEach(() => {
  initialized.mockRestore();
});

const make = (): DataSource => new DataSource(withNotes(database));
const dataSourceOf = (scoped: ScopedSession): DataSource => scoped.sessionFactory.engine!.dataSource;

function moduleProviding(token: string | symbol | Type): DynamicModule {
  class DatabaseModule {}
  Module({ providers: [{ provide: token, useFactory: () => make().initialize() }] })(DatabaseModule);
  return { module: DatabaseModule };
}

async function expectJoined(session: ScopedSession): Promise<void> {
  const notes = dataSourceOf(session).getRepository(Note);
  const lost = session.run(async () => {
    await notes.insert({ text: 'lost' });
    throw new Error('undo');
  });
  await expect(lost).rejects.toThrow('undo');
  expect(await notes.count()).toBe(0);
}

@Entity()
class Tag {
  @PrimaryGeneratedColumn()
  id!: number;

  @Column({ type: 'varchar', length: 20 })
  name!: string;
}

const Mark = new EntitySchema<{ id: number }>({
  name: 'Mark',
  columns: { id: { type: Number, primary: true, generated: true } },
});

describe('a DataSource', () => {
  it('that is initialized is used as it is, and left open at the end', async () => {
    const dataSource = await make().initialize();
    database.watch({ close: () => dataSource.destroy() });
    initialized.mockClear();
    const { app, close } = await boot(database, { imports: [ScopedSessionModule.forRoot({ dataSource })] });
    expect(dataSourceOf(app.get(ScopedSession))).toBe(dataSource);
    expect(app.get(DataSource)).toBe(dataSource);
    expect(initialized).not.toHaveBeenCalled();
    await expectJoined(app.get(ScopedSession));
    await close();
    expect(dataSource.isInitialized).toBe(true);
  });

  it('that is not initialized is initialized at the boot, and destroyed at the end', async () => {
    const dataSource = make();
    const { app, close } = await boot(database, { imports: [ScopedSessionModule.forRoot({ dataSource })] });
    expect(dataSource.isInitialized).toBe(true);
    await expectJoined(app.get(ScopedSession));
    await close();
    expect(dataSource.isInitialized).toBe(false);
  });

  it('goes before the one that a module provides', async () => {
    const dataSource = make();
    const { app } = await boot(database, {
      imports: [ScopedSessionModule.forRoot({ dataSource }), moduleProviding(DataSource)],
    });
    expect(dataSourceOf(app.get(ScopedSession))).toBe(dataSource);
  });
});

describe('options for a DataSource', () => {
  it('make one that is open before any provider has it, and closed with the application', async () => {
    let wasInitialized: boolean | undefined;
    @Injectable()
    class Service {
      constructor(readonly dataSource: DataSource) {
        wasInitialized = dataSource.isInitialized;
      }
    }
    const { app, close } = await boot(database, {
      imports: [ScopedSessionModule.forRoot({ dataSource: withNotes(database) })],
      providers: [Service],
    });
    expect(wasInitialized).toBe(true);
    const dataSource = app.get(DataSource);
    await expectJoined(app.get(ScopedSession));
    await close();
    expect(dataSource.isInitialized).toBe(false);
  });

  it('are completed by the entities of every forFeature list', async () => {
    @Injectable()
    class Service {
      constructor(
        @InjectRepository(Tag) readonly tags: Repository<Tag>,
        @InjectRepository(Note) readonly notes: Repository<Note>,
      ) {}
    }
    class FeatureModule {}
    Module({ imports: [ScopedSessionModule.forFeature([Tag, Note])], providers: [Service] })(FeatureModule);
    const { app } = await boot(database, {
      imports: [
        FeatureModule,
        ScopedSessionModule.forRoot({ dataSource: withNotes(database) }),
        ScopedSessionModule.forFeature([Mark]),
      ],
    });
    const { entityMetadatas } = app.get(DataSource);
    expect(entityMetadatas.map(({ name }) => name).toSorted()).toEqual(['Mark', 'Note', 'Tag']);
    const { tags } = app.get(Service, { strict: false });
    await app.get(ScopedSession).run(async () => tags.insert({ name: 'a' }));
    expect(await tags.count()).toBe(1);
  });

  it('get the pool size of forRoot()', async () => {
    const { app } = await boot(mariadb, {
      imports: [ScopedSessionModule.forRoot({ dataSource: mariadb.options(), poolSize: 3 })],
    });
    const { sessionFactory } = app.get(ScopedSession);
    expect(sessionFactory.engine!.status().limit).toBe(3);
  });
});

class DatabaseToken {}

describe('a token', () => {
  it.each([
    ['text', 'REPORTING'],
    ['symbol', Symbol('reporting')],
    ['class', DatabaseToken],
  ] as const)('that is a %s names the provider', async (_kind, token) => {
    const { app } = await boot(database, {
      imports: [ScopedSessionModule.forRoot({ dataSource: token }), moduleProviding(token)],
    });
    expect(dataSourceOf(app.get(ScopedSession))).toBe(app.get(token, { strict: false }));
    expect(initialized).toHaveBeenCalledTimes(1);
    await expectJoined(app.get(ScopedSession));
  });

  it('chooses between two modules that provide a DataSource', async () => {
    const { app } = await boot(database, {
      imports: [
        TypeOrmModule.forRoot(withNotes(database)),
        moduleProviding('REPORTING'),
        ScopedSessionModule.forRoot(),
        ScopedSessionModule.forRoot({ name: 'reports', dataSource: 'REPORTING' }),
      ],
    });
    const reports = app.get<ScopedSession>('reports_ScopedSession');
    expect(dataSourceOf(reports)).toBe(app.get('REPORTING', { strict: false }));
    expect(dataSourceOf(app.get(ScopedSession))).not.toBe(dataSourceOf(reports));
  });

  it('that nobody provides is named in the error', async () => {
    const booted = boot(database, { imports: [ScopedSessionModule.forRoot({ dataSource: 'REPORTING' })] });
    await expect(booted).rejects.toThrow(NoDataSourceError);
    await expect(booted).rejects.toThrow('No module of the application provides REPORTING');
    expect(initialized).not.toHaveBeenCalled();
  });

  it('that is a class nobody provides is named by its name alone', async () => {
    const booted = boot(database, { imports: [ScopedSessionModule.forRoot({ dataSource: DatabaseToken })] });
    await expect(booted).rejects.toThrow(/provides DatabaseToken,/);
  });
});

describe('anything else', () => {
  it.each([
    ['a number', 5],
    ['null', null],
    ['a list', []],
    ['true', true],
  ])('such as %s is refused before anything is opened', async (_what, dataSource) => {
    const options = { dataSource } as unknown as ScopedSessionModuleOptions;
    const booted = async (): Promise<unknown> =>
      boot(database, { imports: [ScopedSessionModule.forRoot(options)] });
    await expect(booted()).rejects.toThrow(InvalidOptionError);
    await expect(booted()).rejects.toThrow(
      'dataSource must be a DataSource, TypeORM options for one, or an injection token',
    );
    expect(initialized).not.toHaveBeenCalled();
  });
});
