/** Adoption: what was made before it joins too, what it set is taken off at the end, and what it did is said at the boot. */
import {
  type INestApplicationContext,
  Injectable,
  Module,
  type ModuleMetadata,
  type Provider,
} from '@nestjs/common';
import { InjectRepository, TypeOrmModule } from '@nestjs/typeorm';
import {
  createEngine,
  scopedDataSource,
  ScopedSession,
  ScopedSessionModule,
  UnusableDataSourceError,
} from 'nestjs-scoped-session';
import {
  BaseEntity,
  Column,
  DataSource,
  Entity,
  EntityManager,
  PrimaryGeneratedColumn,
  Repository,
} from 'typeorm';
import { describe, expect, it } from 'vitest';
import { boot, type Booted, withNotes } from '../support/boot.js';
import { isSqlite, onEach, type TestDatabase, useDatabase } from '../support/databases.js';
import { Note } from '../support/note.js';

class NotesRepository extends Repository<Note> {
  constructor(manager: EntityManager) {
    super(Note, manager);
  }

  add(text: string): Promise<Note> {
    return this.save(this.create({ text }));
  }
}

@Injectable()
class EarlyService {
  readonly repository: Repository<Note>;
  readonly manager: EntityManager;

  constructor(dataSource: DataSource) {
    this.manager = dataSource.createEntityManager();
    this.repository = this.manager.getRepository(Note);
  }
}

/** Everything here takes a manager while the DataSource is not adopted yet: its own module's providers come first. */
const EARLY: Provider[] = [
  EarlyService,
  {
    provide: 'MANAGER',
    inject: [DataSource],
    useFactory: (dataSource: DataSource) => dataSource.createEntityManager(),
  },
  {
    provide: NotesRepository,
    inject: [DataSource],
    useFactory: (dataSource: DataSource) => new NotesRepository(dataSource.createEntityManager()),
  },
  {
    provide: 'EXTENDED',
    inject: [DataSource],
    useFactory: (dataSource: DataSource) =>
      dataSource.getRepository(Note).extend({
        mark(this: Repository<Note>, text: string) {
          return this.insert({ text });
        },
      }),
  },
];

@Injectable()
class HidingService {
  readonly #manager: EntityManager;

  constructor(dataSource: DataSource) {
    this.#manager = dataSource.createEntityManager();
  }

  add(text: string): Promise<unknown> {
    return this.#manager.save(Note, { text });
  }
}

/** A DataSource made by hand, and what closes it. */
const databaseProvider = (database: TestDatabase): Provider => ({
  provide: DataSource,
  useFactory: () => new DataSource(withNotes(database)).initialize(),
});
const CLOSING: Provider = {
  provide: 'CLOSING',
  inject: [DataSource],
  useFactory: (made: DataSource) => ({ onApplicationShutdown: () => made.destroy() }),
};

/** Reads and writes in ways that do not go through one another: a half-joined manager would pass some of them. */
async function useEverything(manager: EntityManager, name: string): Promise<string[]> {
  await manager.insert(Note, { text: `${name}: insert` });
  const saved = await manager.save(manager.create(Note, { text: `${name}: save` }));
  await manager.transaction((inner) => inner.insert(Note, { text: `${name}: transaction` }));
  await manager.query(`INSERT INTO note (text) VALUES ('${name}: query')`);
  await manager
    .createQueryBuilder()
    .insert()
    .into(Note)
    .values({ text: `${name}: builder` })
    .execute();
  const removed = await manager.save(manager.create(Note, { text: `${name}: removed` }));
  await manager.remove(removed);
  await manager.update(Note, { id: saved.id }, { text: `${name}: updated` });
  const found = await manager.find(Note, { order: { id: 'ASC' } });
  return found.map(({ text }) => text).filter((text) => text.startsWith(`${name}:`));
}

const ALL = ['insert', 'updated', 'transaction', 'query', 'builder'];

