/** A Galera cluster of three: conflicts that are found at COMMIT, nodes that are alone, reads on a node that is behind. */
import {
  createEngine,
  type EngineOptions,
  isRetryable,
  type ScopedSession,
  scopedSession,
  type SessionBase,
  sessionFactory,
} from 'nestjs-scoped-session';
import { createConnection } from 'mysql2/promise';
import type { DataSourceOptions } from 'typeorm';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { useDatabase } from '../support/databases.js';
import { noGalera, useGalera } from '../support/galera.js';
import { askServer } from '../support/mariadb-admin.js';
import { signal, waitUntil } from '../support/wait-until.js';

describe.skipIf(noGalera !== undefined)('a Galera cluster', () => {
  const cluster = useGalera();
  const place = { host: '127.0.0.1', user: 'root', password: '' };
  const database = useDatabase('mariadb', () => ({ ...place, port: cluster.nodes[0]!.port }));

  /** The session of an application that is connected to this node. */
  const at = async (node: number, options: EngineOptions = {}): Promise<ScopedSession> => {
    const { port } = cluster.nodes[node]!;
    const dataSource = { ...database.options(), port } as DataSourceOptions;
    const engine = await createEngine(dataSource, options).initialize();
    database.watch({ dataSource: engine.dataSource, close: () => engine.dispose() });
    return scopedSession(sessionFactory(engine));
  };
  const add = (session: SessionBase, cents: number): Promise<unknown> =>
    session.execute('UPDATE account SET cents = cents + :cents WHERE id = 1', { cents });
  const cents = async (): Promise<number> =>
    Number((await database.ask<{ cents: string }>('SELECT cents FROM account'))[0]!.cents);

  beforeEach(async () => {
    await database.ask('DROP TABLE IF EXISTS account');
    await database.ask('CREATE TABLE account (id INT PRIMARY KEY, cents BIGINT NOT NULL)');
    await database.ask('INSERT INTO account VALUES (1, 0)');
    await cluster.synced();
  });

  describe('F127: two nodes change one row, and both commit', () => {
    /** Two units of work, neither of which commits before both have written. */
    const both = async (options: { retry?: { times: number } }): Promise<PromiseSettledResult<unknown>[]> => {
      const nodes = [await at(0), await at(1)];
      const written = [signal(), signal()];
      const work = nodes.map((session, n) =>
        session.run(async (one) => {
          await add(one, 1);
          written[n]!.resolve();
          await Promise.all(written.map(({ promise }) => promise));
        }, options),
      );
      return Promise.allSettled(work);
    };

    it('one is refused at COMMIT: nothing of it is stored, it may be run again, and its connection is as it was', async () => {
      const results = await both({});
      const refused = results.filter((one): one is PromiseRejectedResult => one.status === 'rejected');
      expect(refused).toHaveLength(1);
      const error: unknown = refused[0]!.reason;
      expect(error).toMatchObject({ errno: 1213, query: 'COMMIT' });
      expect(error).not.toMatchObject({ code: 'SS_ERR_COMMIT_OUTCOME_UNKNOWN' });
      expect(isRetryable(error)).toBe(true);
      expect(await cents()).toBe(1);
    });

    it('with retry both are stored', async () => {
      expect((await both({ retry: { times: 5 } })).map(({ status }) => status)).toEqual([
        'fulfilled',
        'fulfilled',
      ]);
      await cluster.synced();
      expect(await cents()).toBe(2);
    });
  });

  describe('F128: a node that is cut off from the others', () => {
    const isolate = (on: 0 | 1): Promise<unknown> =>
      askServer(cluster.nodes[2]!.port, `SET GLOBAL wsrep_provider_options = 'gmcast.isolate=${on}'`);
    const isReady = async (): Promise<boolean> =>
      (await askServer<{ Value: string }>(cluster.nodes[2]!.port, "SHOW STATUS LIKE 'wsrep_ready'"))[0]!
        .Value === 'ON';
    afterEach(async () => {
      await isolate(0);
      await cluster.synced();
    });

    it('refuses (1047): its connections are replaced, the work may be run again, and is when the node is back', async () => {
      const session = await at(2);
      const id = (): Promise<string | null> => session.run((one) => one.scalar('SELECT CONNECTION_ID()'));
      const before = await id();
      const error: unknown = await session
        .run(async (one) => {
          await add(one, 1);
          await isolate(1);
          await waitUntil('the node is alone', async () => !(await isReady()), 20_000);
          await add(one, 1);
        })
        .catch((caught: unknown) => caught);
      expect(error).toMatchObject({ errno: 1047 });
      expect(isRetryable(error)).toBe(true);
      await expect(id()).rejects.toMatchObject({ code: 'SS_ERR_CONNECTION_UNAVAILABLE' });
      await isolate(0);
      await cluster.synced();
      await session.run((one) => add(one, 1));
      expect(await id()).not.toBe(before);
      expect(await cents()).toBe(1);
    });

    it('as a replica is left for one that is with the others', async () => {
      const slaves = [2, 1].map((node) => ({ ...database.options(), port: cluster.nodes[node]!.port }));
      const replication = { master: database.options(), slaves, selector: 'ORDER' };
      const options = {
        type: 'mariadb',
        database: database.user,
        replication,
      } as unknown as DataSourceOptions;
      const engine = await createEngine(options, { replicaRetryMs: 600_000 }).initialize();
      database.watch({ dataSource: engine.dataSource, close: () => engine.dispose() });
      const session = scopedSession(sessionFactory(engine));
      const port = async (): Promise<number> =>
        Number(await session.run((one) => one.scalar('SELECT @@port'), { readOnly: true }));
      expect(await port()).toBe(cluster.nodes[2]!.port);
      await isolate(1);
      await waitUntil('the node is alone', async () => !(await isReady()), 20_000);
      expect(await port()).toBe(cluster.nodes[1]!.port);
    });
  });

  describe('F129: a read on a node that has not applied a write that was acknowledged elsewhere', () => {
    let release: (() => Promise<void>) | undefined;
    afterEach(async () => {
      await release?.();
      release = undefined;
      await cluster.synced();
    });

    it('is stale; with wsrep_sync_wait it waits for the write', async () => {
      const { port } = cluster.nodes[1]!;
      const holder = await createConnection({ ...place, port });
      await holder.query('FLUSH TABLES WITH READ LOCK');
      release = async () => {
        await holder.query('UNLOCK TABLES');
        await holder.end();
      };
      const [writer, reader, careful] = [
        await at(0),
        await at(1),
        await at(1, { initSql: ['SET SESSION wsrep_sync_wait = 1'] }),
      ];
      const read = (session: SessionBase): Promise<unknown> => session.scalar('SELECT cents FROM account');
      await writer.run((one) => add(one, 7));
      expect(Number(await reader.run(read))).toBe(0);
      let answered = false;
      const waiting = careful.run(read).finally(() => (answered = true));
      await waitUntil('the reader waits on the node', async () => {
        const found = await askServer<{ state: string }>(
          port,
          `SELECT state FROM information_schema.processlist WHERE user = '${database.user}' AND info LIKE 'START TRANSACTION%'`,
        );
        return found.length === 1;
      });
      expect(answered).toBe(false);
      await release();
      release = undefined;
      expect(Number(await waiting)).toBe(7);
    });

    it('does not happen within one session, nor in the next one to a client that stays with its node', async () => {
      const session = await at(0);
      await session.run((one) => add(one, 7));
      expect(Number(await session.run((one) => one.scalar('SELECT cents FROM account')))).toBe(7);
    });
  });
});
