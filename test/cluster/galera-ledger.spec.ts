/** I4: transfers over all three nodes of a Galera cluster, one of which is killed: none that was acknowledged is lost. */
import { createEngine, type ScopedSession, scopedSession, sessionFactory } from 'nestjs-scoped-session';
import type { DataSourceOptions } from 'typeorm';
import { describe, expect, it } from 'vitest';
import { useDatabase } from '../support/databases.js';
import { noGalera, useGalera } from '../support/galera.js';
import { Ledger } from '../support/ledger.js';
import { askServer } from '../support/mariadb-admin.js';
import { Books } from '../support/books.js';
import { SeededRandom } from '../support/seeded-random.js';
import { waitUntil } from '../support/wait-until.js';

/** `TEST_LEDGER_SEED` brings the transfers of a run that failed again; `TEST_CLUSTER_SECONDS` another time. */
const SEED = Number(process.env['TEST_LEDGER_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
const SECONDS = Number(process.env['TEST_CLUSTER_SECONDS'] ?? 6);
const CLIENTS_OF_A_NODE = 3;
const VICTIM = 2;

describe.skipIf(noGalera !== undefined)('a Galera cluster under load', () => {
  const cluster = useGalera();
  const place = { host: '127.0.0.1', user: 'root', password: '' };
  const database = useDatabase('mariadb', () => ({ ...place, port: cluster.nodes[0]!.port }));

  const at = async (node: number): Promise<ScopedSession> => {
    const dataSource = { ...database.options(), port: cluster.nodes[node]!.port } as DataSourceOptions;
    const engine = await createEngine(dataSource, { statementTimeoutMs: 10_000 }).initialize();
    database.watch({ dataSource: engine.dataSource, close: () => engine.dispose() });
    return scopedSession(sessionFactory(engine));
  };

  it('F21, F127: a node that is killed loses no transfer that was acknowledged, and no money', async () => {
    const sessions = [await at(0), await at(1), await at(2)];
    const ledger = await Ledger.open(database, sessions[0]!);
    await cluster.synced();
    const over = new AbortController();
    let retried = 0;
    const told = sessions.map(() => 0);
    const client = async (node: number, seed: number): Promise<void> => {
      const random = new SeededRandom(seed);
      const session = sessions[node]!;
      const retry = { times: 20, on: countRetries };
      while (!over.signal.aborted) {
        // One transfer after the other. oxlint-disable-next-line no-await-in-loop
        const answer = await ledger.transfer({ session, random: () => random.next(), retry });
        if (answer === 'ok') told[node]! += 1;
        // oxlint-disable-next-line no-await-in-loop
        else await new Promise((resolve) => setImmediate(resolve));
      }
    };
    const countRetries = (error: unknown): boolean => {
      const { errno } = error as { errno?: unknown };
      if (errno === 1213) retried += 1;
      return errno === 1213;
    };
    const clients = sessions.flatMap((_session, node) =>
      Array.from({ length: CLIENTS_OF_A_NODE }, (_, n) => client(node, SEED + node * 100 + n)),
    );
    try {
      const until = performance.now() + SECONDS * 1_000;
      await waitUntil('every node has served some', () => told.every((count) => count >= 20), 20_000);
      await cluster.nodes[VICTIM]!.kill();
      const atDeath = [...told];
      await waitUntil(
        'the others go on without it',
        () => told[0]! > atDeath[0]! + 20 && told[1]! > atDeath[1]! + 20,
        20_000,
      );
      await cluster.nodes[VICTIM]!.restart();
      await waitUntil('it serves again', () => told[VICTIM]! > atDeath[VICTIM]! + 5, 30_000);
      await waitUntil('the time is over', () => performance.now() > until, SECONDS * 1_000);
      over.abort();
      await Promise.all(clients);
      await cluster.synced();
      expect(await ledger.wrong()).toEqual([]);
      for (const { port } of cluster.nodes) expect(await whatIsThere(port, ledger)).toEqual([]);
      const { ok, nothing } = ledger.counts();
      expect(nothing).toBe(0);
      expect(ok).toBeGreaterThan(100);
      expect(retried, 'conflicts between nodes').toBeGreaterThan(0);
    } catch (error) {
      throw new Error(
        `${(error as Error).message} TEST_LEDGER_SEED=${SEED} ${JSON.stringify(ledger.counts())}`,
        { cause: error },
      );
    } finally {
      over.abort();
      await Promise.allSettled(clients);
    }
  }, 120_000);

  /** The same books, as this node has them. */
  const whatIsThere = (port: number, ledger: Ledger): Promise<string[]> => {
    const books = new Books({
      ask: <Row>(sql: string) =>
        askServer<Row>(port, 'SET SESSION wsrep_sync_wait = 1', `USE ${database.user}`, sql),
    });
    for (const [request, answer] of ledger.told) books.write(request, answer);
    return books.wrong();
  };
});
