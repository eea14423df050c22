/** REC with a driver that has no server: what is sent, what is closed, and what the session says. */
import {
  ConnectionUnavailableError,
  createEngine,
  type Engine,
  type EngineOptions,
  PendingRollbackError,
  scopedSession,
  ScopeTimeoutError,
  type SessionBase,
  type SessionFactory,
  sessionFactory,
} from 'nestjs-scoped-session';
import { DataSource, QueryFailedError } from 'typeorm';
import { afterEach, describe, expect, it } from 'vitest';
import { FakeConnection, FakeMysql } from '../support/fake-mysql.js';
import { waitUntil } from '../support/wait-until.js';

let driver: FakeMysql;
let engine: Engine;
let factory: SessionFactory;

async function start(options: EngineOptions = {}): Promise<void> {
  driver = new FakeMysql();
  const dataSource = new DataSource({
    type: 'mariadb',
    database: 'fake',
    driver,
    poolSize: 3,
    logging: false,
  });
  engine = await createEngine(dataSource, options).initialize();
  factory = sessionFactory(engine);
  engine.invalidate();
}

afterEach(async () => {
  await waitUntil('all are back', () => engine.status().active === 0);
  await engine.dispose();
  await engine.dataSource.destroy();
});

const idOf = async (session: SessionBase): Promise<number> =>
  Number(await session.scalar('SELECT CONNECTION_ID() AS id'));

const connectionOf = async (session: SessionBase): Promise<FakeConnection> =>
  driver.connections[await idOf(session)]!;

/** Sessions with a connection each, in a transaction. */
async function hold(count: number): Promise<SessionBase[]> {
  const sessions = Array.from({ length: count }, () => factory.create());
  await Promise.all(sessions.map(idOf));
  return sessions;
}

async function threeAtRest(): Promise<FakeConnection[]> {
  const sessions = await hold(3);
  const connections = await Promise.all(sessions.map(connectionOf));
  for (const session of sessions) await session.commit();
  return connections;
}

const close = async (sessions: readonly SessionBase[]): Promise<void> => {
  for (const session of sessions) await session.close();
};

it('a connection that answers is kept, though mysql2 answers a ping with nothing', async () => {
  await start({ poolPrePing: 'always' });
  const [first] = await hold(1);
  const connection = await connectionOf(first!);
  await first!.commit();
  expect(await connectionOf(first!)).toBe(connection);
  expect(connection.sent.filter((sent) => sent === 'ping')).toHaveLength(1);
  await close([first!]);
});

it('REC-01: dead connections at rest are asked, and replaced without an error', async () => {
  await start({ poolPrePing: 'always' });
  const before = await threeAtRest();
  for (const connection of before) connection.die();
  const sessions = await hold(3);
  for (const session of sessions) expect(before).not.toContain(await connectionOf(session));
  expect(before.map(({ isDestroyed }) => isDestroyed)).toEqual([true, true, true]);
  await close(sessions);
});

it('REC-02, REC-04: where nobody asks the first use fails, and the rest is replaced', async () => {
  await start({ poolPrePing: false });
  const before = await threeAtRest();
  before[0]!.die();
  const session = factory.create();
  const error: unknown = await session.scalar('SELECT 1').catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(ConnectionUnavailableError);
  expect((error as Error).cause).toBeInstanceOf(QueryFailedError);
  expect(before.map(({ isDestroyed }) => isDestroyed)).toEqual([true, true, true]);
  expect(engine.status().total).toBe(0);
  // F46: no ROLLBACK was sent to what had not begun.
  expect(before[0]!.sent.at(-1)).toBe('START TRANSACTION');
  expect(before).not.toContain(await connectionOf(session));
  await close([session]);
});

it('REC-05: a database that is down is told as it is, and takes no place; idle ones are asked first', async () => {
  await start({ poolPrePing: 'always' });
  const before = await threeAtRest();
  for (const connection of before) connection.die();
  driver.isDown = true;
  for (let round = 0; round < 2; round += 1) {
    await expect(factory.create().scalar('SELECT 1')).rejects.toThrow(ConnectionUnavailableError);
    expect(engine.status()).toEqual({ limit: 3, total: 0, active: 0, idle: 0, waiting: 0 });
  }
  driver.isDown = false;
  await close(await hold(1));
  expect(engine.status()).toEqual({ limit: 3, total: 1, active: 0, idle: 1, waiting: 0 });
});

