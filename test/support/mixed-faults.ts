/** Faults of the network, of connections and of the server, each for a moment; what they have set is set back. */
import { setTimeout as lasting } from 'node:timers/promises';
import { createConnection } from 'mysql2/promise';
import type { BankClients } from './bank-clients.js';
import type { FaultyDatabase } from './faulty-database.js';
import type { SeededRandom } from './seeded-random.js';
import { waitUntil } from './wait-until.js';

export interface Struck {
  readonly database: FaultyDatabase;
  readonly clients: BankClients;
  readonly random: SeededRandom;
}

/** Resolves when the moment is over. The network is healed, and the server runs, after each. */
export type Fault = (struck: Struck) => Promise<unknown>;

const UNKNOWN_THREAD = 1094;

const aMoment = ({ random }: Struck): Promise<void> => lasting(random.between(100, 700));
/** Longer than a request may take. */
const tooLong = (): Promise<void> => lasting(1_600);

/** The numbers of the application's connections. */
async function threads({ database }: Struck, which = 'TRUE'): Promise<number[]> {
  const rows = await database.ask<{ id: number }>(
    `SELECT id FROM information_schema.processlist WHERE user = '${database.user}' AND ${which}`,
  );
  return rows.map(({ id }) => id);
}

async function kill(struck: Struck, what: 'CONNECTION' | 'QUERY', which?: string): Promise<void> {
  for (const id of await threads(struck, which))
    await struck.database.ask(`KILL ${what} ${id}`).catch((error: { errno?: number }) => {
      if (error.errno !== UNKNOWN_THREAD) throw error;
    });
}

async function setGlobal(struck: Struck, name: string, value: number, during: Fault): Promise<void> {
  const [before] = await struck.database.ask<{ value: number }>(`SELECT @@GLOBAL.${name} AS value`);
  await struck.database.ask(`SET GLOBAL ${name} = ${value}`);
  await during(struck);
  await struck.database.ask(`SET GLOBAL ${name} = ${before!.value}`);
}

/** Somebody else has a lock that the application waits for. */
async function locked(
  { database }: Struck,
  statements: readonly string[],
  during: Promise<void>,
): Promise<void> {
  const connection = await createConnection({
    host: '127.0.0.1',
    port: database.server.port,
    user: 'root',
    database: database.user,
  });
  for (const sql of statements) await connection.query(sql);
  await during;
  await connection.end();
}

/** By what they are called when a test fails. */
export const FAULTS: Readonly<Record<string, Fault>> = {
  'connections are cut': async ({ database }) => database.proxy.cut(),
  'a connection is cut before COMMIT': ({ database }) => database.proxy.cutBefore('COMMIT'),
  'a connection is cut after COMMIT': ({ database }) => database.proxy.cutAfter('COMMIT'),
  'connections are half-closed': async ({ database }) => database.proxy.halfClose(),
  'everything is swallowed': (struck) => {
    struck.database.proxy.blackHole();
    return aMoment(struck);
  },
  'everything is swallowed for too long': ({ database }) => {
    database.proxy.blackHole();
    return tooLong();
  },
  'statements are swallowed': (struck) => {
    struck.database.proxy.blackHole('toServer');
    return aMoment(struck);
  },
  'answers are swallowed for too long': ({ database }) => {
    database.proxy.blackHole('toClient');
    return tooLong();
  },
  'a COMMIT is never answered': async ({ database }) => {
    await database.proxy.blackHoleAfter('COMMIT');
    await tooLong();
  },
  'connections lead nowhere': ({ database }) => {
    database.proxy.strand();
    return tooLong();
  },
  'the network is slow': (struck) => {
    struck.database.proxy.delay(1, 20);
    return aMoment(struck);
  },
  'the network is narrow': (struck) => {
    struck.database.proxy.throttle(2_000);
    return aMoment(struck);
  },
  'the network flaps': async (struck) => {
    for (let cuts = 0; cuts < 5; cuts += 1) {
      await struck.database.proxy.once('UPDATE account', () => struck.database.proxy.cut());
    }
  },
  'connections are refused': (struck) => {
    struck.database.proxy.refuse();
    struck.database.proxy.cut();
    return aMoment(struck);
  },
  'connections are killed': (struck) => kill(struck, 'CONNECTION'),
  'statements are killed': (struck) => kill(struck, 'QUERY', "command <> 'Sleep'"),
  'the server stops': async (struck) => {
    await struck.database.server.pause();
    await aMoment(struck);
  },
  'the server stops for too long': async ({ database }) => {
    await database.server.pause();
    await tooLong();
  },
  'the server is killed': ({ database }) => database.server.restart(),
  'the server is killed at COMMIT': async ({ database }) => {
    let killed: Promise<void> | undefined;
    await database.proxy.once('COMMIT', () => {
      killed = database.server.kill();
    });
    await killed;
    await database.server.restart();
  },
  'connections idle for too long': (struck) =>
    setGlobal(struck, 'wait_timeout', 1, async ({ database, clients }) => {
      // Those that are made from now on have it.
      database.proxy.cut();
      await clients.rest(() =>
        waitUntil('the server has closed them', async () => (await threads(struck)).length === 0),
      );
    }),
  'there are too many connections': (struck) =>
    setGlobal(struck, 'max_connections', 10, ({ database }) => {
      database.proxy.cut();
      return aMoment(struck);
    }),
  'the server is read-only': (struck) => setGlobal(struck, 'read_only', 1, aMoment),
  'a lock is held for too long': (struck) =>
    locked(struck, ['BEGIN', 'SELECT balance FROM account WHERE id = 0 FOR UPDATE'], tooLong()),
  'all tables are locked': (struck) => locked(struck, ['FLUSH TABLES WITH READ LOCK'], aMoment(struck)),
};
