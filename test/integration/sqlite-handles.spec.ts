/** A SQLite file with a handle for each unit of work: those that read do not wait, those that write take turns. */
import { existsSync } from 'node:fs';
import {
  createEngine,
  InvalidOptionError,
  PoolTimeoutError,
  scopedSession,
  SelfDeadlockError,
  type SessionBase,
} from 'nestjs-scoped-session';
import { DataSource, type MigrationInterface, QueryFailedError, type QueryRunner } from 'typeorm';
import { afterEach, describe, expect, it } from 'vitest';
import { onEach, useDatabase } from '../support/databases.js';
import { Note } from '../support/note.js';
import { OtherProcess } from '../support/other-process.js';
import { ours, plainDataSource, texts } from '../support/plain-and-ours.js';
import { Database, type SqliteHandle } from '../support/sqlite-file.js';
import { users } from '../support/users.js';
import { signal, waitUntil } from '../support/wait-until.js';

const insert = (text: string): string => `INSERT INTO note (text) VALUES ('${text}')`;
const COUNT = 'SELECT COUNT(*) FROM note';

const fileOf = ({ options }: DataSource): string => options.database as string;

/** Counts turns of the event loop. */
function turns(): { readonly count: number; stop(): void } {
  let [count, isOn] = [0, true];
  const turn = (): void => {
    count += 1;
    if (isOn) setImmediate(turn);
  };
  setImmediate(turn);
  return {
    get count() {
      return count;
    },
    stop: () => void (isOn = false),
  };
}

describe('plain TypeORM with a handle for each (two DataSources on one file)', () => {
  const database = useDatabase('better-sqlite3');

  async function two(more: Record<string, unknown>): Promise<[DataSource, DataSource]> {
    const first = await plainDataSource(database, { enableWAL: true, ...more });
    const second = await new DataSource(database.options({ enableWAL: true, ...more })).initialize();
    for (const dataSource of [first, second])
      database.watch({ dataSource, close: () => dataSource.destroy() });
    return [first, second];
  }

  it('a second writer stops the whole process, and with it the first, who would have made room', async () => {
    const [first, second] = await two({ timeout: 200 });
    const runner = first.createQueryRunner();
    await runner.startTransaction();
    await runner.query(insert('of the first'));
    const commits = new Promise((resolve, reject) => {
      setImmediate(() => void runner.commitTransaction().then(resolve, reject));
    });
    const loop = turns();
    const error = await second.query(insert('of the second')).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'SQLITE_BUSY' });
    expect(loop.count).toBe(0);
    loop.stop();
    await commits;
  });

  it('who reads first and writes then fails at once when another has committed between', async () => {
    const [first, second] = await two({});
    const late = first.transaction(async (manager) => {
      await manager.count(Note);
      await second.query(insert('between'));
      await manager.query(insert('late'));
    });
    await expect(late).rejects.toMatchObject({ code: 'SQLITE_BUSY_SNAPSHOT' });
    expect(await texts(first)).toEqual(['between']);
  });
});

