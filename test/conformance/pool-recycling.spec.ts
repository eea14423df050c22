/** POOL: which connection is lent next, when it is replaced, and what is sent to it on the way. */
import { createEngine, type EngineOptions, type SessionBase } from 'nestjs-scoped-session';
import { DataSource } from 'typeorm';
import { describe, expect, it, vi } from 'vitest';
import { onEach, SERVERS } from '../support/databases.js';
import { throughProxy } from '../support/faulty-database.js';
import { connections, hold } from '../support/pools.js';
import { connectionNumber, type Users, users } from '../support/users.js';
import { waitUntil } from '../support/wait-until.js';

onEach(SERVERS, (shared) => {
  const database = throughProxy(shared);
  const isMariadb = database.kind === 'mariadb';

  const pool = (poolSize: number, engine: EngineOptions = {}): Promise<Users> =>
    users(database, { engine: { poolSize, ...engine }, dataSource: { poolSize: 10 } });

  const numberOf = (session: SessionBase): Promise<number> => connectionNumber(session, database);

  /** The server's number of the connection that is lent next. */
  async function next({ factory }: Users): Promise<number> {
    await using session = factory.create();
    return numberOf(session);
  }

  const isLater = (than: number): Promise<void> =>
    waitUntil('the clock goes on', () => performance.now() > than + 2);

  const PING = isMariadb ? Buffer.from([1, 0, 0, 0, 0x0e]) : Buffer.from('SELECT 1\0');
  const RESET = isMariadb ? Buffer.from([1, 0, 0, 0, 0x1f]) : Buffer.from('DISCARD ALL');

  const count = (sent: readonly Buffer[], what: string | Buffer): number =>
    sent.filter((piece) => piece.includes(what)).length;

  it('POOL-02: of a size of 2 with an overflow of 1 three are lent, which the server sees too', async () => {
    const test = await pool(2, { maxOverflow: 1 });
    const holders = await hold(test, 3);
    expect(test.engine.status()).toEqual({ limit: 3, total: 3, active: 3, idle: 0, waiting: 0 });
    expect(await connections(database)).toBe(3);
    for (const holder of holders) await holder.close();
    expect(test.engine.status()).toMatchObject({ total: 2, idle: 2 });
  });

  it('POOL-09: a pool without a limit is refused (deviation)', () => {
    const dataSource = new DataSource(database.options({ poolSize: 10 }));
    expect(() => createEngine(dataSource, { poolSize: 0 })).toThrow('poolSize');
    expect(() => createEngine(dataSource, { maxOverflow: -1 })).toThrow('maxOverflow');
  });

  it('POOL-10: connections are lent in the order of their coming back', async () => {
    const test = await pool(2);
    const holders = await hold(test, 2);
    const numbers = [];
    for (const holder of holders) numbers.push(await numberOf(holder));
    for (const holder of holders) await holder.close();
    expect([await next(test), await next(test), await next(test)]).toEqual([...numbers, numbers[0]]);
  });

  it('POOL-14: 40 tasks on a size of 3 with an overflow of 5 never have more than 8', async () => {
    const test = await pool(3, { maxOverflow: 5 });
    let most = 0;
    const tasks = Array.from({ length: 40 }, async () => {
      await using session = test.factory.create();
      await session.execute('SELECT 1');
      most = Math.max(most, test.engine.status().total);
    });
    await Promise.all(tasks);
    expect(most).toBe(8);
    expect(test.engine.status()).toMatchObject({ total: 3, idle: 3, waiting: 0 });
    await waitUntil('the overflow is closed', async () => (await connections(database)) === 3);
  });

  it('POOL-16, POOL-17: a connection that is too old goes on while it is lent, and is replaced when asked for', async () => {
    const test = await pool(1, { poolRecycleMs: 1 });
    const session = test.factory.create();
    const number = await numberOf(session);
    await isLater(performance.now());
    expect(await numberOf(session)).toBe(number);
    await session.commit();
    expect(await numberOf(session)).not.toBe(number);
    await session.close();
    test.engine.configure({ poolRecycleMs: 3_600_000 });
  });

  it('POOL-18: where nothing is recycled, age alone replaces no connection', async () => {
    const test = await pool(1);
    const number = await next(test);
    const now = performance.now();
    const clock = vi.spyOn(performance, 'now').mockReturnValue(now + 30 * 24 * 3_600_000);
    try {
      expect(await next(test)).toBe(number);
    } finally {
      clock.mockRestore();
    }
  });

  it('POOL-20: a connection is asked whether it lives, but not when it is new', async () => {
    const test = await pool(1, { poolPrePing: 'always' });
    test.engine.invalidate();
    const sent = database.proxy.record();
    const number = await next(test);
    expect(count(sent, PING)).toBe(0);
    expect(await next(test)).toBe(number);
    expect(count(sent, PING)).toBe(1);
  });

  describe('POOL-22: a connection that was used by itself', () => {
    it('is rolled back once when it comes back', async () => {
      const test = await pool(1);
      const raw = await test.engine.rawConnection();
      await raw.query('BEGIN');
      await raw.query("INSERT INTO users (name, nick) VALUES ('three', 'z')");
      const sent = database.proxy.record();
      await raw.close();
      expect(count(sent, 'ROLLBACK')).toBe(1);
      expect(await test.names()).toEqual(['one', 'two']);
    });

    it('is not where nothing can be open on it (deviation)', async () => {
      const test = await pool(1);
      const sent = database.proxy.record();
      const raw = await test.engine.rawConnection();
      await raw.query('SELECT name FROM users');
      await raw.close();
      expect(count(sent, 'SELECT name')).toBe(1);
      expect(count(sent, 'ROLLBACK')).toBe(0);
    });
  });

  describe('POOL-23: what is done with a connection that comes back', () => {
    it.each(['none', 'commit', null])('is never %s (deviation)', (resetOnReturn) => {
      const dataSource = new DataSource(database.options());
      expect(() => createEngine(dataSource, { resetOnReturn: resetOnReturn as never })).toThrow(
        'resetOnReturn',
      );
    });

    it('reset: the server’s session is as new', async () => {
      const test = await pool(1, { resetOnReturn: 'reset' });
      const [set, ask] = isMariadb
        ? ['SET @canary = 1', 'SELECT @canary']
        : [
            "SELECT set_config('my.canary', '1', false)",
            "SELECT NULLIF(current_setting('my.canary', true), '')",
          ];
      const session = test.factory.create();
      await session.execute(set);
      const number = await numberOf(session);
      const sent = database.proxy.record();
      await session.commit();
      expect(count(sent, RESET)).toBe(1);
      expect(await session.scalar(ask)).toBeNull();
      expect(await numberOf(session)).toBe(number);
      await session.close();
    });

    it('destroy: it is closed', async () => {
      const test = await pool(1, { resetOnReturn: 'destroy' });
      expect(await next(test)).not.toBe(await next(test));
      expect(test.engine.status().total).toBe(0);
    });
  });

  it('POOL-26: what cannot be made ready fails whoever asked, each time anew, and takes no place', async () => {
    const test = await pool(1);
    test.engine.configure({ initSql: ['SELECT nonsense'] });
    test.engine.invalidate();
    const sent = database.proxy.record();
    for (let round = 1; round <= 2; round += 1) {
      await expect(next(test)).rejects.toThrow('nonsense');
      expect(count(sent, 'nonsense')).toBe(round);
      expect(test.engine.status()).toMatchObject({ total: 0, active: 0, waiting: 0 });
    }
    test.engine.configure({ initSql: [] });
    expect(await next(test)).toBeGreaterThan(0);
  });

  it('POOL-27: invalidate() closes the connection of its session, whose next statement has another (deviation: at once)', async () => {
    const test = await pool(2);
    const [session, other] = await hold(test, 2);
    const [number, untouched] = [await numberOf(session!), await numberOf(other!)];
    await session!.invalidate();
    expect(test.engine.status()).toMatchObject({ total: 1, active: 1 });
    expect([session!.isActive, session!.inTransaction()]).toEqual([true, false]);
    expect(await numberOf(session!)).not.toBe(number);
    expect(await numberOf(other!)).toBe(untouched);
    for (const one of [session!, other!]) await one.close();
  });
});
