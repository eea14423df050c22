/** An application that provides no DataSource gets the one that the environment names, and no other. */
import { type DynamicModule, Injectable, Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import {
  dataSourceOptionsFromEnv,
  InjectRepository,
  InvalidOptionError,
  NoDataSourceError,
  ScopedSession,
  ScopedSessionModule,
} from 'nestjs-scoped-session';
import { Column, DataSource, Entity, PrimaryGeneratedColumn, Repository } from 'typeorm';
import { afterEach, beforeEach, describe, expect, it, type MockInstance, vi } from 'vitest';
import { boot, withNotes } from '../support/boot.js';
import { useDatabase } from '../support/databases.js';
import { Note } from '../support/note.js';

const KEYS = ['DATABASE_URL', 'DB_TYPE', 'DB_HOST', 'DB_PORT', 'DB_USERNAME', 'DB_PASSWORD', 'DB_DATABASE'];

const mariadb = useDatabase('mariadb');
const sqljs = useDatabase('sqljs');

let initialized: MockInstance<DataSource['initialize']>;

beforeEach(() => {
  initialized = vi.spyOn(DataSource.prototype, 'initialize');
  for (const key of KEYS) vi.stubEnv(key, undefined);
});
afterEach(() => {
  initialized.mockRestore();
  vi.unstubAllEnvs();
});

interface Address {
  readonly host: string;
  readonly port: number;
  readonly username: string;
  readonly database: string;
}

const address = (): Address => mariadb.options() as unknown as Address;

function setEnvironment(given: Record<string, string>): void {
  for (const [key, value] of Object.entries(given)) vi.stubEnv(key, value);
}

@Entity()
class Tag {
  @PrimaryGeneratedColumn()
  id!: number;

  @Column({ type: 'varchar', length: 20 })
  name!: string;
}

@Injectable()
class NotesService {
  constructor(@InjectRepository(Note) readonly notes: Repository<Note>) {}
}

function notesModule(): DynamicModule {
  class NotesModule {}
  Module({ imports: [ScopedSessionModule.forFeature([Note])], providers: [NotesService] })(NotesModule);
  return { module: NotesModule };
}

describe('DATABASE_URL', () => {
  it('of SQLAlchemy’s form is the database, closed with the application', async () => {
    const { host, port, username, database } = address();
    setEnvironment({
      DATABASE_URL: `mysql+mysql2://${username}@${host}:${port}/${database}?charset=utf8mb4`,
    });
    const { app, close } = await boot(mariadb, { imports: [ScopedSessionModule.forRoot()] });
    const session = app.get(ScopedSession);
    const found = await session.run(() => session.scalar('SELECT DATABASE()'));
    expect(found).toBe(database);
    const dataSource = app.get(DataSource);
    expect(dataSource.options).toMatchObject({ type: 'mysql', charset: 'utf8mb4' });
    await close();
    expect(dataSource.isInitialized).toBe(false);
  });

  it('serves the entities of every forFeature list, and never changes the schema', async () => {
    const { host, port, username, database } = address();
    setEnvironment({ DATABASE_URL: `mariadb://${username}@${host}:${port}/${database}` });
    await mariadb.ask(
      'CREATE TABLE note (id INT PRIMARY KEY AUTO_INCREMENT, text VARCHAR(100) NOT NULL UNIQUE)',
    );
    const { app } = await boot(mariadb, {
      imports: [ScopedSessionModule.forRoot(), notesModule(), ScopedSessionModule.forFeature([Tag])],
    });
    const { entityMetadatas, options } = app.get(DataSource);
    expect(entityMetadatas.map(({ name }) => name).toSorted()).toEqual(['Note', 'Tag']);
    expect(options).not.toHaveProperty('synchronize');
    expect(await mariadb.ask("SHOW TABLES LIKE 'tag'")).toEqual([]);
    const { notes } = app.get(NotesService, { strict: false });
    const session = app.get(ScopedSession);
    const lost = session.run(async () => {
      await notes.insert({ text: 'lost' });
      throw new Error('undo');
    });
    await expect(lost).rejects.toThrow('undo');
    await session.run(async () => notes.insert({ text: 'kept' }));
    expect(await mariadb.ask('SELECT text FROM note')).toEqual([{ text: 'kept' }]);
  });

  it('is not looked at when a module provides the DataSource', async () => {
    setEnvironment({ DATABASE_URL: 'mysql://nobody@127.0.0.1:1/nowhere' });
    const { app } = await boot(sqljs, {
      imports: [TypeOrmModule.forRoot(withNotes(sqljs)), ScopedSessionModule.forRoot()],
    });
    expect(app.get(DataSource).options.type).toBe('sqljs');
    expect(initialized).toHaveBeenCalledTimes(1);
  });

  it('gets the pool size of forRoot()', async () => {
    const { host, port, username, database } = address();
    setEnvironment({ DATABASE_URL: `mysql://${username}@${host}:${port}/${database}` });
    const { app } = await boot(mariadb, {
      imports: [ScopedSessionModule.forRootAsync({ useFactory: () => ({ poolSize: 2 }) })],
    });
    expect(app.get(ScopedSession).sessionFactory.engine!.status().limit).toBe(2);
  });

  it('that is wrong fails the boot without showing its password', async () => {
    setEnvironment({ DATABASE_URL: 'oracle://app:s3cret@127.0.0.1/bank' });
    const error = await boot(sqljs, { imports: [ScopedSessionModule.forRoot()] }).then(
      () => expect.fail('The application has booted.'),
      (thrown: unknown) => thrown as Error,
    );
    expect(error).toBeInstanceOf(InvalidOptionError);
    expect(error.message).toContain('mysql+mysql2://user:password@host:3306/database');
    expect(`${error.stack}`).not.toContain('s3cret');
    expect(initialized).not.toHaveBeenCalled();
  });

  it('of a server that is down shows the driver’s error', async () => {
    setEnvironment({ DATABASE_URL: 'mysql://app:s3cret@127.0.0.1:1/bank' });
    const booted = boot(sqljs, { imports: [ScopedSessionModule.forRoot()] });
    await expect(booted).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  });
});

describe('DB_TYPE, DB_HOST and the rest', () => {
  it('are the database when there is no DATABASE_URL', async () => {
    const { host, port, username, database } = address();
    setEnvironment({
      DB_TYPE: 'mariadb',
      DB_HOST: host,
      DB_PORT: String(port),
      DB_USERNAME: username,
      DB_DATABASE: database,
    });
    const { app } = await boot(mariadb, { imports: [ScopedSessionModule.forRoot()] });
    const session = app.get(ScopedSession);
    expect(await session.run(() => session.scalar('SELECT DATABASE()'))).toBe(database);
    expect(app.get(DataSource).options).not.toHaveProperty('synchronize');
  });

  it('are not looked at when there is a DATABASE_URL', () => {
    const environment = { DATABASE_URL: 'sqlite+sqljs:///:memory:', DB_TYPE: 'mysql', DB_DATABASE: 'bank' };
    expect(dataSourceOptionsFromEnv(environment)).toEqual({ type: 'sqljs' });
  });

  it('are an error that names the key when one is wrong or missing', () => {
    const wrong =
      (environment: Record<string, string>): (() => unknown) =>
      () =>
        dataSourceOptionsFromEnv(environment);
    expect(wrong({ DB_HOST: 'db' })).toThrow('DB_TYPE must be one of mysql');
    expect(wrong({ DB_TYPE: 'mongodb' })).toThrow('DB_TYPE must be one of mysql');
    expect(wrong({ DB_TYPE: 'mysql' })).toThrow('DB_DATABASE must name the mysql database');
    expect(wrong({ DB_TYPE: 'mysql', DB_DATABASE: 'bank', DB_PORT: 'x' })).toThrow(
      'DB_PORT must be a number',
    );
    expect(wrong({ DB_TYPE: 'mysql', DB_DATABASE: 'bank', DB_PORT: '70000' })).toThrow('DB_PORT must be');
    expect(wrong({ DB_TYPE: 'mysql', DB_DATABASE: 'bank', DB_PORT: '0' })).toThrow('DB_PORT must be');
    expect(wrong({ DB_TYPE: 'mysql' })).toThrow(InvalidOptionError);
  });

  it('make TypeORM’s options, embedded databases included', () => {
    expect(
      dataSourceOptionsFromEnv({
        DB_TYPE: 'postgres',
        DB_HOST: 'db',
        DB_PORT: '5433',
        DB_USERNAME: 'app',
        DB_PASSWORD: 'pw',
        DB_DATABASE: 'bank',
      }),
    ).toEqual({
      type: 'postgres',
      host: 'db',
      port: 5433,
      username: 'app',
      password: 'pw',
      database: 'bank',
    });
    expect(dataSourceOptionsFromEnv({ DB_TYPE: 'mysql', DB_DATABASE: 'bank' })).toEqual({
      type: 'mysql',
      host: 'localhost',
      database: 'bank',
    });
    expect(dataSourceOptionsFromEnv({ DB_TYPE: 'sqljs' })).toEqual({ type: 'sqljs' });
    expect(dataSourceOptionsFromEnv({ DB_TYPE: 'sqljs', DB_DATABASE: 'bank.db' })).toEqual({
      type: 'sqljs',
      location: 'bank.db',
      autoSave: true,
    });
    expect(dataSourceOptionsFromEnv({ DB_TYPE: 'better-sqlite3', DB_DATABASE: 'bank.db' })).toEqual({
      type: 'better-sqlite3',
      database: 'bank.db',
    });
  });
});

describe('an environment that names no database', () => {
  it('is an error that shows both ways to name one', () => {
    for (const environment of [{}, { DATABASE_URL: '', DB_HOST: '' }]) {
      const read = (): unknown => dataSourceOptionsFromEnv(environment);
      expect(read).toThrow(NoDataSourceError);
      expect(read).toThrow(/DATABASE_URL=mysql\+mysql2:\/\/.* DB_TYPE, DB_HOST/);
    }
  });

  it('leaves the boot without a database', async () => {
    await expect(boot(sqljs, { imports: [ScopedSessionModule.forRoot()] })).rejects.toThrow(
      NoDataSourceError,
    );
    expect(initialized).not.toHaveBeenCalled();
  });
});
