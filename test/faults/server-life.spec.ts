/** A server that stops, dies, comes back, or has no room: on a server of this file's own. */
import type { Socket } from 'node:net';
import { Controller, Get } from '@nestjs/common';
import {
  ConnectionUnavailableError,
  PoolTimeoutError,
  ScopedSession,
  ScopeTimeoutError,
} from 'nestjs-scoped-session';
import { QueryFailedError } from 'typeorm';
import { expect, it } from 'vitest';
import { engineOf } from '../../src/engine/index.js';
import { useFaultyDatabase } from '../support/faulty-database.js';
import { Ledger } from '../support/ledger.js';
import { connectionId, kill, type Ours, ours, texts } from '../support/plain-and-ours.js';
import { startApp } from '../support/test-app.js';
import { waitUntil } from '../support/wait-until.js';

// What was committed is on disk: the server is killed.
const database = useFaultyDatabase(['--innodb-flush-log-at-trx-commit=1']);

/** The most connections of the test itself: those that ask, and one that sees whether the server is up. */
const OUTSIDE = 3;

const add = ({ session }: Ours, text: string): Promise<unknown> =>
  session.execute('INSERT INTO note (text) VALUES (:text)', { text });

const isServed = async ({ session }: Ours): Promise<void> => {
  expect(Number(await session.run(() => session.scalar('SELECT 1')))).toBe(1);
};

const poolIsEmpty = ({ dataSource }: Ours): Promise<void> =>
  waitUntil('the pool has noticed', () => engineOf(dataSource).status().total === 0);

/** What the server has, once everything that was on its way has arrived. */
async function stored(): Promise<unknown[]> {
  await waitUntil('nothing is open', async () => {
    const rows = await database.ask(
      `SELECT id FROM information_schema.processlist WHERE user = '${database.user}' AND command <> 'Sleep'`,
    );
    return rows.length === 0;
  });
  return (await database.ask<{ text: string }>('SELECT text FROM note ORDER BY id')).map(({ text }) => text);
}

const closedByServer = (id: number): Promise<void> =>
  waitUntil('the server closed it', async () => {
    const rows = await database.ask(`SELECT id FROM information_schema.processlist WHERE id = ${id}`);
    return rows.length === 0;
  });

it('F24: a server that stops in the middle of a statement is given up when the time is up', async () => {
  const test = await ours(database, { poolSize: 1 });
  const work = test.session.run(
    async () => {
      await add(test, 'lost');
      await database.server.pause();
      await add(test, 'late');
    },
    { timeoutMs: 200 },
  );
  await expect(work).rejects.toThrow(ScopeTimeoutError);
  expect(engineOf(test.dataSource).status().total).toBe(0);
  database.server.resume();
  await isServed(test);
  expect(await stored(), 'what ran late was rolled back').toEqual([]);
});

it('F24: a server that stops at COMMIT leaves the outcome unknown, and books that fit', async () => {
  const test = await ours(database, { poolSize: 2 }, { settleTimeoutMs: 100 });
  const ledger = await Ledger.open(database, test.session);
  await ledger.transfer();
  const stopped = database.proxy.once('COMMIT', () => void database.server.pause());
  expect(await ledger.transfer({ timeoutMs: 200 })).toBe('unknown');
  await stopped;
  database.server.resume();
  await waitUntil('the next is served', async () => (await ledger.transfer()) === 'ok');
  await stored();
  expect(await ledger.wrong()).toEqual([]);
});

it('F24: whoever wants a new connection of a server that stopped is told after poolTimeoutMs', async () => {
  const test = await ours(database, { poolSize: 1 });
  engineOf(test.dataSource).configure({ poolTimeoutMs: 200 });
  await isServed(test);
  database.proxy.cut();
  await poolIsEmpty(test);
  await database.server.pause();
  await expect(test.session.run(() => add(test, 'never'))).rejects.toThrow(PoolTimeoutError);
  database.server.resume();
  await isServed(test);
  expect(await stored()).toEqual([]);
});

it('F25: a server that is killed takes the transaction along; after its restart the next one is served', async () => {
  const test = await ours(database, { poolSize: 2 });
  await test.session.run(() => add(test, 'kept'));
  const work = test.session.run(async () => {
    await add(test, 'lost');
    await database.server.kill();
    await add(test, 'lost as well');
  });
  await expect(work).rejects.toThrow(QueryFailedError);
  await poolIsEmpty(test);
  await database.server.restart();
  await isServed(test);
  expect(await texts(test.dataSource)).toEqual(['kept']);
});

it('F25: idle connections to a server that restarted are noticed by nobody', async () => {
  const test = await ours(database, { poolSize: 3 });
  await Promise.all([isServed(test), isServed(test), isServed(test)]);
  await database.server.restart();
  await poolIsEmpty(test);
  await isServed(test);
});

it('F26: a server that is killed at COMMIT leaves the outcome unknown, and books that fit', async () => {
  const test = await ours(database, { poolSize: 3 });
  const ledger = await Ledger.open(database, test.session);
  const killed = database.proxy.once('COMMIT', () => void database.server.kill());
  await Promise.all([killed, ...Array.from({ length: 6 }, () => ledger.transfer())]);
  expect([...ledger.told.values()]).toContain('unknown');
  await database.server.restart();
  await waitUntil('the next is served', async () => (await ledger.transfer()) === 'ok');
  expect(await ledger.wrong()).toEqual([]);
});

