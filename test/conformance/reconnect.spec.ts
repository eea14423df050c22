/** REC: connections that the server has closed, and what a session says of it (with a fake driver: test/unit). */
import {
  ConnectionUnavailableError,
  type EngineOptions,
  PendingRollbackError,
  scopedSession,
  ScopeTimeoutError,
  type SessionBase,
} from 'nestjs-scoped-session';
import { QueryFailedError } from 'typeorm';
import { describe, expect, it } from 'vitest';
import { onEach, SERVERS } from '../support/databases.js';
import { throughProxy } from '../support/faulty-database.js';
import { kill } from '../support/plain-and-ours.js';
import { hold, named } from '../support/pools.js';
import { connectionNumber, INSERT_USER, type Users, users } from '../support/users.js';
import { waitUntil } from '../support/wait-until.js';

onEach(SERVERS, (shared) => {
  const database = throughProxy(shared);
  const isMariadb = database.kind === 'mariadb';

  const pool = (poolSize: number, engine: EngineOptions = {}): Promise<Users> =>
    users(database, { engine, dataSource: { poolSize } });

  const numberOf = (session: SessionBase): Promise<number> => connectionNumber(session, database);

  const isGone = (number: number): Promise<void> =>
    waitUntil('the server closed it', async () => {
      const rows = await database.ask(
        isMariadb
          ? `SELECT id FROM information_schema.processlist WHERE id = ${number}`
          : `SELECT pid FROM pg_stat_activity WHERE pid = ${number}`,
      );
      return rows.length === 0;
    });

  async function killAll(numbers: readonly number[]): Promise<void> {
    for (const number of numbers) await kill(database, number);
    for (const number of numbers) await isGone(number);
  }

  /** The numbers of three connections that are at rest after this. */
  async function threeAtRest(test: Users): Promise<number[]> {
    const holders = await hold(test, 3);
    const numbers = await Promise.all(holders.map(numberOf));
    for (const holder of holders) await holder.close();
    return numbers;
  }

  /** A session in a transaction that has written, and whose connection is gone then. */
  async function killedInTransaction(test: Users): Promise<{ session: SessionBase; number: number }> {
    const session = test.factory.create();
    await session.execute(INSERT_USER, named('lost'));
    const number = await numberOf(session);
    await killAll([number]);
    return { session, number };
  }

  async function goesOn(test: Users, session: SessionBase, before: number): Promise<void> {
    expect([session.isActive, session.inTransaction()]).toEqual([true, false]);
    expect(await numberOf(session)).not.toBe(before);
    await session.execute(INSERT_USER, named('kept'));
    await session.commit();
    expect(await test.names()).toEqual(['one', 'two', 'kept']);
    expect(test.out).toBe(0);
  }

  it('REC-01: three connections that were killed at rest, unnoticed, are replaced without an error', async () => {
    const test = await pool(3, { poolPrePing: 'always' });
    const before = await threeAtRest(test);
    // What the server says of it does not arrive before all three were asked whether they live.
    database.proxy.blackHole('toClient');
    await killAll(before);
    const sent = database.proxy.record();
    const sessions = before.map(() => test.factory.create());
    const after = Promise.all(sessions.map(numberOf));
    await waitUntil('all three are asked', () => sent.length === 3);
    await database.proxy.heal();
    expect((await after).filter((number) => before.includes(number))).toEqual([]);
    for (const session of sessions) await session.close();
  });

  it('REC-01: what the driver has noticed is replaced even where nobody asks (deviation)', async () => {
    const test = await pool(3, { poolPrePing: false });
    const before = await threeAtRest(test);
    await killAll(before);
    await waitUntil('the pool has noticed', () => test.engine.status().total === 0);
    const sessions = await hold(test, 3);
    expect(before).not.toContain(await numberOf(sessions[0]!));
    for (const session of sessions) await session.close();
  });

  it('REC-02, REC-04: where nobody asks and nobody noticed, the first use fails, and no other one', async () => {
    const test = await pool(3, { poolPrePing: false });
    const before = await threeAtRest(test);
    database.proxy.blackHole('toClient');
    await killAll(before);
    const sent = database.proxy.record();
    const session = test.factory.create();
    const error: Promise<unknown> = numberOf(session).catch((reason: unknown) => reason);
    await waitUntil('it began', () => sent.length === 1);
    await database.proxy.heal();
    expect(await error).toBeInstanceOf(ConnectionUnavailableError);
    expect(((await error) as Error).cause).toBeInstanceOf(QueryFailedError);
    expect(test.engine.status()).toMatchObject({ total: 0, active: 0 });
    for (const holder of await hold(test, 3)) await holder.close();
    // Deviation from REC-03: nothing was begun, so nothing has to be rolled back.
    expect(before).not.toContain(await numberOf(session));
    await session.close();
  });

  it('REC-04: one that was lost while it was lent replaces those at rest, though they live', async () => {
    const test = await pool(3, { poolPrePing: false });
    const before = await threeAtRest(test);
    const session = test.factory.create();
    await kill(database, await numberOf(session));
    await expect(session.execute('SELECT 1')).rejects.toThrow(QueryFailedError);
    await session.rollback();
    const sessions = await hold(test, 3);
    for (const one of sessions) expect(before).not.toContain(await numberOf(one));
    for (const one of sessions) await one.close();
  });

  it('REC-05: a database that is down fails those who come, and serves them when it is back', async () => {
    const test = await pool(3, { poolPrePing: 'always' });
    await threeAtRest(test);
    database.proxy.refuse();
    database.proxy.cut();
    for (let round = 0; round < 2; round += 1) {
      await expect(test.factory.create().scalar('SELECT 1')).rejects.toThrow(ConnectionUnavailableError);
      expect(test.engine.status()).toEqual({ limit: 3, total: 0, active: 0, idle: 0, waiting: 0 });
    }
    await database.proxy.heal();
    for (const holder of await hold(test, 1)) await holder.close();
    expect(test.engine.status()).toEqual({ limit: 3, total: 1, active: 0, idle: 1, waiting: 0 });
  });

  describe('a connection that is killed in a transaction', () => {
    it.each([
      ['REC-03, REC-07: at a read', 'SELECT name FROM users'],
      ['REC-08: at a write', "INSERT INTO users (name, nick) VALUES ('lost as well', 'z')"],
    ])(
      '%s: nothing is accepted until rollback(); then it goes on without what was lost',
      async (_row, sql) => {
        const test = await pool(2);
        const { session, number } = await killedInTransaction(test);
        await expect(session.execute(sql)).rejects.toThrow(QueryFailedError);
        expect([session.isActive, session.inTransaction()]).toEqual([false, true]);
        for (const refused of [() => session.execute(sql), () => session.commit()]) {
          const error: unknown = await refused().catch((reason: unknown) => reason);
          expect(error).toBeInstanceOf(PendingRollbackError);
          expect(error).toMatchObject({ outcome: 'rolledBack', retryable: false });
        }
        await session.rollback();
        await goesOn(test, session, number);
      },
    );

    it.each([
      ['REC-10', 'rollback'],
      ['REC-11', 'close'],
    ] as const)(
      '%s: before %s() is noticed by nobody, and gives nothing back (deviation)',
      async (_row, end) => {
        const test = await pool(2);
        const { session, number } = await killedInTransaction(test);
        await session[end]();
        expect(test.out).toBe(0);
        await goesOn(test, session, number);
      },
    );
  });

  it('REC-12: what is cut off in the middle of a query costs its own connection, and no other one', async () => {
    const test = await pool(2);
    const scoped = scopedSession(test.factory);
    const other = test.factory.create();
    const otherNumber = await numberOf(other);
    let number = 0;
    const work = scoped.run(
      async (session) => {
        number = await numberOf(session);
        await other.close();
        await scoped.execute(isMariadb ? 'SELECT SLEEP(20)' : 'SELECT pg_sleep(20)');
      },
      { timeoutMs: 200 },
    );
    await expect(work).rejects.toThrow(ScopeTimeoutError);
    expect(test.engine.status()).toMatchObject({ total: 1, idle: 1 });
    // The server does not know yet that nobody waits for the answer.
    await kill(database, number);
    const sessions = await hold(test, 2);
    expect(await numberOf(sessions[0]!)).toBe(otherNumber);
    expect(await numberOf(sessions[1]!)).not.toBe(number);
    for (const session of sessions) await session.close();
  });

  describe('a server that closes what is idle', () => {
    const closes = (what: 'connections' | 'transactions'): string => {
      if (isMariadb) return 'SET SESSION wait_timeout = 1';
      return what === 'connections'
        ? 'SET idle_session_timeout = 100'
        : 'SET idle_in_transaction_session_timeout = 100';
    };

    /** The invariants look at connections that stay. */
    const stays = ({ engine }: Users): void => {
      engine.configure({ initSql: [] });
      engine.invalidate();
    };

    it('REC-13: one at rest is replaced, recycled or not (deviation: the driver has noticed)', async () => {
      const test = await pool(1, { initSql: [closes('connections')], poolPrePing: false });
      test.engine.invalidate();
      const session = test.factory.create();
      const number = await numberOf(session);
      await session.commit();
      await isGone(number);
      await waitUntil('the pool has noticed', () => test.engine.status().total === 0);
      expect(await numberOf(session)).not.toBe(number);
      await session.close();
      stays(test);
    });

    it('REC-14: one in a transaction is lost, though it would be recycled', async () => {
      const test = await pool(1, { initSql: [closes('transactions')], poolRecycleMs: 50 });
      test.engine.invalidate();
      const session = test.factory.create();
      await isGone(await numberOf(session));
      await expect(session.execute('SELECT 1')).rejects.toThrow(QueryFailedError);
      await expect(session.commit()).rejects.toThrow(PendingRollbackError);
      await session.close();
      stays(test);
    });
  });

  it('REC-18: invalidating twice, and closing what is invalidated, is no error', async () => {
    const test = await pool(2);
    const [session, other] = await hold(test, 2);
    for (let round = 0; round < 2; round += 1) await session!.invalidate();
    await session!.close();
    for (let round = 0; round < 2; round += 1) test.engine.invalidate();
    expect(test.engine.status()).toMatchObject({ total: 1, active: 1 });
    await other!.close();
    expect(test.engine.status()).toMatchObject({ total: 0, active: 0 });
  });
});