onEach(['mariadb', 'sqljs', 'better-sqlite3'], (database) => {
  describe('managers and repositories that are made before the adoption', () => {
    const early = (booted: Booted): Record<string, EntityManager> => {
      const { app } = booted;
      const service = app.get(EarlyService, { strict: false });
      return {
        provided: app.get<EntityManager>('MANAGER', { strict: false }),
        custom: app.get(NotesRepository, { strict: false }).manager,
        extended: app.get<Repository<Note>>('EXTENDED', { strict: false }).manager,
        field: service.manager,
        fieldRepository: service.repository.manager,
        global: app.get(EntityManager, { strict: false }),
      };
    };

    const layouts: Record<string, () => ModuleMetadata> = {
      'in AppModule under TypeOrmModule': () => ({
        imports: [TypeOrmModule.forRoot(withNotes(database)), ScopedSessionModule.forRoot()],
        providers: EARLY,
      }),
      'in the module that makes the DataSource': () => {
        class DatabaseModule {}
        Module({ providers: [databaseProvider(database), CLOSING, ...EARLY] })(DatabaseModule);
        return { imports: [DatabaseModule, ScopedSessionModule.forRoot()] };
      },
      'in a feature module that imports nothing': () => {
        class FeatureModule {}
        Module({ providers: EARLY })(FeatureModule);
        return {
          imports: [TypeOrmModule.forRoot(withNotes(database)), FeatureModule, ScopedSessionModule.forRoot()],
        };
      },
      'while the options of forRootAsync are still on their way': () => ({
        imports: [
          TypeOrmModule.forRoot(withNotes(database)),
          ScopedSessionModule.forRootAsync({
            useFactory: async () => {
              await new Promise(setImmediate);
              return {};
            },
          }),
        ],
        providers: EARLY,
      }),
    };

    it.each(Object.entries(layouts))('%s join with reads and writes alike', async (layout, metadata) => {
      const booted = await boot(database, metadata());
      const { app, heard } = booted;
      // Else this layout shows nothing.
      const least = layout.includes('makes') ? 1 : 0;
      expect(heard.of('log', 'made earlier included').length).toBeGreaterThanOrEqual(least);
      const session = app.get(ScopedSession);
      const notes = app.get(DataSource, { strict: false }).getRepository(Note);
      for (const [name, manager] of Object.entries(early(booted))) {
        const lost = session.run(async () => {
          expect(await useEverything(manager, name)).toEqual(ALL.map((way) => `${name}: ${way}`));
          expect(await session.scalar('SELECT COUNT(*) FROM note')).toEqual(expect.anything());
          throw new Error('undo');
        });
        await expect(lost).rejects.toThrow('undo');
        expect(await notes.find(), `${name} escaped from the rollback`).toEqual([]);
      }
      for (const [name, manager] of Object.entries(early(booted))) {
        await session.run(async () => useEverything(manager, name));
        expect(await notes.countBy({ text: `${name}: save` })).toBe(0);
        expect(await notes.countBy({ text: `${name}: updated` })).toBe(1);
      }
    });

    it('are plain TypeORM outside a scope', async () => {
      const booted = await boot(database, layouts['in AppModule under TypeOrmModule']!());
      const notes = booted.app.get(DataSource).getRepository(Note);
      for (const [name, manager] of Object.entries(early(booted))) {
        expect(await useEverything(manager, name)).toEqual(ALL.map((way) => `${name}: ${way}`));
        const rolledBack = manager.transaction(async (inner) => {
          await inner.insert(Note, { text: `${name}: lost` });
          throw new Error('undo');
        });
        await expect(rolledBack).rejects.toThrow('undo');
      }
      expect(await notes.count()).toBe(Object.keys(early(booted)).length * ALL.length);
    });

    it('are counted in the line that the boot logs; one with a runner of its own is left alone', async () => {
      const { app, heard } = await boot(database, {
        imports: [ScopedSessionModule.forRoot()],
        providers: [
          databaseProvider(database),
          CLOSING,
          { provide: 'EARLY', useFactory: makeEarly, inject: [DataSource] },
          { provide: 'BOUND', useFactory: makeBound, inject: [DataSource] },
        ],
      });
      expect(heard.of('log', 'repositories join, 1 made earlier included.')).toHaveLength(1);
      const bound = app.get<EntityManager>('BOUND');
      const { queryRunner } = bound;
      await app.get(ScopedSession).run(() => expect(bound.queryRunner).toBe(queryRunner));
    });
  });

  describe('a manager that nobody can find later', () => {
    /** What its service has written in a unit of work that failed, and outside one. */
    const expectJoined = async (app: INestApplicationContext): Promise<void> => {
      const service = app.get(HidingService, { strict: false });
      const lost = app.get(ScopedSession).run(async () => {
        await service.add('lost');
        throw new Error('undo');
      });
      await expect(lost).rejects.toThrow('undo');
      const notes = app.get(DataSource, { strict: false }).getRepository(Note);
      expect(await notes.count()).toBe(0);
      await service.add('plain');
      expect(await notes.count()).toBe(1);
    };

    it('joins when the options are slow, for adoption does not wait for them', async () => {
      const { app } = await boot(database, {
        imports: [
          TypeOrmModule.forRoot(withNotes(database)),
          ScopedSessionModule.forRootAsync({
            useFactory: async () => {
              await new Promise((resolve) => setTimeout(resolve, 20));
              return {};
            },
          }),
        ],
        providers: [HidingService],
      });
      await expectJoined(app);
    });

    it('joins when scopedDataSource has made its DataSource, however early it was made itself', async () => {
      const { app } = await boot(database, {
        imports: [ScopedSessionModule.forRoot()],
        providers: [
          {
            provide: DataSource,
            useFactory: async () => (await scopedDataSource(withNotes(database))).initialize(),
          },
          CLOSING,
          HidingService,
        ],
      });
      await expectJoined(app);
    });

    it('joins under TypeOrmModule with scopedDataSource as its dataSourceFactory, in any module', async () => {
      class FeatureModule {}
      Module({ providers: [HidingService] })(FeatureModule);
      const { app } = await boot(database, {
        imports: [
          TypeOrmModule.forRootAsync({
            useFactory: () => withNotes(database),
            dataSourceFactory: scopedDataSource,
          }),
          FeatureModule,
          ScopedSessionModule.forRoot(),
        ],
      });
      await expectJoined(app);
    });
  });

  describe('scopedDataSource', () => {
    it('makes a DataSource that is plain for as long as no application adopts it', async () => {
      const dataSource = await scopedDataSource(withNotes(database)).then((made) => made.initialize());
      database.watch({ dataSource, close: () => dataSource.destroy() });
      await dataSource.manager.transaction((manager) => manager.insert(Note, { text: 'a' }));
      await dataSource.getRepository(Note).save({ text: 'b' });
      expect(await dataSource.manager.count(Note)).toBe(2);
    });

    it('refuses to make one without options', async () => {
      await expect(scopedDataSource()).rejects.toThrow('scopedDataSource needs TypeORM options');
    });
  });

  describe('the end of the application', () => {
    it('takes everything off the DataSource, which the next application can adopt', async () => {
      const dataSource = await new DataSource(withNotes(database)).initialize();
      database.watch({ dataSource, close: () => dataSource.destroy() });
      const before = membersOf(dataSource);
      const enumerable = Object.keys(dataSource);
      const metadata = (): ModuleMetadata => ({
        imports: [ScopedSessionModule.forRoot()],
        providers: [{ provide: DataSource, useValue: dataSource }],
      });
      for (let round = 0; round < 2; round += 1) {
        const { app, close } = await boot(database, metadata());
        expect(membersOf(dataSource)).not.toEqual(before);
        expect(Object.keys(dataSource)).toEqual(enumerable);
        const session = app.get(ScopedSession);
        const lost = session.run(async () => {
          await dataSource.getRepository(Note).insert({ text: 'lost' });
          throw new Error('undo');
        });
        await expect(lost).rejects.toThrow('undo');
        await close();
        expect(membersOf(dataSource)).toEqual(before);
        expect(dataSource.isInitialized).toBe(true);
        await dataSource.getRepository(Note).insert({ text: `plain ${round}` });
      }
      expect(await dataSource.getRepository(Note).count()).toBe(2);
    });

    it('leaves plain what the application has made, such as its managers', async () => {
      const dataSource = await new DataSource(withNotes(database)).initialize();
      database.watch({ dataSource, close: () => dataSource.destroy() });
      const { app, close } = await boot(database, {
        imports: [ScopedSessionModule.forRoot()],
        providers: [{ provide: DataSource, useValue: dataSource }],
      });
      const manager = dataSource.createEntityManager();
      const session = app.get(ScopedSession);
      await close();
      const thrown = session.run(async () => {
        await manager.insert(Note, { text: 'kept' });
        throw new Error('not undone');
      });
      await expect(thrown).rejects.toThrow('not undone');
      expect(await manager.count(Note)).toBe(1);
    });

    it('leaves no option of the first application to the second', async () => {
      const dataSource = await new DataSource(withNotes(database)).initialize();
      database.watch({ dataSource, close: () => dataSource.destroy() });
      const providers = [{ provide: DataSource, useValue: dataSource }];
      const first = await boot(database, {
        imports: [ScopedSessionModule.forRoot({ poolTimeoutMs: 0, gateTimeoutMs: 0 })],
        providers,
      });
      await first.close();
      const { app } = await boot(database, { imports: [ScopedSessionModule.forRoot()], providers });
      const session = app.get(ScopedSession);
      // As many as wait for one another, with no time to wait.
      await Promise.all(
        Array.from({ length: 15 }, async () => session.run(() => session.scalar('SELECT 1'))),
      );
    });

    it('leaves alone an engine that the application had made itself', async () => {
      const dataSource = await new DataSource(withNotes(database)).initialize();
      const engine = createEngine(dataSource);
      database.watch({ dataSource, close: () => engine.dispose().then(() => dataSource.destroy()) });
      const { app, close } = await boot(database, { imports: [ScopedSessionModule.forRoot({ dataSource })] });
      expect(app.get(ScopedSession).sessionFactory.engine).toBe(engine);
      await close();
      expect(() => createEngine(dataSource)).toThrow(UnusableDataSourceError);
    });
  });

  describe('a DataSource of an application that still runs', () => {
    it('is refused to a second one', async () => {
      const dataSource = await new DataSource(withNotes(database)).initialize();
      database.watch({ dataSource, close: () => dataSource.destroy() });
      const providers = [{ provide: DataSource, useValue: dataSource }];
      const first = await boot(database, { imports: [ScopedSessionModule.forRoot()], providers });
      const second = boot(database, { imports: [ScopedSessionModule.forRoot()], providers });
      await expect(second).rejects.toThrow(UnusableDataSourceError);
      await expect(second).rejects.toThrow('adopted by another application that is still running');
      const session = first.app.get(ScopedSession);
      const lost = session.run(async () => {
        await dataSource.getRepository(Note).insert({ text: 'lost' });
        throw new Error('undo');
      });
      await expect(lost).rejects.toThrow('undo');
      expect(await dataSource.getRepository(Note).count()).toBe(0);
    });
  });

  describe('forRoot({ repositories: "leave" })', () => {
    it('leaves repositories plain; the session works, and @SessionOptions may let them join', async () => {
      const { app, heard } = await boot(database, {
        imports: [
          TypeOrmModule.forRoot(withNotes(database)),
          ScopedSessionModule.forRoot({ repositories: 'leave' }),
        ],
      });
      const session = app.get(ScopedSession);
      const notes = app.get(DataSource).getRepository(Note);
      await notes.insert({ text: 'seen by both' });
      const lost = session.run(async () => {
        await session.execute('SELECT 1');
        if (!isSqlite(database.kind)) await notes.insert({ text: 'kept' });
        await session.execute('UPDATE note SET text = :text', { text: 'lost' }).catch(() => undefined);
        throw new Error('undo');
      });
      await expect(lost).rejects.toThrow('undo');
      expect(await notes.countBy({ text: 'seen by both' })).toBe(1);
      expect(await notes.count()).toBe(isSqlite(database.kind) ? 1 : 2);
      expect(heard.of('log', 'repositories stay plain')).toHaveLength(1);
    });
  });

  it('BaseEntity, tree and injected repositories join as well', async () => {
    @Entity('note')
    class ActiveNote extends BaseEntity {
      @PrimaryGeneratedColumn()
      id!: number;

      @Column({ type: 'varchar', length: 100 })
      text!: string;
    }
    @Injectable()
    class Service {
      constructor(@InjectRepository(ActiveNote) readonly notes: Repository<ActiveNote>) {}
    }
    const { app } = await boot(database, {
      imports: [
        TypeOrmModule.forRoot(withNotes(database, { entities: [ActiveNote] })),
        TypeOrmModule.forFeature([ActiveNote]),
        ScopedSessionModule.forRoot(),
      ],
      providers: [Service],
    });
    const lost = app.get(ScopedSession).run(async () => {
      await ActiveNote.insert({ text: 'a' });
      await Object.assign(new ActiveNote(), { text: 'b' }).save();
      await app.get(Service).notes.save({ text: 'c' });
      expect(await ActiveNote.count()).toBe(3);
      throw new Error('undo');
    });
    await expect(lost).rejects.toThrow('undo');
    expect(await ActiveNote.count()).toBe(0);
  });
});

