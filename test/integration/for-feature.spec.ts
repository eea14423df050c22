/** `forFeature` and `InjectRepository`: the same tokens as @nestjs/typeorm's, with or without that package. */
import { type DynamicModule, Inject, Injectable, Module, type ModuleMetadata } from '@nestjs/common';
import {
  getRepositoryToken,
  InjectRepository as InjectRepositoryOfTypeOrm,
  TypeOrmModule,
} from '@nestjs/typeorm';
import {
  type EntityOrRepository,
  getScopedSessionToken,
  InjectRepository,
  InjectScopedSession,
  InvalidOptionError,
  ScopedSession,
  ScopedSessionModule,
} from 'nestjs-scoped-session';
import { DataSource, EntityManager, EntitySchema, Repository, TreeRepository } from 'typeorm';
import { describe, expect, it } from 'vitest';
import { repositoryToken } from '../../src/nest/tokens.js';
import { boot, withNotes } from '../support/boot.js';
import { useDatabase } from '../support/databases.js';
import { Category } from '../support/library.js';
import { Note } from '../support/note.js';

const database = useDatabase('sqljs');

interface Mark {
  id: number;
  name: string;
}
class MarkClass implements Mark {
  id!: number;
  name!: string;
}
const columns = {
  id: { type: Number, primary: true, generated: true },
  name: { type: String },
} as const;
const MarkSchema = new EntitySchema<Mark>({ name: 'Mark', columns });
const MarkClassSchema = new EntitySchema<MarkClass>({ name: 'MarkClass', target: MarkClass, columns });

class NotesRepository extends Repository<Note> {
  constructor(dataSource: DataSource) {
    super(Note, dataSource.manager);
  }

  add(text: string): Promise<Note> {
    return this.save(this.create({ text }));
  }
}

/** TypeORM's options without entities: those of the forFeature lists are all there are. */
const bare = (name?: string): DynamicModule =>
  ScopedSessionModule.forRoot({ name, dataSource: withNotes(database, { entities: [] }) });

function featureModule(metadata: ModuleMetadata): DynamicModule {
  class FeatureModule {}
  Module(metadata)(FeatureModule);
  return { module: FeatureModule };
}

describe('forFeature without @nestjs/typeorm', () => {
  @Injectable()
  class Service {
    constructor(
      @InjectRepository(Note) readonly notes: Repository<Note>,
      @InjectRepository(MarkSchema) readonly marks: Repository<Mark>,
      @InjectRepository(MarkClassSchema) readonly classMarks: Repository<MarkClass>,
      @InjectRepository(Category) readonly categories: TreeRepository<Category>,
      @InjectRepository(NotesRepository) readonly custom: NotesRepository,
      readonly byType: NotesRepository,
      readonly manager: EntityManager,
    ) {}
  }
  const targets: EntityOrRepository[] = [Note, MarkSchema, MarkClassSchema, Category, NotesRepository];

  it('gives repositories of classes, schemas and trees, and custom ones by class', async () => {
    const { app } = await boot(database, {
      imports: [
        bare(),
        featureModule({ imports: [ScopedSessionModule.forFeature(targets)], providers: [Service] }),
      ],
    });
    const service = app.get(Service, { strict: false });
    expect(service.notes).toBeInstanceOf(Repository);
    expect(service.categories).toBeInstanceOf(TreeRepository);
    expect(service.custom).toBeInstanceOf(NotesRepository);
    expect(service.byType).toBe(service.custom);
    expect(service.manager).toBe(app.get(DataSource).manager);
  });

  it('lets every one of them join, with reads and writes', async () => {
    const { app } = await boot(database, {
      imports: [
        bare(),
        featureModule({ imports: [ScopedSessionModule.forFeature(targets)], providers: [Service] }),
      ],
    });
    const service = app.get(Service, { strict: false });
    const session = app.get(ScopedSession);
    const count = async (): Promise<number[]> => [
      await service.notes.count(),
      await service.custom.count(),
      await service.marks.count(),
      await service.classMarks.count(),
      await service.categories.count(),
      (await service.categories.findTrees()).length,
      await service.manager.count(Note),
    ];
    const write = async (): Promise<void> => {
      await service.notes.insert({ text: 'a' });
      await service.custom.add('b');
      await service.marks.save({ name: 'c' });
      await service.classMarks.save({ name: 'd' });
      const root = await service.categories.save({ name: 'root' });
      await service.categories.save({ name: 'leaf', parent: root });
    };
    const lost = session.run(async () => {
      await write();
      expect(await count()).toEqual([2, 2, 1, 1, 2, 1, 2]);
      throw new Error('undo');
    });
    await expect(lost).rejects.toThrow('undo');
    expect(await count()).toEqual([0, 0, 0, 0, 0, 0, 0]);
    await session.run(write);
    expect(await count()).toEqual([2, 2, 1, 1, 2, 1, 2]);
  });

  it('gives those of a named database, side by side with the default one', async () => {
    @Injectable()
    class BothService {
      constructor(
        @InjectRepository(Note) readonly first: Repository<Note>,
        @InjectRepository(Note, 'ledger') readonly second: Repository<Note>,
        @InjectRepository(NotesRepository, 'ledger') readonly custom: NotesRepository,
        @InjectScopedSession('ledger') readonly ledger: ScopedSession,
        @Inject('ledgerEntityManager') readonly manager: EntityManager,
      ) {}
    }
    const { app } = await boot(database, {
      imports: [
        bare(),
        bare('ledger'),
        ScopedSessionModule.forFeature([Note]),
        ScopedSessionModule.forFeature([Note, MarkSchema, NotesRepository], 'ledger'),
      ],
      providers: [BothService],
    });
    const { first, second, custom, ledger, manager } = app.get(BothService);
    expect(ledger).toBe(app.get(getScopedSessionToken('ledger')));
    expect(app.get(DataSource).hasMetadata(MarkSchema)).toBe(false);
    expect(manager.dataSource.hasMetadata(MarkSchema)).toBe(true);
    expect(second.manager.dataSource).toBe(manager.dataSource);
    await ledger.run(async () => {
      await second.insert({ text: 'a' });
      await custom.add('b');
    });
    expect([await first.count(), await second.count(), await custom.count()]).toEqual([0, 2, 2]);
  });

  it('opens its entities in a DataSource of ours even when the feature is imported first', async () => {
    const { app } = await boot(database, {
      imports: [featureModule({ imports: [ScopedSessionModule.forFeature([Note])] }), bare()],
    });
    expect(app.get(DataSource).hasMetadata(Note)).toBe(true);
  });
});

