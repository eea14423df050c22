/** A server that refuses: locks, limits, full disks, switches that somebody threw; on a server of this file's own. */
import { Controller, Post } from '@nestjs/common';
import { type Connection, createConnection } from 'mysql2/promise';
import { ScopedSession, ScopeTimeoutError } from 'nestjs-scoped-session';
import { QueryFailedError } from 'typeorm';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { engineOf } from '../../src/engine/index.js';
import { useFaultyDatabase } from '../support/faulty-database.js';
import { Note } from '../support/note.js';
import { connectionId, ours, type Ours, texts } from '../support/plain-and-ours.js';
import { startApp } from '../support/test-app.js';
import { waitUntil } from '../support/wait-until.js';

const database = useFaultyDatabase(['--innodb-lock-wait-timeout=1', '--max-heap-table-size=16384']);

/** Another client of the server, with all rights. */
let other: Connection;
beforeEach(async () => {
  other = await createConnection({ host: '127.0.0.1', port: database.server.port, user: 'root' });
  await other.query(`USE ${database.user}`);
});
afterEach(() => other.end());

const add = ({ session }: Ours, text: string): Promise<unknown> =>
  session.execute('INSERT INTO note (text) VALUES (:text)', { text });

const isServed = async ({ session }: Ours): Promise<void> => {
  expect(Number(await session.run(() => session.scalar('SELECT 1')))).toBe(1);
};

describe('a statement that the server refuses', () => {
  it('F09: because somebody killed it fails the unit of work; the connection stays', async () => {
    const test = await ours(database, { poolSize: 1 });
    const work = test.session.run(async () => {
      await add(test, 'undone');
      const id = await connectionId(test.session);
      const slow = test.session.scalar('SELECT SUM(a.seq * b.seq) FROM seq_1_to_100000 a, seq_1_to_100000 b');
      slow.catch(() => undefined);
      await waitUntil('it runs', async () => {
        const rows = await database.ask(
          `SELECT id FROM information_schema.processlist WHERE id = ${id} AND info LIKE 'SELECT SUM%'`,
        );
        return rows.length === 1;
      });
      await other.query(`KILL QUERY ${id}`);
      await slow;
    });
    await expect(work).rejects.toMatchObject({ errno: 1317 });
    expect(engineOf(test.dataSource).status()).toMatchObject({ total: 1, active: 0 });
    expect(await texts(test.dataSource)).toEqual([]);
  });

  it('F33: because it waited too long for a lock fails the unit of work, all of it', async () => {
    const test = await ours(database, { poolSize: 1 });
    await test.session.run(() => add(test, 'locked'));
    await other.beginTransaction();
    await other.query("UPDATE note SET text = 'theirs' WHERE id = 1");
    const work = test.session.run(async () => {
      await add(test, 'undone');
      await test.session.execute("UPDATE note SET text = 'ours' WHERE id = 1");
    });
    await expect(work).rejects.toMatchObject({ errno: 1205 });
    await other.rollback();
    expect(await texts(test.dataSource)).toEqual(['locked']);
  });

  it('F33: and behind a savepoint takes only what the savepoint holds', async () => {
    const test = await ours(database, { poolSize: 1 });
    await test.session.run(() => add(test, 'locked'));
    await other.beginTransaction();
    await other.query("UPDATE note SET text = 'theirs' WHERE id = 1");
    await test.session.run(async () => {
      await add(test, 'kept');
      const nested = test.session.beginNested(async () => {
        await add(test, 'undone');
        await test.session.execute("UPDATE note SET text = 'ours' WHERE id = 1");
      });
      await expect(nested).rejects.toMatchObject({ errno: 1205 });
    });
    await other.rollback();
    expect(await texts(test.dataSource)).toEqual(['locked', 'kept']);
  });

  it('F31: because there is no room left fails the unit of work, all of it; the next one is served', async () => {
    const test = await ours(database, { poolSize: 1 });
    // A table in memory is full sooner than a disk, and says so with the same error.
    await other.query('CREATE OR REPLACE TABLE filler (text CHAR(255)) ENGINE = MEMORY');
    const work = test.session.run(async () => {
      await add(test, 'undone');
      for (let rows = 0; rows < 1_000; rows += 1)
        await test.session.execute("INSERT INTO filler VALUES ('x')");
    });
    await expect(work).rejects.toMatchObject({ errno: 1114 });
    await test.session.run(() => add(test, 'stored'));
    expect(await texts(test.dataSource)).toEqual(['stored']);
  });

  it('L16: because it is too large costs the connection, which nobody gets after that', async () => {
    const test = await ours(database, { poolSize: 1 });
    await isServed(test);
    await database.ask('SET GLOBAL max_allowed_packet = 16384');
    database.proxy.cut();
    await waitUntil('the pool has noticed', () => engineOf(test.dataSource).status().total === 0);
    const work = test.session.run(async () => {
      await add(test, 'undone');
      await test.session.execute('SELECT LENGTH(:much)', { much: 'x'.repeat(100_000) });
    });
    await expect(work).rejects.toThrow(QueryFailedError);
    expect(engineOf(test.dataSource).status().total).toBe(0);
    for (let next = 0; next < 3; next += 1) await isServed(test);
    expect(await texts(test.dataSource)).toEqual([]);
    await database.ask('SET GLOBAL max_allowed_packet = 16777216');
    database.proxy.cut();
  });

  it('F131: because it has become read-only in the middle fails the unit of work, all of it', async () => {
    const test = await ours(database, { poolSize: 1 });
    await database.ask('SET GLOBAL read_only = 1');
    const work = test.session.run(async () => {
      expect(await test.session.scalars('SELECT text FROM note')).toEqual([]);
      await add(test, 'undone');
    });
    await expect(work).rejects.toMatchObject({ errno: 1290 });
    await database.ask('SET GLOBAL read_only = 0');
    await test.session.run(() => add(test, 'stored'));
    expect(await texts(test.dataSource)).toEqual(['stored']);
  });

  it('F36: because everybody has to wait ends with the unit of work’s own time', async () => {
    const test = await ours(database, { poolSize: 1 });
    await other.query('FLUSH TABLES WITH READ LOCK');
    const work = test.session.run(() => add(test, 'undone'), { timeoutMs: 200 });
    await expect(work).rejects.toThrow(ScopeTimeoutError);
    await other.query('UNLOCK TABLES');
    await isServed(test);
    await waitUntil('nothing is left of it', async () => {
      const [rows] = await other.query(
        `SELECT id FROM information_schema.processlist WHERE info LIKE 'INSERT%'`,
      );
      return (rows as unknown[]).length === 0;
    });
    expect(await texts(test.dataSource)).toEqual([]);
  });
});

