/** The pool on real servers: plain TypeORM takes part in its rules, and what is lent is alive and clean. */
import { createEngine, PoolTimeoutError, SelfDeadlockError } from 'nestjs-scoped-session';
import { DataSource, QueryFailedError } from 'typeorm';
import { describe, expect, it } from 'vitest';
import { engineOf } from '../../src/engine/index.js';
import { ALL_KINDS, onEach, SERVERS } from '../support/databases.js';
import { Note } from '../support/note.js';
import { ours, plainDataSource, texts } from '../support/plain-and-ours.js';
import { connectionNumber, INSERT_USER, users } from '../support/users.js';
import { waitUntil } from '../support/wait-until.js';

/** For those who wait from now on. */
const setDeadline = (dataSource: DataSource, timeoutMs: number): void =>
  engineOf(dataSource).configure({ poolTimeoutMs: timeoutMs, gateTimeoutMs: timeoutMs });

onEach(SERVERS, (database) => {
  const kill = (number: number): Promise<unknown> =>
    database.ask(database.kind === 'mariadb' ? `KILL ${number}` : `SELECT pg_terminate_backend(${number})`);

  it('POOL-36: plain TypeORM hands an open transaction to the next one, which commits it; here nobody gets one', async () => {
    const leave = async (dataSource: DataSource): Promise<void> => {
      const runner = dataSource.createQueryRunner();
      await runner.startTransaction();
      await runner.manager.insert(Note, { text: 'left open' });
      await runner.release();
      await dataSource.transaction((manager) => manager.insert(Note, { text: 'of another' }));
    };
    const plain = await plainDataSource(database, { poolSize: 1 });
    try {
      await leave(plain);
      expect(await texts(plain)).toEqual(['left open', 'of another']);
    } finally {
      await plain.destroy();
    }
    const { dataSource } = await ours(database, { poolSize: 1 });
    await leave(dataSource);
    expect(await texts(dataSource)).toEqual(['of another']);
  });

  it('POOL-36: the same when the transaction was opened by hand', async () => {
    const { dataSource } = await ours(database, { poolSize: 1 });
    const runner = dataSource.createQueryRunner();
    await runner.query('BEGIN');
    await runner.query("INSERT INTO note (text) VALUES ('left open')");
    await runner.release();
    expect(await texts(dataSource)).toEqual([]);
  });

  it('a plain repository waits for a connection no longer than the deadline (plain TypeORM: for ever)', async () => {
    const { dataSource } = await ours(database, { poolSize: 1 });
    const holder = dataSource.createQueryRunner();
    await holder.connect();
    setDeadline(dataSource, 50);
    await expect(dataSource.query('SELECT 1')).rejects.toThrow(PoolTimeoutError);
    await expect(dataSource.getRepository(Note).find()).rejects.toThrow('A plain query runner');
    setDeadline(dataSource, 1_000);
    await holder.release();
    expect(await dataSource.getRepository(Note).find()).toEqual([]);
  });

  it('releasing twice gives back once', async () => {
    const { dataSource } = await ours(database, { poolSize: 1 });
    const first = dataSource.createQueryRunner();
    await first.connect();
    await first.release();
    const second = dataSource.createQueryRunner();
    await second.connect();
    await first.release();
    setDeadline(dataSource, 50);
    await expect(dataSource.query('SELECT 1')).rejects.toThrow(PoolTimeoutError);
    setDeadline(dataSource, 1_000);
    await second.release();
    await expect(first.query('SELECT 1')).rejects.toThrow('released');
  });

  it('a plain runner whose connection was lost says so until it is released, and gives nothing back', async () => {
    const { dataSource } = await ours(database, { poolSize: 1 });
    const runner = dataSource.createQueryRunner();
    const asked =
      database.kind === 'mariadb' ? 'SELECT CONNECTION_ID() AS n' : 'SELECT pg_backend_pid() AS n';
    const [row] = (await runner.query(asked)) as [{ n: number | string }];
    await kill(Number(row.n));
    for (let round = 0; round < 2; round += 1)
      await expect(runner.query(asked)).rejects.toThrow(QueryFailedError);
    await runner.release();
    const [next] = (await dataSource.query(asked)) as [{ n: number | string }];
    expect(next.n).not.toEqual(row.n);
  });

  it('a connection that died at rest is replaced before anybody meets it', async () => {
    const test = await users(database, { engine: { poolPrePing: 'always' }, dataSource: { poolSize: 1 } });
    const session = test.factory.create();
    const before = await connectionNumber(session, database);
    await session.commit();
    await kill(before);
    expect(await connectionNumber(session, database)).not.toBe(before);
    await session.close();
  });

  it('one connection that was lost replaces all of its generation', async () => {
    const test = await users(database, { dataSource: { poolSize: 3 } });
    const [first, second] = [test.factory.create(), test.factory.create()];
    const numbers = [await connectionNumber(first, database), await connectionNumber(second, database)];
    await second.commit();
    await kill(numbers[0]!);
    await expect(first.execute('SELECT 1')).rejects.toThrow(QueryFailedError);
    await first.rollback();
    expect(await connectionNumber(second, database)).not.toBe(numbers[1]);
    expect(test.engine.status().total).toBe(1);
    await second.close();
    await first.close();
  });

  it('overflow is opened when it is needed and closed when it is given back', async () => {
    const test = await users(database, {
      engine: { maxOverflow: 1, poolSize: 1 },
      dataSource: { poolSize: 2 },
    });
    const sessions = [test.factory.create(), test.factory.create()];
    for (const session of sessions) await session.execute('SELECT 1');
    expect(test.engine.status()).toMatchObject({ limit: 2, total: 2, active: 2 });
    for (const session of sessions) await session.close();
    expect(test.engine.status()).toMatchObject({ total: 1, idle: 1 });
  });

  it('figures above the limit of the DataSource are refused, and so are values that make no sense', () => {
    const dataSource = new DataSource(database.options({ poolSize: 4 }));
    const wrong = [{ poolSize: 5 }, { poolSize: 4, maxOverflow: 1 }, { maxOverflow: 1 }];
    for (const options of wrong) expect(() => createEngine(dataSource, options)).toThrow('limit of the');
    expect(() => createEngine(dataSource, { resetOnReturn: 'never' as never })).toThrow('resetOnReturn');
    expect(() => createEngine(dataSource, { poolPrePing: true as never })).toThrow('poolPrePing');
    expect(() => createEngine(dataSource, { initSql: 'SET a' as never })).toThrow('initSql');
  });

  it('F40: every new connection is made ready by initSql, and again after a reset', async () => {
    const [sql, ask] =
      database.kind === 'mariadb'
        ? ["SET time_zone = '+05:00'", 'SELECT @@time_zone']
        : ["SET application_name = 'ready'", "SELECT current_setting('application_name')"];
    const test = await users(database, { engine: { initSql: [sql], resetOnReturn: 'reset' } });
    const session = test.factory.create();
    for (let round = 0; round < 2; round += 1) {
      expect(await session.scalar(ask)).toBe(database.kind === 'mariadb' ? '+05:00' : 'ready');
      await session.commit();
    }
    await session.close();
    // The invariants look for connections as they were made.
    test.engine.configure({ initSql: [] });
  });

  describe('rawConnection()', () => {
    it('lends a connection, and rolls back what is open when it is closed', async () => {
      const test = await users(database);
      const raw = await test.engine.rawConnection();
      expect(test.engine.status().active).toBe(1);
      expect(raw.driverConnection).toHaveProperty('query');
      await raw.query('BEGIN');
      await raw.query("INSERT INTO users (name, nick) VALUES ('three', 'z')");
      await raw.close();
      await raw.close();
      expect(test.engine.status().active).toBe(0);
      expect(await test.names()).toEqual(['one', 'two']);
    });
  });
});