function makeEarly(dataSource: DataSource): EntityManager {
  return dataSource.createEntityManager();
}

/** Bound to a runner of its own: not a manager that could join. */
function makeBound(dataSource: DataSource): EntityManager {
  return dataSource.createQueryRunner().manager;
}

/** Own members that adoption may have put there, or changed. */
function membersOf(dataSource: DataSource): Record<'dataSource' | 'manager' | 'driver', string[]> {
  const own = (target: object): string[] => Reflect.ownKeys(target).map(String).toSorted();
  return {
    dataSource: own(dataSource),
    manager: own(dataSource.manager).filter(
      (key) => Object.getOwnPropertyDescriptor(dataSource.manager, key)?.value !== undefined,
    ),
    driver: own(dataSource.driver).filter((key) => key === 'createQueryRunner'),
  };
}

describe('the boot log', () => {
  const sqljs = useDatabase('sqljs');
  const mariadb = useDatabase('mariadb');

  it('has one line for each database, with its type and place', async () => {
    const { heard } = await boot(mariadb, {
      imports: [
        TypeOrmModule.forRoot(withNotes(sqljs)),
        TypeOrmModule.forRoot(mariadb.options({ name: 'ledger' })),
        ScopedSessionModule.forRoot(),
        ScopedSessionModule.forRoot({ name: 'ledger', repositories: 'leave' }),
      ],
    });
    expect(heard.of('log', 'Adopted the DataSource').toSorted()).toEqual([
      'Adopted the DataSource "default" (sqljs): repositories join.',
      `Adopted the DataSource "ledger" (mariadb ${mariadb.user}): repositories stay plain.`,
    ]);
    expect(heard.of('warn')).toEqual([]);
  });

  it.each([
    ['extra', { extra: { multipleStatements: true } }],
    ['its options', { multipleStatements: true }],
  ])('warns of multipleStatements in %s', async (_place, more) => {
    const { heard } = await boot(mariadb, {
      imports: [TypeOrmModule.forRoot(mariadb.options(more)), ScopedSessionModule.forRoot()],
    });
    expect(heard.of('warn', 'multipleStatements is on')).toHaveLength(1);
  });

  it('warns of a library that has replaced dataSource.transaction', async () => {
    const dataSource = new DataSource(withNotes(sqljs));
    dataSource.transaction = dataSource.transaction.bind(dataSource);
    const { heard } = await boot(sqljs, { imports: [ScopedSessionModule.forRoot({ dataSource })] });
    expect(heard.of('warn', 'REQUIRES_NEW becomes a savepoint')).toHaveLength(1);
    expect(heard.of('warn', 'scopedSession.independently(fn)')).toHaveLength(1);
  });
});