onEach(['better-sqlite3 per session'], (database) => {
  const processes: OtherProcess[] = [];

  afterEach(async () => {
    for (const one of processes.splice(0)) await one.ends();
  });

  const locked = async (dataSource: DataSource): Promise<() => Promise<void>> => {
    const other = await OtherProcess.locks(fileOf(dataSource));
    processes.push(other);
    return async () => {
      processes.splice(processes.indexOf(other), 1);
      await other.ends();
    };
  };

  describe('while a unit of work has written', () => {
    it('readOnly sessions and plain repositories read what was committed, and keep nobody waiting', async () => {
      const { session, dataSource } = await ours(database);
      await dataSource.query(insert('there'));
      await session.run(async () => {
        await session.execute(insert('not yet'));
        const reader = session.sessionFactory.create({ readOnly: true });
        expect(await reader.scalar(COUNT)).toBe(1);
        // Outside of the scope's session: a plain one.
        expect(await plainCount(dataSource)).toBe(1);
        await session.commit();
        // One snapshot for the whole of a session.
        expect(await reader.scalar(COUNT)).toBe(1);
        await reader.close();
        expect(await plainCount(dataSource)).toBe(2);
      });
    });

    it('what only reads may run inside it; what writes would wait for itself', async () => {
      const { session, dataSource } = await ours(database);
      await session.run(async () => {
        await session.execute(insert('outer'));
        const read = session.independently(() => session.scalar(COUNT), { readOnly: true });
        expect(await read).toBe(0);
        const write = session.independently(() => session.execute(insert('inner')));
        await expect(write).rejects.toThrow(SelfDeadlockError);
        await expect(session.independently(() => session.scalar(COUNT))).rejects.toThrow('readOnly');
      });
      expect(await texts(dataSource)).toEqual(['outer']);
    });

    it('dataSource.createQueryRunner() reads, and its write waits no longer than the deadline', async () => {
      const { session, dataSource, warnings } = await ours(database);
      await session.run(async () => {
        await session.execute(insert('outer'));
        const runner = dataSource.createQueryRunner();
        expect(await runner.query('SELECT * FROM note')).toEqual([]);
        const write = runner.query(insert('inner'));
        await expect(write).rejects.toThrow(PoolTimeoutError);
        await expect(write).rejects.toThrow(/got no connection .* Longest holder: /);
        await runner.release();
      });
      expect(warnings).toHaveLength(1);
      expect(await texts(dataSource)).toEqual(['outer']);
    });
  });

  it('20 units of work that read and then write all commit, in the order of their coming', async () => {
    const { session, dataSource } = await ours(database);
    const goOn = signal();
    const first = session.run(async () => {
      await session.execute(insert('0'));
      await goOn.promise;
    });
    const { engine } = session.sessionFactory;
    await waitUntil('the first has begun', () => engine!.status().active === 1);
    const others = Array.from({ length: 20 }, () =>
      session.run(async () => {
        const count = await session.scalar<number>(COUNT);
        await new Promise((resolve) => setImmediate(resolve));
        await session.execute(insert(String(count)));
        return count;
      }),
    );
    await waitUntil('all others wait', () => engine!.status().waiting === 20);
    goOn.resolve();
    await first;
    expect(await Promise.all(others)).toEqual(Array.from({ length: 20 }, (_, number) => number + 1));
    expect(await texts(dataSource)).toHaveLength(21);
  });

  it('plain writes of all kinds and sessions write at once, and none is told that the database is busy', async () => {
    const { session, dataSource } = await ours(database);
    const notes = dataSource.getRepository(Note);
    const { id } = await notes.save({ text: 'changed by all' });
    const rounds = Array.from({ length: 10 }, (_, number) => [
      session.run(() => session.execute(insert(`session ${number}`))),
      notes.insert({ text: `insert ${number}` }),
      notes.save({ text: `save ${number}` }),
      // Reads, and then begins.
      notes.save({ id, text: `changed ${number}` }),
      dataSource.query(insert(`query ${number}`)),
      dataSource.transaction(async (manager) => {
        const count = await manager.count(Note);
        await manager.insert(Note, { text: `transaction ${number} after ${count}` });
      }),
      notes.find(),
    ]);
    await Promise.all(rounds.flat());
    expect(await texts(dataSource)).toHaveLength(51);
  });

  it('several statements at once on one plain runner have one turn together', async () => {
    const { dataSource } = await ours(database);
    const runner = dataSource.createQueryRunner();
    await runner.query(COUNT);
    await Promise.all(['a', 'b', 'c'].map((text) => runner.query(insert(text))));
    await runner.startTransaction();
    await Promise.all(['d', 'e'].map((text) => runner.query(insert(text))));
    await runner.rollbackTransaction();
    // Between its writes it keeps nobody waiting.
    await dataSource.query(insert('f'));
    await runner.query(insert('g'));
    await runner.release();
    expect(await texts(dataSource)).toEqual(['a', 'b', 'c', 'f', 'g']);
  });

  describe('while another process has the file locked', () => {
    it.each([
      ['a session', (session: SessionBase) => session.execute(insert('waited'))],
      ['a plain statement', ({ dataSource }: SessionBase) => dataSource.query(insert('waited'))],
      [
        'a plain transaction',
        ({ dataSource }: SessionBase) =>
          dataSource.transaction(async (manager) => manager.query(insert('waited'))),
      ],
    ])('%s waits, and the event loop turns', async (_who, write) => {
      const { session, dataSource } = await ours(database);
      session.sessionFactory.engine!.configure({ gateTimeoutMs: 20_000 });
      const unlock = await locked(dataSource);
      const loop = turns();
      await using own = session.sessionFactory.create();
      let isOver = false;
      const written = write(own).finally(() => (isOver = true));
      await waitUntil('the event loop has turned a hundred times', () => loop.count > 100);
      loop.stop();
      expect(isOver).toBe(false);
      await using reader = session.sessionFactory.create({ readOnly: true });
      expect(await reader.scalar(COUNT)).toBe(0);
      await unlock();
      await written;
      await own.commit();
      expect(await texts(dataSource)).toEqual(['waited']);
    });

    it('who waits too long is told, and nothing was done; the next one is served', async () => {
      const { session, dataSource } = await ours(database);
      const { engine } = session.sessionFactory;
      engine!.configure({ gateTimeoutMs: 50 });
      const unlock = await locked(dataSource);
      await using own = session.sessionFactory.create({ label: 'GET /late' });
      const refused = own.execute(insert('refused'));
      await expect(refused).rejects.toThrow(PoolTimeoutError);
      await expect(refused).rejects.toThrow(/^GET \/late waited \d+ ms .* another process has locked/);
      await expect(dataSource.query(insert('refused'))).rejects.toThrow(PoolTimeoutError);
      await unlock();
      engine!.configure({ gateTimeoutMs: 5_000 });
      await own.execute(insert('served'));
      await own.commit();
      expect(await texts(dataSource)).toEqual(['served']);
    });

    it('a session that is given up while it waits leaves nothing behind', async () => {
      const { session, dataSource } = await ours(database);
      await dataSource.query(insert('there'));
      const unlock = await locked(dataSource);
      const own = session.sessionFactory.create();
      const waiting = own.execute(insert('given up'));
      const { engine } = session.sessionFactory;
      await waitUntil('it has its turn', () => engine!.status().active === 1);
      await own.invalidate();
      await expect(waiting).rejects.toThrow('invalidated');
      expect(engine!.status()).toMatchObject({ active: 0, waiting: 0, total: 0 });
      await unlock();
      await dataSource.query(insert('next'));
      expect(await texts(dataSource)).toEqual(['there', 'next']);
    });
  });

  describe('a handle', () => {
    const raw = async (session: SessionBase): Promise<SqliteHandle> =>
      (await session.connection()) as SqliteHandle;

    it("is opened as the DataSource's own, and never stops the process for a lock", async () => {
      const { session, dataSource } = await ours(database);
      for (const readOnly of [true, false]) {
        await using own = session.sessionFactory.create({ readOnly });
        const handle = await raw(own);
        const pragmas = ['journal_mode', 'foreign_keys', 'busy_timeout', 'query_only', 'synchronous'];
        const values = pragmas.map((name) => handle.pragma(name, { simple: true }));
        expect(values).toEqual(['wal', 1, 0, readOnly ? 1 : 0, 0]);
      }
      expect(dataSource.options).not.toHaveProperty('timeout');
    });

    it('that a session gave up is closed, and what was written on it is gone', async () => {
      const { session, dataSource } = await ours(database);
      const own = session.sessionFactory.create();
      await own.execute(insert('lost'));
      const handle = await raw(own);
      expect(handle.inTransaction).toBe(true);
      await own.invalidate();
      expect(handle.open).toBe(false);
      await dataSource.query(insert('next'));
      expect(await texts(dataSource)).toEqual(['next']);
      await own.close();
    });

    it('keeps its prepared statements to itself: a session that has another one sees what that one sees', async () => {
      const { session, dataSource } = await ours(database);
      const first = session.sessionFactory.create({ readOnly: true });
      const second = session.sessionFactory.create({ readOnly: true });
      expect(await first.scalar(COUNT)).toBe(0);
      await dataSource.query(insert('new'));
      expect(await second.scalar(COUNT)).toBe(1);
      const handle = await raw(first);
      await first.commit();
      await second.commit();
      const third = session.sessionFactory.create({ readOnly: true });
      // Handles at rest are lent in turn.
      expect(await raw(third)).toBe(handle);
      expect(await third.scalar(COUNT)).toBe(1);
      await dataSource.query(insert('newer'));
      expect(await second.scalar(COUNT)).toBe(2);
      expect(await first.scalar(COUNT)).toBe(2);
      for (const one of [first, second, third]) await one.close();
    });

    it.each(['rollback', 'reset', 'destroy'] as const)('is given back by resetOnReturn %s', async (mode) => {
      const test = await users(database, { engine: { resetOnReturn: mode } });
      const session = test.factory.create();
      const handle = await raw(session);
      await session.commit();
      await waitUntil('it is back', () => test.engine.status().active === 0);
      expect(handle.open).toBe(mode === 'rollback');
      expect(await session.scalar('SELECT COUNT(*) FROM users')).toBe(2);
      await session.close();
      await waitUntil('it is back', () => test.engine.status().active === 0);
    });

    it('is made ready by initSql', async () => {
      const test = await users(database, { engine: { initSql: ['PRAGMA cache_size = 77'] } });
      await using session = test.factory.create({ readOnly: true });
      expect(await session.scalar('PRAGMA cache_size')).toBe(77);
    });

    it('that only reads refuses a write at once, and goes back able to write', async () => {
      const test = await users(database, { engine: { poolSize: 1 } });
      await using reader = test.factory.create({ readOnly: true });
      await expect(reader.execute('DELETE FROM users')).rejects.toThrow(QueryFailedError);
      await reader.rollback();
      const runner = test.dataSource.createQueryRunner();
      await runner.query('SELECT 1');
      await runner.query('DELETE FROM users');
      await runner.release();
      expect(await test.names()).toEqual([]);
    });
  });

  it('poolSize handles read at once, and who would wait for himself is told', async () => {
    const { engine, factory } = await users(database, { engine: { poolSize: 1, poolTimeoutMs: 50 } });
    expect(engine.status().limit).toBe(2);
    const own = factory.create({ readOnly: true, label: 'the only reader' });
    await own.scalar('SELECT 1');
    const other = factory.create({ readOnly: true });
    await expect(other.scalar('SELECT 1')).rejects.toThrow('Longest holder: the only reader');
    await own.close();
    const scoped = scopedSession(factory);
    const read = async (): Promise<unknown> => scoped.scalar('SELECT 1');
    const outer = scoped.run(
      async () => {
        await read();
        await scoped.independently(read, { readOnly: true });
      },
      { readOnly: true },
    );
    await expect(outer).rejects.toThrow(SelfDeadlockError);
  });

  it('a plain transaction has the lock from its beginning: nobody commits between its reads and its writes', async () => {
    const { dataSource } = await ours(database);
    await dataSource.transaction(async (manager) => {
      expect(await manager.count(Note)).toBe(0);
      const outside = new Database(fileOf(dataSource), { timeout: 0 });
      expect(() => outside.exec(insert('between'))).toThrow('database is locked');
      outside.close();
      await manager.insert(Note, { text: 'of the transaction' });
    });
    expect(await texts(dataSource)).toEqual(['of the transaction']);
  });

  it.each([0, 1])(
    'a runner keeps %i prepared statements where that is asked for',
    async (statementCacheSize) => {
      const { session, dataSource } = await ours(database, { statementCacheSize });
      await session.run(async () => {
        await session.execute(insert('a'));
        await session.execute(insert('b'));
        expect(await session.scalar(COUNT)).toBe(2);
      });
      expect(await texts(dataSource)).toEqual(['a', 'b']);
    },
  );

  it('a plain transaction that is left open is undone, and its turn is over', async () => {
    const { dataSource } = await ours(database);
    const runner = dataSource.createQueryRunner();
    await runner.query('SELECT 1');
    await runner.startTransaction();
    await runner.query(insert('left open'));
    await runner.release();
    await dataSource.query(insert('next'));
    expect(await texts(dataSource)).toEqual(['next']);
  });

  it('migrations run on one handle, with the settings that TypeORM makes there', async () => {
    const seen: unknown[] = [];
    class Rebuild1700000000000 implements MigrationInterface {
      async up(runner: QueryRunner): Promise<void> {
        seen.push(...((await runner.query('PRAGMA foreign_keys')) as unknown[]));
        await runner.query('CREATE TABLE made (id INTEGER)');
      }

      async down(): Promise<void> {
        // Never undone.
      }
    }
    const { dataSource, factory } = await users(database, {
      dataSource: { migrations: [Rebuild1700000000000] },
    });
    await dataSource.runMigrations();
    expect(seen).toEqual([{ foreign_keys: 0 }]);
    await using session = factory.create();
    expect(await session.scalar('SELECT COUNT(*) FROM made')).toBe(0);
    await session.commit();
    await dataSource.query('DROP TABLE made');
    await dataSource.query('DROP TABLE migrations');
  });

  it('a plain transaction by hand may still be DEFERRED', async () => {
    const { dataSource } = await ours(database);
    const runner = dataSource.createQueryRunner();
    await runner.query('BEGIN DEFERRED');
    expect(await runner.query('SELECT * FROM note')).toEqual([]);
    const outside = await database.ask('SELECT COUNT(*) AS count FROM note');
    expect(outside).toEqual([{ count: 0 }]);
    await runner.query('COMMIT');
    await runner.release();
  });

  it('when everything is closed, the files of the WAL are gone', async () => {
    const file = `${(database.options() as { database: string }).database}.closed`;
    const options = database.options({ entities: [Note], synchronize: true, database: file });
    const engine = await createEngine(options, database.engine).initialize();
    await engine.dataSource.query(insert('kept'));
    const open = engine.dataSource.createQueryRunner();
    await open.query('SELECT 1');
    expect([existsSync(`${file}-wal`), existsSync(`${file}-shm`)]).toEqual([true, true]);
    // A handle that comes back late is closed then.
    await engine.dataSource.destroy();
    await open.release();
    await expect(engine.dataSource.query('SELECT 1')).rejects.toThrow('not established');
    await engine.dispose();
    expect([existsSync(file), existsSync(`${file}-wal`), existsSync(`${file}-shm`)]).toEqual([
      true,
      false,
      false,
    ]);
  });
});