@Controller()
class TablesController {
  constructor(private readonly session: ScopedSession) {}

  @Post('dropped')
  async dropped(): Promise<void> {
    await this.session.manager.insert(Note, { text: 'undone' });
    await this.session.execute('SELECT * FROM no_such_table');
  }
}

it('F32: a table that is not there is 500 for the client, without the statement, and nothing is stored', async () => {
  const { http } = await startApp(database, { controllers: [TablesController] });
  const { status, text } = await http.post('/dropped');
  expect(status).toBe(500);
  expect(text).not.toContain('no_such_table');
  expect(await database.ask('SELECT text FROM note')).toEqual([]);
});

describe('what the server does not promise', () => {
  it('F60: a table that has no transactions keeps what was rolled back', async () => {
    const test = await ours(database, { poolSize: 1 });
    await other.query('CREATE OR REPLACE TABLE counter (n INT) ENGINE = Aria');
    const work = test.session.run(async () => {
      await add(test, 'undone');
      await test.session.execute('INSERT INTO counter VALUES (1)');
      throw new Error('no');
    });
    await expect(work).rejects.toThrow('no');
    expect(await texts(test.dataSource)).toEqual([]);
    expect(await database.ask('SELECT n FROM counter')).toEqual([{ n: 1 }]);
  });

  it('F61: units of work are whole where the server’s default is not to autocommit', async () => {
    await database.ask('SET GLOBAL autocommit = 0');
    const test = await ours(database, { poolSize: 1 });
    await test.session.run(() => add(test, 'stored'));
    const failing = test.session.run(async () => {
      await add(test, 'undone');
      throw new Error('no');
    });
    await expect(failing).rejects.toThrow('no');
    await database.ask('SET GLOBAL autocommit = 1');
    expect((await database.ask<Note>('SELECT text FROM note')).map(({ text }) => text)).toEqual(['stored']);
    // They were made with the other default.
    database.proxy.cut();
  });
});