onEach(ALL_KINDS, (database) => {
  const isOneConnection = database.kind === 'sqljs' || database.kind === 'better-sqlite3';
  it('a unit of work inside another does not wait for a connection that only the outer one could give', async () => {
    const { dataSource, session } = await ours(database, { poolSize: 1 });
    const outer = session.run(async () => {
      await dataSource.getRepository(Note).insert({ text: 'outer' });
      await session.independently(() => dataSource.getRepository(Note).insert({ text: 'inner' }));
    });
    await expect(outer).rejects.toThrow(SelfDeadlockError);
    expect(await texts(dataSource)).toEqual([]);
  });

  it('a session made by hand inside a unit of work is told so too', async () => {
    const { session } = await ours(database, { poolSize: 1 });
    const outer = session.run(async () => {
      await session.execute("INSERT INTO note (text) VALUES ('outer')");
      await session.sessionFactory.begin((own) => own.execute('SELECT 1'));
    });
    await expect(outer).rejects.toThrow('would wait for itself');
  });

  it('a DataSource that is destroyed and initialised again has a pool again', async () => {
    const test = await users(database);
    await test.factory.begin((session) => session.execute(INSERT_USER, { name: 'three', nick: 'z' }));
    await test.dataSource.destroy();
    expect(test.engine.status().idle).toBe(isOneConnection ? 1 : 0);
    await test.dataSource.initialize();
    const session = test.factory.create();
    await waitUntil('a statement is answered', async () => Number(await session.scalar('SELECT 1')) === 1);
    await session.close();
  });
});

