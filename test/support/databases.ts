/** A database, and a user, of its own for each test file, on each kind of server; checked after each of its tests. */
import { randomBytes } from 'node:crypto';
import { mkdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createPool, type Pool as MysqlPool, type RowDataPacket } from 'mysql2/promise';
import { Pool as PostgresPool } from 'pg';
import type { DataSourceOptions } from 'typeorm';
import type { EngineOptions } from '../../src/engine/index.js';
import { afterAll, afterEach, beforeAll, describe, inject } from 'vitest';
import { checkInvariants, type Watched } from './invariants.js';
import type { ServerAddress } from './mariadb-server.js';
import { Database, type SqliteHandle } from './sqlite-file.js';

export const KINDS = ['mariadb', 'sqljs', 'postgres'] as const;

/** A file: everybody shares one connection, or each lease has a handle of its own. */
export const SQLITE_FILES = ['better-sqlite3', 'better-sqlite3 per session'] as const;

/** For what a database may do differently from all the others. */
export const ALL_KINDS = [...KINDS, 'better-sqlite3', 'better-sqlite3 per session'] as const;
export type Kind = (typeof ALL_KINDS)[number];

/** The kinds that have a server. */
export const SERVERS = ['mariadb', 'postgres'] as const;

export const isSqlite = (kind: Kind): boolean => kind !== 'mariadb' && kind !== 'postgres';

export interface TestDatabase {
  readonly kind: Kind;
  /** TypeORM's options for it, as the test's own user. */
  options(more?: Partial<DataSourceOptions> & Record<string, unknown>): DataSourceOptions;
  /** The engine's options that make it this kind. */
  readonly engine: EngineOptions;
  /** Asks from outside: another connection, which sees what was committed. Not on sql.js. */
  ask<Row = Record<string, unknown>>(sql: string): Promise<Row[]>;
  /** Watches this until the end of the test: its pool, its sessions, its application. */
  watch<T extends Watched>(watched: T): T;
  /** The user whose connections are the test's. */
  readonly user: string;
}

/** Runs `tests` once for each kind of database, on a database of its own. */
export function onEach(kinds: readonly Kind[], tests: (database: TestDatabase) => void): void {
  for (const kind of kinds) {
    const isThere = kind !== 'postgres' || inject('postgres') !== undefined;
    describe.skipIf(!isThere)(`on ${kind}`, () => {
      tests(useDatabase(kind));
    });
  }
}

/**
 * Makes a database for this file (or this describe), and checks the invariants after each test in it.
 *
 * @param mysql - where the server is, once it runs; left out, the one that all files share
 */
export function useDatabase(kind: Kind, mysql: () => ServerAddress = () => inject('mysql')): TestDatabase {
  const name = `t_${randomBytes(6).toString('hex')}`;
  const backend = backendOf(kind, name, mysql);
  const watched = new Set<Watched>();
  beforeAll(() => backend.create());
  afterAll(() => backend.drop());
  afterEach(async () => {
    const all = [...watched];
    watched.clear();
    try {
      await checkInvariants({ kind, user: name, ask: (sql) => backend.ask(sql) }, all);
    } finally {
      for (const one of all) await one.close?.();
    }
  });
  return {
    kind,
    user: name,
    engine: kind === 'better-sqlite3 per session' ? { sqliteConnections: 'perSession' } : {},
    options: (more) => ({ ...backend.options(), ...more }) as DataSourceOptions,
    ask: async <Row>(sql: string) => (await backend.ask(sql)) as Row[],
    watch: (one) => {
      watched.add(one);
      return one;
    },
  };
}

interface Backend {
  create(): Promise<void>;
  drop(): Promise<void>;
  options(): object;
  ask(sql: string): Promise<object[]>;
}

function backendOf(kind: Kind, name: string, mysql: () => ServerAddress): Backend {
  if (kind === 'mariadb') return onMysql(name, mysql);
  if (kind === 'postgres') return onPostgres(name);
  return kind === 'sqljs' ? inMemory() : inFile(name);
}

function onMysql(name: string, server: () => ServerAddress): Backend {
  let address: ServerAddress;
  let admin: MysqlPool;
  return {
    create: async () => {
      address = server();
      admin = createPool({ ...address, connectionLimit: 2 });
      await admin.query(`CREATE DATABASE ${name}`);
      await admin.query(`CREATE USER ${name} IDENTIFIED BY ''`);
      await admin.query(`GRANT ALL ON ${name}.* TO ${name}`);
    },
    drop: async () => {
      await admin.query(`DROP DATABASE ${name}`);
      await admin.query(`DROP USER ${name}`);
      await admin.end();
    },
    options: () => ({
      type: 'mariadb',
      host: address.host,
      port: address.port,
      username: name,
      password: '',
      database: name,
    }),
    ask: async (sql) => {
      const connection = await admin.getConnection();
      try {
        await connection.query(`USE ${name}`);
        return (await connection.query<RowDataPacket[]>(sql))[0];
      } finally {
        connection.release();
      }
    },
  };
}

function onPostgres(name: string): Backend {
  const { host, port, user } = inject('postgres') ?? { host: '', port: 0, user: '' };
  const connect = (database: string): PostgresPool => {
    const pool = new PostgresPool({ host, port, user, database, max: 2 });
    // A client that is ending is told once more, when its database is dropped.
    pool.on('error', () => undefined);
    pool.on('connect', (client) => client.on('error', () => undefined));
    return pool;
  };
  let own: PostgresPool;
  const asAdmin = async (...statements: string[]): Promise<void> => {
    const admin = connect('postgres');
    for (const sql of statements) await admin.query(sql);
    await admin.end();
  };
  return {
    create: async () => {
      await asAdmin(`CREATE ROLE ${name} LOGIN`, `CREATE DATABASE ${name} OWNER ${name}`);
      own = connect(name);
    },
    drop: async () => {
      await own.end();
      await asAdmin(`DROP DATABASE ${name} WITH (FORCE)`, `DROP ROLE ${name}`);
    },
    options: () => ({
      type: 'postgres',
      host,
      port,
      username: name,
      password: '',
      database: name,
      installExtensions: false,
    }),
    ask: async (sql) => (await own.query<object>(sql)).rows,
  };
}

function inMemory(): Backend {
  return {
    create: async () => undefined,
    drop: async () => undefined,
    options: () => ({ type: 'sqljs' }),
    ask: async () => {
      throw new Error('A database in memory cannot be asked from outside.');
    },
  };
}

function inFile(name: string): Backend {
  const directory = join(tmpdir(), name);
  const file = join(directory, 'test.db');
  return {
    create: () => mkdir(directory),
    drop: () => rm(directory, { recursive: true }),
    options: () => ({
      type: 'better-sqlite3',
      database: file,
      // No test cuts the power.
      prepareDatabase: (handle: SqliteHandle) => void handle.pragma('synchronous = OFF'),
    }),
    ask: async (sql) => {
      const outside = new Database(file);
      try {
        return outside.prepare<object>(sql).all();
      } finally {
        outside.close();
      }
    },
  };
}