/** Past the session of the scope that the test runs in. */
async function plainCount(dataSource: DataSource): Promise<number> {
  const runner = dataSource.driver.createQueryRunner('master');
  const [row] = (await runner.query('SELECT COUNT(*) AS count FROM note')) as [{ count: number }];
  await runner.release();
  return row.count;
}

describe("sqliteConnections: 'perSession'", () => {
  it.each([
    ['sql.js', { type: 'sqljs' }, 'not sqljs'],
    ['a server', { type: 'mariadb' }, 'not mariadb'],
    ['memory', { type: 'better-sqlite3', database: ':memory:' }, 'in memory'],
    ['a temporary database', { type: 'better-sqlite3', database: ' ' }, 'temporary'],
    ['a URI of memory', { type: 'better-sqlite3', database: 'file:x?mode=memory' }, 'in memory'],
  ] as const)('is refused for %s', (_what, options, why) => {
    for (const target of [options, new DataSource(options)]) {
      const make = (): unknown => createEngine(target, { sqliteConnections: 'perSession' });
      expect(make).toThrow(InvalidOptionError);
      expect(make).toThrow(why);
    }
    expect(createEngine(options, { sqliteConnections: 'shared' }).status().active).toBe(0);
  });

  it('is one of two words', () => {
    const make = (): unknown => createEngine({ type: 'sqljs' }, { sqliteConnections: 'each' as never });
    expect(make).toThrow('one of "shared", "perSession"');
  });
});