onEach(['mariadb'], (database) => {
  it('where backslashes do not escape, mysql2 would let a value end its quotes: nothing is sent there', async () => {
    const injection = "\\' OR 1=1 -- ";
    const initSql = ["SET sql_mode = CONCAT(@@sql_mode, ',NO_BACKSLASH_ESCAPES')"];
    const test = await users(database, { engine: { initSql } });
    const runner = test.dataSource.createQueryRunner();
    const found = await runner.query('SELECT * FROM users WHERE name = ?', [injection]);
    await runner.release();
    // Plain TypeORM: every row.
    expect(found).toHaveLength(2);
    const session = test.factory.create();
    const refused = session.execute('SELECT * FROM users WHERE name = :name', { name: injection });
    await expect(refused).rejects.toThrow('NO_BACKSLASH_ESCAPES');
    await session.close();
    test.engine.configure({ initSql: [] });
    test.engine.invalidate();
  });

  it('where that is set in the middle of a session, nothing more is sent, and nobody gets its connection', async () => {
    const test = await users(database, { dataSource: { poolSize: 1 } });
    const session = test.factory.create();
    await session.execute('SELECT 1');
    const unsafe = session.execute("SET sql_mode = CONCAT(@@sql_mode, ',NO_BACKSLASH_ESCAPES')");
    await expect(unsafe).rejects.toMatchObject({ code: 'SS_ERR_UNUSABLE_DATA_SOURCE' });
    const after = session.execute('SELECT :name', { name: 'x' });
    await expect(after).rejects.toMatchObject({ code: 'SS_ERR_PENDING_ROLLBACK' });
    await session.rollback();
    expect(await session.scalar('SELECT @@sql_mode')).not.toContain('NO_BACKSLASH_ESCAPES');
    await session.close();
  });
});

onEach(['postgres'], (database) => {
  it.each([
    [undefined, 10_000],
    [3_000, 3_000],
  ])(
    'a server that lets nobody in is not waited for for ever: connectTimeoutMS %s becomes %s',
    async (given, becomes) => {
      const { dataSource } = await ours(database, { connectTimeoutMS: given });
      await dataSource.query('SELECT 1');
      const { master } = dataSource.driver as unknown as { master: { options: object } };
      expect(master.options).toMatchObject({ connectionTimeoutMillis: becomes });
    },
  );
});
