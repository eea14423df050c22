/** POOL: connections are bounded, and waited for in turn and with a deadline. */
import { createEngine, PoolTimeoutError, scopedSession, sessionFactory } from 'nestjs-scoped-session';
import { expect, it } from 'vitest';
import { ALL_KINDS, isSqlite, onEach, SERVERS } from '../support/databases.js';
import { connections, hold, named, pool, setDeadline } from '../support/pools.js';
import { INSERT_USER } from '../support/users.js';
import { signal, waitUntil } from '../support/wait-until.js';

onEach(SERVERS, (database) => {
  it('20 tasks at once on a pool of 5 store 20 rows, over at most 5 connections, and give all of them back', async () => {
    const test = await pool(database, 5);
    const scoped = scopedSession(test.factory);
    const goOn = signal();
    let inside = 0;
    let most = 0;
    const task = (number: number): Promise<void> =>
      scoped.run(async () => {
        await scoped.execute(INSERT_USER, named(`task ${number}`));
        most = Math.max(most, (inside += 1), test.engine.status().total);
        await goOn.promise;
        expect(
          Number(
            await scoped.scalar('SELECT COUNT(*) FROM users WHERE name LIKE :own', { own: `task ${number}` }),
          ),
        ).toBe(1);
        inside -= 1;
      });
    const tasks = Array.from({ length: 20 }, (_, number) => task(number + 1));
    await waitUntil(
      '5 tasks hold a connection, 15 wait',
      () => inside === 5 && test.engine.status().waiting === 15,
    );
    expect(test.out).toBe(5);
    expect(await connections(database)).toBe(5);
    goOn.resolve();
    await Promise.all(tasks);
    expect(most).toBe(5);
    expect(await connections(database)).toBeLessThanOrEqual(5);
    expect(test.engine.status()).toMatchObject({ active: 0, waiting: 0, limit: 5 });
    expect((await test.names()).toSorted()).toEqual(
      ['one', 'two', ...Array.from({ length: 20 }, (_, number) => `task ${number + 1}`)].toSorted(),
    );
  });

  it('20 tasks at once on a pool of 5, half of which fail, store the other half', async () => {
    const test = await pool(database, 5);
    const scoped = scopedSession(test.factory);
    const tasks = Array.from({ length: 20 }, (_, number) =>
      scoped.run(async () => {
        await scoped.execute(INSERT_USER, named(`task ${number}`));
        if (number % 2 === 1) throw new Error(`task ${number} fails`);
      }),
    );
    const outcomes = await Promise.allSettled(tasks);
    expect(outcomes.map(({ status }) => status)).toEqual(
      Array.from({ length: 20 }, (_, number) => (number % 2 === 1 ? 'rejected' : 'fulfilled')),
    );
    expect(test.engine.status()).toMatchObject({ active: 0, waiting: 0 });
    expect(await test.names()).toHaveLength(12);
  });

  it('POOL-01: making an engine, a factory and a session connects nothing', async () => {
    await waitUntil('those of other tests are gone', async () => (await connections(database)) === 0);
    const engine = createEngine(database.options(), { poolSize: 2 });
    expect(sessionFactory(engine).create().inTransaction()).toBe(false);
    expect(engine.dataSource.isInitialized).toBe(false);
    expect(engine.status()).toMatchObject({ total: 0, active: 0, idle: 0, waiting: 0 });
    expect(await connections(database)).toBe(0);
    await engine.dispose();
  });

  it('POOL-01: a started engine holds nothing (deviation: TypeORM has connected once to see whether it can)', async () => {
    const engine = createEngine(database.options(), { poolSize: 2 });
    await engine.initialize();
    database.watch({ dataSource: engine.dataSource, close: () => engine.dispose() });
    expect(engine.status()).toMatchObject({ limit: 2, active: 0, waiting: 0 });
    expect(engine.status().total).toBeLessThanOrEqual(1);
  });
});

onEach(ALL_KINDS, (database) => {
  const size = isSqlite(database.kind) ? 1 : 2;

  it('POOL-03: one more than the limit waits until the deadline, and is told the counters (deviation: the message is ours)', async () => {
    const test = await pool(database, size);
    const holders = await hold(test, size);
    setDeadline(test, 50);
    const late = test.factory.create({ label: 'GET /late' });
    const error = await late.execute('SELECT 1').catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(PoolTimeoutError);
    expect((error as PoolTimeoutError).retryable).toBe(true);
    expect((error as Error).message).toMatch(
      new RegExp(
        `^GET /late got no connection within \\d+ ms \\(limit=${size}, total=${size}, active=${size}, idle=0, waiting=1\\). ` +
          'Longest holder: holder 1, \\d+ ms\\.',
      ),
    );
    expect(late.isActive).toBe(true);
    for (const holder of holders) await holder.close();
    setDeadline(test, 30_000);
    await late.execute('SELECT 1');
    await late.close();
  });

  it('POOL-03: a connection that comes after the deadline goes to the next one', async () => {
    const test = await pool(database, size);
    const holders = await hold(test, size);
    setDeadline(test, 50);
    await expect(test.factory.create().execute('SELECT 1')).rejects.toThrow(PoolTimeoutError);
    for (const holder of holders) await holder.close();
    await waitUntil('all are back', () => test.out === 0 && test.engine.status().waiting === 0);
    setDeadline(test, 30_000);
    for (const holder of await hold(test, size)) await holder.close();
  });

  it('POOL-06: those who wait are served in the order of their coming', async () => {
    const test = await pool(database, 1);
    const [holder] = await hold(test, 1);
    const order: number[] = [];
    const waiters = [1, 2, 3, 4].map(async (number) => {
      await using session = test.factory.create();
      await session.execute('SELECT 1');
      order.push(number);
    });
    await waitUntil('all four wait', () => test.engine.status().waiting === 4);
    await holder!.close();
    await Promise.all(waiters);
    expect(order).toEqual([1, 2, 3, 4]);
  });

  it('POOL-07: with a deadline of 0 nobody waits', async () => {
    const test = await pool(database, 1, 0);
    const [holder] = await hold(test, 1);
    await expect(test.factory.create().execute('SELECT 1')).rejects.toThrow(PoolTimeoutError);
    await holder!.close();
    for (const next of await hold(test, 1)) await next.close();
  });
});
