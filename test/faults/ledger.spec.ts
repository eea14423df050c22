/** I4: a minute of faults of every kind, under load: no money is made or lost, and every client was told the truth. */
import { expect, it } from 'vitest';
import { engineOf } from '../../src/engine/index.js';
import { BANK } from '../support/bank-application.js';
import { BankClients } from '../support/bank-clients.js';
import { useFaultyDatabase } from '../support/faulty-database.js';
import { Ledger } from '../support/ledger.js';
import { FAULTS } from '../support/mixed-faults.js';
import { SeededRandom } from '../support/seeded-random.js';
import { startApp, type TestApp } from '../support/test-app.js';
import { waitUntil } from '../support/wait-until.js';

/** `TEST_LEDGER_SECONDS` and `TEST_LEDGER_SEED` take another time, and the order of a run that failed. */
const SECONDS = Number(process.env['TEST_LEDGER_SECONDS'] ?? 60);
const SEED = Number(process.env['TEST_LEDGER_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
const CLIENTS = 16;
/** I11: whoever comes once a fault is over is served in this time. */
const RECOVERY_MS = 2_000;
/** Served before the next fault strikes. */
const CALM = 20;

// What was committed is on disk: the server is killed. Some wait for a lock in vain, before their request's time is up.
const database = useFaultyDatabase(['--innodb-flush-log-at-trx-commit=1', '--innodb-lock-wait-timeout=1']);

const start = (): Promise<TestApp> =>
  startApp(database, {
    ...BANK,
    // More than the server has when it has too few.
    dataSource: { poolSize: CLIENTS - 2 },
    session: { scopeTimeoutMs: 1_200, settleTimeoutMs: 200, poolTimeoutMs: 1_000 },
  });

it(
  `F21: ${SECONDS} s of mixed faults under load lose no money, and nobody was told what is not so`,
  async () => {
    const { url, session, dataSource } = await start();
    const ledger = await Ledger.open(database, session);
    const clients = new BankClients(url, ledger, { count: CLIENTS, seed: SEED });
    const struck: string[] = [];
    const report = (): string => {
      const told = JSON.stringify(ledger.counts());
      return `TEST_LEDGER_SEED=${SEED}; told ${told}; slowest ${clients.longestMs.toFixed(0)} ms; ${struck.join(', ')}`;
    };
    try {
      await strikeUntil(performance.now() + SECONDS * 1_000, clients, struck);
      await clients.stop();
      const random = new SeededRandom(SEED);
      for (let n = 0; n < 5; n += 1) expect(await clients.transfer(random)).toBe('ok');
      await nothingIsOnItsWay(() => engineOf(dataSource).status().total);
      expect(await ledger.wrong()).toEqual([]);
      const { ok, rolledBack, unknown, nothing } = ledger.counts();
      expect(nothing, 'whoever waited was answered').toBe(clients.aborted);
      for (const count of [ok, rolledBack, unknown, nothing]) expect(count).toBeGreaterThan(0);
    } catch (error) {
      throw new Error(`${(error as Error).message} ${report()}`, { cause: error });
    }
  },
  SECONDS * 1_000 + 60_000,
);

/** Every fault once, in one order after the other, until the time is up. */
async function strikeUntil(until: number, clients: BankClients, struck: string[]): Promise<void> {
  const random = new SeededRandom(SEED);
  for (;;) {
    for (const [name, fault] of random.shuffled(Object.entries(FAULTS))) {
      struck.push(name);
      await fault({ database, clients, random });
      await database.proxy.heal();
      database.server.resume();
      const { oks } = clients;
      await waitUntil(`${CALM} are served after: ${name}`, () => clients.oks >= oks + CALM, RECOVERY_MS);
      if (performance.now() > until) return;
    }
  }
}

/** What was cut off has arrived on the server, or is gone. */
function nothingIsOnItsWay(pooled: () => number): Promise<void> {
  return waitUntil('the server has no connection that is in no pool', async () => {
    const rows = await database.ask(
      `SELECT id FROM information_schema.processlist WHERE user = '${database.user}'`,
    );
    return rows.length <= pooled();
  });
}
