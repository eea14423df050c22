/** Replicas that are killed, stopped and started again, and a primary that is: who reads is served, and the pools recover. */
import {
  createEngine,
  type Engine,
  type EngineOptions,
  isRetryable,
  scopedSession,
  type SessionBase,
  sessionFactory,
} from 'nestjs-scoped-session';
import { DataSource } from 'typeorm';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { noReplicas, useReplicatedMariadb } from '../support/mariadb-replicas.js';
import { askServer } from '../support/mariadb-admin.js';
import { waitUntil } from '../support/wait-until.js';

const [PRIMARY, FIRST, SECOND] = [1, 2, 3] as const;
describe.skipIf(noReplicas !== undefined)('MariaDB replicas under faults', () => {
  const database = useReplicatedMariadb(2);

  const open = async (options: EngineOptions = {}, more: Record<string, unknown> = {}): Promise<Engine> => {
    const engine = await createEngine(database.options(more), options).initialize();
    database.watch({ dataSource: engine.dataSource, close: () => engine.dispose() });
    return engine;
  };
  const serverOf = async (session: Pick<SessionBase, 'scalar'>): Promise<number> =>
    Number(await session.scalar('SELECT @@server_id'));
  const reader = (engine: Engine): (() => Promise<number>) => {
    const session = scopedSession(sessionFactory(engine));
    return () => session.run((one) => serverOf(one), { readOnly: true });
  };
  const times = async <T>(count: number, ask: () => Promise<T>): Promise<T[]> => {
    const answers: T[] = [];
    for (let n = 0; n < count; n += 1) answers.push(await ask());
    return answers;
  };

  beforeEach(async () => {
    await database.ask('CREATE TABLE IF NOT EXISTS note (text VARCHAR(100))');
    await database.caughtUp();
  });

  describe('the order', () => {
    it('is in turn, or the one that the DataSource names', async () => {
      expect(await times(4, reader(await open()))).toEqual([FIRST, SECOND, FIRST, SECOND]);
      const { replication } = database.options() as unknown as { replication: object };
      const first = await open({}, { replication: { ...replication, selector: 'ORDER' } });
      expect(await times(3, reader(first))).toEqual([FIRST, FIRST, FIRST]);
      const random = await open({}, { replication: { ...replication, selector: 'RANDOM' } });
      expect(new Set(await times(40, reader(random)))).toEqual(new Set([FIRST, SECOND]));
    });
  });

  describe('a replica that is killed', () => {
    afterEach(async () => {
      for (const server of database.replicas) await server.restart();
      await database.caughtUp();
    });

    it('is left alone for replicaRetryMs; the other one serves its readers', async () => {
      const engine = await open({ replicaRetryMs: 600_000 });
      const read = reader(engine);
      await times(4, read);
      await database.replicas[0]!.kill();
      expect(await times(4, read)).toEqual([SECOND, SECOND, SECOND, SECOND]);
      expect(engine.replicas()).toMatchObject([{ isDown: true, total: 0 }, { isDown: false }]);
      await database.replicas[0]!.restart();
      expect(await times(2, read)).toEqual([SECOND, SECOND]);
    });

    it('is asked again later; where none is left the primary serves, and then they do again', async () => {
      const engine = await open({ replicaRetryMs: 0 });
      const read = reader(engine);
      await times(4, read);
      await Promise.all(database.replicas.map((server) => server.kill()));
      expect(await times(3, read)).toEqual([PRIMARY, PRIMARY, PRIMARY]);
      await database.replicas[1]!.restart();
      expect(new Set(await times(4, read))).toEqual(new Set([SECOND]));
      await database.replicas[0]!.restart();
      expect(new Set(await times(4, read))).toEqual(new Set([FIRST, SECOND]));
    });

    it('in the middle of a transaction ends that one, which can be run again; connections to the primary stay', async () => {
      const engine = await open({ replicaRetryMs: 600_000, poolPrePing: false });
      const session = scopedSession(sessionFactory(engine));
      const mine = (): Promise<number | null> =>
        session.run((one) => one.scalar<number>('SELECT CONNECTION_ID()'));
      const before = await mine();
      let attempts = 0;
      const work = session.run(
        async (one) => {
          attempts += 1;
          const server = await serverOf(one);
          if (attempts === 1) await database.replicas[0]!.kill();
          await one.scalar('SELECT 1');
          return server;
        },
        { readOnly: true, retry: { times: 3 } },
      );
      expect(await work).toBe(SECOND);
      expect(attempts).toBe(2);
      expect(await mine()).toBe(before);
    });

    it('as the only one that is waited for sends the reader to the primary', async () => {
      const engine = await open({ replicaRetryMs: 600_000, replicaWaitMs: 20_000 });
      const session = scopedSession(sessionFactory(engine));
      await Promise.all(database.replicas.map((server) => server.kill()));
      const server = await session.run(async (one) => {
        await one.execute("INSERT INTO note VALUES ('mine')");
        await one.commit();
        await one.begin({ readOnly: true });
        return serverOf(one);
      });
      expect(server).toBe(PRIMARY);
    });
  });

  describe('a replica that does not answer (SIGSTOP)', () => {
    afterEach(() => database.replicas[0]!.resume());

    it('is left before the time for a connection is over, and then left alone', async () => {
      const engine = await open({ replicaRetryMs: 600_000, poolTimeoutMs: 2_000, poolPrePing: 'always' });
      const read = reader(engine);
      await database.replicas[0]!.pause();
      expect(await read()).toBe(SECOND);
      expect(engine.replicas()).toMatchObject([{ isDown: true }, { isDown: false }]);
      expect(await times(3, read)).toEqual([SECOND, SECOND, SECOND]);
    });
  });

  it('F133: what is set on a server is there to the end of the transaction, and not promised behind it', async () => {
    const own = sessionFactory(await open()).create({ readOnly: true });
    await own.execute('SET @tenant = 7');
    expect(Number(await own.scalar('SELECT @tenant'))).toBe(7);
    await own.commit();
    expect(await own.scalar('SELECT @tenant')).toBeNull();
    await own.execute('SET @tenant = NULL');
    await own.close();
  });

  it('statements that are given up on two servers at once are ended on both', async () => {
    const engine = await open({ statementTimeoutMs: 200 });
    const sessions = sessionFactory(engine);
    // A server that sleeps looks every few seconds whether its client is there; one that counts does not.
    const endless = 'SELECT BENCHMARK(1000000000000, 1 + 1)';
    const all = [FIRST, SECOND, PRIMARY].map((server) => sessions.create({ readOnly: server !== PRIMARY }));
    const work = await Promise.allSettled(all.map((one) => one.execute(endless)));
    expect(work.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected']);
    await Promise.all(all.map((one) => one.close()));
    for (const { port } of [database.primary, ...database.replicas])
      await waitUntil('the server has ended it', async () => {
        const running = `SELECT id FROM information_schema.processlist WHERE info = '${endless}'`;
        return (await askServer(port, running)).length === 0;
      });
  });

  it('a pool that is lent out is busy, not down: the next one serves, then the primary', async () => {
    const engine = await open({ poolSize: 1, maxOverflow: 0, poolTimeoutMs: 200 });
    const sessions = sessionFactory(engine);
    const holders = await times(3, async () => {
      const own = sessions.create({ readOnly: true });
      return { own, server: await serverOf(own) };
    });
    expect(holders.map(({ server }) => server)).toEqual([FIRST, SECOND, PRIMARY]);
    const last = sessions.create({ readOnly: true });
    await expect(last.scalar('SELECT 1')).rejects.toMatchObject({ code: 'SS_ERR_POOL_TIMEOUT' });
    expect(engine.replicas()).toMatchObject([{ isDown: false }, { isDown: false }]);
    await Promise.all([...holders.map(({ own }) => own.close()), last.close()]);
  });

  it('a replica that refuses the password is an error: a mistake is not to be served by the primary', async () => {
    const { replication } = database.options() as unknown as { replication: { slaves: object[] } };
    const slaves = replication.slaves.map((slave) => ({ ...slave, username: 'nobody', password: 'wrong' }));
    const read = reader(await open({}, { replication: { ...replication, slaves } }));
    await expect(read()).rejects.toMatchObject({ code: 'ER_ACCESS_DENIED_ERROR' });
  });

  describe('the primary', () => {
    afterEach(async () => {
      await database.primary.restart();
      await askServer(database.primary.port, 'SET GLOBAL read_only = 0');
    });

    it('F131: that becomes read-only (a failover) in the middle fails who writes, all of it; who reads goes on', async () => {
      const engine = await open();
      const session = scopedSession(sessionFactory(engine));
      const write = (): Promise<unknown> =>
        session.run(async (one) => {
          await one.execute("INSERT INTO note VALUES ('first')");
          await askServer(database.primary.port, 'SET GLOBAL read_only = 1');
          await one.execute("INSERT INTO note VALUES ('second')");
        });
      const error: unknown = await write().catch((caught: unknown) => caught);
      expect(error).toMatchObject({ errno: 1290 });
      expect(isRetryable(error)).toBe(true);
      expect(await times(2, reader(engine))).toEqual([FIRST, SECOND]);
      expect(await database.ask("SELECT text FROM note WHERE text IN ('first', 'second')")).toEqual([]);
    });

    const refused = 8;
    const write = "INSERT INTO note VALUES ('after')";

    it('plain TypeORM has lost it for good after five connects that failed: mysql2 drops it from its cluster', async () => {
      const dataSource = await new DataSource(database.options()).initialize();
      database.watch({ dataSource, close: () => dataSource.destroy() });
      await database.primary.kill();
      await times(refused, () => dataSource.query(write).catch(() => undefined));
      await database.primary.restart();
      await expect(dataSource.query(write)).rejects.toThrow('Pool does Not exist.');
    });

    it('is found again however often it was not there; replicas serve who reads meanwhile', async () => {
      const engine = await open();
      const session = scopedSession(sessionFactory(engine));
      await database.primary.kill();
      const errors = await times(refused, () =>
        session.run((one) => one.execute(write)).catch((error: unknown) => error),
      );
      for (const error of errors) expect(error).toMatchObject({ code: 'SS_ERR_CONNECTION_UNAVAILABLE' });
      expect(await times(2, reader(engine))).toEqual([FIRST, SECOND]);
      await database.primary.restart();
      await session.run((one) => one.execute(write));
      await engine.dataSource.query(write);
      await waitUntil('it is stored', async () => (await database.ask('SELECT text FROM note')).length > 0);
    });
  });
});