it('REC-05: connections that work are kept when no more can be opened', async () => {
  await start();
  const [session, other] = await hold(2);
  const connection = await connectionOf(session!);
  await session!.commit();
  await other!.close();
  driver.isDown = true;
  const sessions = await hold(2);
  await expect(factory.create().scalar('SELECT 1')).rejects.toThrow(ConnectionUnavailableError);
  expect(connection.isDestroyed).toBe(false);
  await close(sessions);
  expect(engine.status()).toMatchObject({ total: 2, idle: 2 });
});

describe('a connection that is lost in a transaction', () => {
  it.each([
    ['REC-03, REC-07: at a read', 'SELECT 1'],
    ['REC-08: at a write', 'INSERT INTO users VALUES (1)'],
  ])('%s: only rollback() is accepted, and nothing is sent to another one before', async (_row, sql) => {
    await start();
    const [session] = await hold(1);
    const connection = await connectionOf(session!);
    connection.die();
    await expect(session!.execute(sql)).rejects.toThrow(QueryFailedError);
    for (const refused of [() => session!.execute(sql), () => session!.commit()])
      await expect(refused()).rejects.toMatchObject({
        code: 'SS_ERR_PENDING_ROLLBACK',
        outcome: 'rolledBack',
      });
    expect(session!.isActive).toBe(false);
    expect(driver.connections.at(-1)).toBe(connection);
    await session!.rollback();
    expect(await connectionOf(session!)).not.toBe(connection);
    await close([session!]);
  });

  it.each([
    ['REC-10', 'rollback'],
    ['REC-11', 'close'],
  ] as const)('%s: before %s() is closed, and nobody is told (deviation)', async (_row, end) => {
    await start();
    const [session] = await hold(1);
    const connection = await connectionOf(session!);
    connection.die();
    await session![end]();
    expect(connection.isDestroyed).toBe(true);
    expect([session!.isActive, session!.inTransaction(), engine.status().total]).toEqual([true, false, 0]);
  });

  it('REC-14: is lost however young it is', async () => {
    await start({ poolRecycleMs: 1 });
    const [session] = await hold(1);
    (await connectionOf(session!)).end();
    await expect(session!.execute('SELECT 1')).rejects.toThrow(QueryFailedError);
    await expect(session!.commit()).rejects.toThrow(PendingRollbackError);
    await session!.rollback();
  });
});

it('REC-12: what is cut off in the middle of a query costs its own connection, and no other one', async () => {
  await start();
  const [other] = await hold(1);
  const kept = await connectionOf(other!);
  const scoped = scopedSession(factory);
  let silent: FakeConnection | undefined;
  const work = scoped.run(
    async () => {
      silent = await connectionOf(scoped.current());
      await other!.commit();
      silent.fallSilent();
      await scoped.execute('SELECT 1');
    },
    { timeoutMs: 50 },
  );
  await expect(work).rejects.toThrow(ScopeTimeoutError);
  expect([silent!.isDestroyed, kept.isDestroyed]).toEqual([true, false]);
  expect(await connectionOf(other!)).toBe(kept);
  await close([other!]);
});

it('REC-13: one that the server closed at rest is replaced as soon as the driver says so', async () => {
  await start({ poolPrePing: false });
  const [session] = await hold(1);
  const connection = await connectionOf(session!);
  await session!.commit();
  connection.end();
  expect(engine.status().total).toBe(0);
  expect(await connectionOf(session!)).not.toBe(connection);
  await close([session!]);
});

it('REC-18: invalidating twice, and closing what is invalidated, is no error and closes one connection', async () => {
  await start();
  const [session, other] = await hold(2);
  const connection = await connectionOf(session!);
  await session!.invalidate();
  await session!.invalidate();
  await session!.close();
  expect(connection.isDestroyed).toBe(true);
  expect(engine.status()).toMatchObject({ total: 1, active: 1 });
  engine.invalidate();
  engine.invalidate();
  await other!.close();
  expect(engine.status().total).toBe(0);
});