describe('tokens are those of @nestjs/typeorm', () => {
  const targets: [string, EntityOrRepository][] = [
    ['an entity class', Note],
    ['a tree', Category],
    ['a schema', MarkSchema],
    ['a schema with a class', MarkClassSchema],
    ['a custom repository', NotesRepository],
  ];

  it.each(targets)('for %s, in the default and in a named database', (_what, target) => {
    expect(repositoryToken(target)).toBe(getRepositoryToken(target as typeof Note));
    expect(repositoryToken(target, 'default')).toBe(getRepositoryToken(target as typeof Note, 'default'));
    expect(repositoryToken(target, 'ledger')).toBe(getRepositoryToken(target as typeof Note, 'ledger'));
  });

  it('so that its InjectRepository finds what our forFeature registers', async () => {
    @Injectable()
    class Service {
      constructor(
        @InjectRepositoryOfTypeOrm(Note) readonly notes: Repository<Note>,
        @InjectRepositoryOfTypeOrm(MarkSchema) readonly marks: Repository<Mark>,
      ) {}
    }
    const { app } = await boot(database, {
      imports: [bare(), ScopedSessionModule.forFeature([Note, MarkSchema])],
      providers: [Service],
    });
    expect(app.get(Service).notes.target).toBe(Note);
  });

  it('so that our InjectRepository finds what its forFeature registers', async () => {
    @Injectable()
    class Service {
      constructor(
        @InjectRepository(Note) readonly notes: Repository<Note>,
        @InjectRepository(Note, 'ledger') readonly ledger: Repository<Note>,
      ) {}
    }
    const { app } = await boot(database, {
      imports: [
        TypeOrmModule.forRoot(withNotes(database)),
        TypeOrmModule.forRoot(withNotes(database, { name: 'ledger' })),
        TypeOrmModule.forFeature([Note]),
        TypeOrmModule.forFeature([Note], 'ledger'),
        ScopedSessionModule.forRoot(),
        ScopedSessionModule.forRoot({ name: 'ledger' }),
      ],
      providers: [Service],
    });
    const { notes, ledger } = app.get(Service);
    const session = app.get(ScopedSession);
    const lost = session.run(async () => {
      await notes.insert({ text: 'lost' });
      await ledger.insert({ text: 'lost too' });
      throw new Error('undo');
    });
    await expect(lost).rejects.toThrow('undo');
    expect(await notes.count()).toBe(0);
  });
});

describe('a wrong forFeature', () => {
  it.each([[undefined], [null], [Note], ['Note']])(
    'with %o in place of the list is refused at once',
    (targets) => {
      const call = (): unknown => ScopedSessionModule.forFeature(targets as unknown as EntityOrRepository[]);
      expect(call).toThrow(InvalidOptionError);
      expect(call).toThrow('forFeature takes an array of entities or repository classes');
    },
  );

  it.each([[undefined], [null]])('with %s in the list asks for a circular import', (target) => {
    const list = [Note, target] as unknown as EntityOrRepository[];
    expect(() => ScopedSessionModule.forFeature(list)).toThrow('is there a circular import?');
    expect(() => InjectRepository(target as unknown as EntityOrRepository)).toThrow(
      'is there a circular import?',
    );
  });

  it('with an entity that the found DataSource does not know shows TypeORM’s error at the boot', async () => {
    const booted = boot(database, {
      imports: [
        TypeOrmModule.forRoot(withNotes(database)),
        ScopedSessionModule.forRoot(),
        ScopedSessionModule.forFeature([Category]),
      ],
    });
    await expect(booted).rejects.toThrow('No metadata for "Category" was found');
  });
});