it('F28: a connection that the server closed because it was idle is noticed by nobody', async () => {
  const test = await ours(database, { poolSize: 1 });
  const id = await test.session.run(async () => {
    await test.session.execute('SET SESSION wait_timeout = 1');
    return connectionId(test.session);
  });
  await closedByServer(id);
  await poolIsEmpty(test);
  await isServed(test);
});

it('F28: a transaction that idled for too long is lost, and says so', async () => {
  const test = await ours(database, { poolSize: 1 });
  const work = test.session.run(async () => {
    await test.session.execute('SET SESSION wait_timeout = 1');
    const id = await connectionId(test.session);
    await add(test, 'lost');
    const { stream } = (await test.session.connection()) as { stream: Socket };
    await closedByServer(id);
    await waitUntil('this side knows of it', () => stream.destroyed);
  });
  // COMMIT is not sent any more, so there is nothing that nobody knows.
  await expect(work).rejects.toMatchObject({ code: 'SS_ERR_PENDING_ROLLBACK', outcome: 'rolledBack' });
  expect(await stored()).toEqual([]);
});

it('F05: a server that takes no more connections fails whoever wants one, and is served again later', async () => {
  const test = await ours(database, { poolSize: 20 });
  const [before] = await database.ask<{ most: number }>('SELECT @@max_connections AS most');
  await database.ask('SET GLOBAL max_connections = 10');
  const works = await Promise.allSettled(
    Array.from({ length: 20 }, () => test.session.run(() => test.session.scalar('SELECT SLEEP(0.2)'))),
  );
  await database.ask(`SET GLOBAL max_connections = ${before!.most}`);
  const refused = works.filter(({ status }) => status === 'rejected');
  expect(refused.length).toBeGreaterThan(5);
  for (const one of refused) {
    const { reason } = one as PromiseRejectedResult;
    expect(reason).toBeInstanceOf(ConnectionUnavailableError);
    expect(reason).toMatchObject({ retryable: true, cause: { errno: 1040 } });
  }
  await Promise.all(Array.from({ length: 20 }, () => isServed(test)));
});

it('F39: a password that changes while the application runs: connections that are there go on, new ones are refused', async () => {
  const test = await ours(database, { poolSize: 2, password: '' });
  await test.session.run(async () => {
    await add(test, 'on the old connection');
    await database.ask(`ALTER USER ${database.user} IDENTIFIED BY 'another'`);
    const error: unknown = await test.session
      .independently(() => add(test, 'never'))
      .catch((reason: unknown) => reason);
    expect(error).toMatchObject({ errno: 1045 });
  });
  await database.ask(`ALTER USER ${database.user} IDENTIFIED BY ''`);
  expect(await texts(test.dataSource)).toEqual(['on the old connection']);
});

it('F124: 500 that wait while the server restarts are served or told in time, over no more connections than the pool has', async () => {
  const [poolSize, herd, timeoutMs] = [5, 500, 5_000];
  const test = await ours(database, { poolSize });
  engineOf(test.dataSource).configure({ poolTimeoutMs: timeoutMs });
  const ledger = await Ledger.open(database, test.session);
  await database.server.kill();
  await poolIsEmpty(test);
  database.proxy.blackHole();
  let isOver = false;
  const all = Promise.all(Array.from({ length: herd }, () => ledger.transfer({ timeoutMs }))).then(() => {
    isOver = true;
  });
  await waitUntil('they wait', () => engineOf(test.dataSource).status().waiting === herd - poolSize);
  await database.server.restart();
  await database.proxy.heal();
  // I6: their deadline, and what their ends may take.
  await waitUntil('everybody was told', () => isOver, timeoutMs + 1_000);
  await all;
  const [most] = await database.ask<{ Value: string }>("SHOW GLOBAL STATUS LIKE 'Max_used_connections'");
  expect(Number(most!.Value)).toBeLessThanOrEqual(poolSize + OUTSIDE);
  // Those whose connection was on its way when the server died.
  expect(ledger.counts()).toEqual({ ok: herd - poolSize, rolledBack: poolSize, unknown: 0, nothing: 0 });
  expect(await ledger.wrong()).toEqual([]);
});

@Controller()
class NumbersController {
  constructor(private readonly session: ScopedSession) {}

  @Get()
  async one(): Promise<string> {
    return `${Number(await this.session.scalar('SELECT 1'))}`;
  }
}

it('F02, F25: clients of an application whose server is down get 503 and see nothing of it; then they are served', async () => {
  const { http } = await startApp(database, { controllers: [NumbersController] });
  await http.get('/').expect(200, '1');
  await database.server.kill();
  database.proxy.refuse();
  const { status, text, headers } = await http.get('/');
  expect(status).toBe(503);
  expect(headers['retry-after']).toBe('1');
  expect(text).not.toMatch(/ECONN|127\.0\.0\.1|SELECT/);
  await http.get('/').expect(503);
  await database.server.restart();
  await database.proxy.heal();
  await http.get('/').expect(200, '1');
});

it('F08: a connection that is killed while its statement runs fails it with the server’s or the driver’s word', async () => {
  const test = await ours(database, { poolSize: 1 });
  const work = test.session.run(async () => {
    const id = await connectionId(test.session);
    const slow = test.session.scalar('SELECT SLEEP(10)');
    slow.catch(() => undefined);
    await waitUntil('it runs', async () => {
      const rows = await database.ask(
        `SELECT 1 AS one FROM information_schema.processlist WHERE id = ${id} AND info LIKE 'SELECT SLEEP%'`,
      );
      return rows.length === 1;
    });
    await kill(database, id);
    await slow;
  });
  await expect(work).rejects.toThrow(QueryFailedError);
  await isServed(test);
});
