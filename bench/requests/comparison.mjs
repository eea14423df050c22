/** What the scripts over HTTP have in common: which variants and routes, their servers, the tables, and that they do their work. */
import { Client, request } from '../support/load.mjs';
import { ApplicationProcess } from './application-process.mjs';
import { ACCOUNTS, CONNECTIONS, isInstalled, NOT_INSTALLED, POOL_SIZE } from './variants.mjs';

/** How many requests show that a variant does what it says. */
const CHECKED = 20;

/** Those of `all` that `names`, separated by commas, say. */
export function choose(option, names, all) {
  const chosen = names.split(',');
  const unknown = chosen.find((one) => !all.some((known) => (known.name ?? known) === one));
  if (unknown !== undefined) throw new Error(`--${option}: there is no ${unknown}.`);
  return all.filter((known) => chosen.includes(known.name ?? known));
}

export async function makeTables(database) {
  await database.ask(
    'CREATE TABLE account (id INT PRIMARY KEY, owner VARCHAR(40) NOT NULL, balance INT NOT NULL)',
  );
  await database.ask(
    'CREATE TABLE entry (id INT PRIMARY KEY AUTO_INCREMENT, accountId INT NOT NULL, cents INT NOT NULL)',
  );
  const rows = Array.from(
    { length: ACCOUNTS },
    (_, place) => `(${place + 1}, 'Owner ${place + 1}', 1000000)`,
  );
  await database.ask(`INSERT INTO account VALUES ${rows.join(', ')}`);
}

/**
 * A server for each variant, in a process of its own.
 *
 * @param {{ platform: string, node?: (variant: object) => readonly string[] }} settings - `node`: arguments of the process
 * @returns {Promise<{ applications: ApplicationProcess[], reasons: Map<object, string> }>} `reasons`: why one is missing
 */
export async function startAll(variants, database, { platform, node = () => [] }) {
  const applications = [];
  const reasons = new Map();
  for (const variant of variants) {
    if (!isInstalled(variant)) {
      reasons.set(variant, NOT_INSTALLED);
      continue;
    }
    const settings = {
      platform,
      database: { ...database.options, poolSize: POOL_SIZE },
      node: node(variant),
    };
    try {
      applications.push(await ApplicationProcess.start(variant, settings));
    } catch (error) {
      reasons.set(variant, failed(error));
    }
  }
  return { applications, reasons };
}

export const failed = (error) => `failed: ${error.message}`;

/** What each connection sends in turn, as it goes over the wire. */
export function requestsOf(route) {
  return Array.from({ length: CONNECTIONS }, (_, number) =>
    route.paths(number).map((path) => request(route.method, path)),
  );
}

/**
 * Does the route do what it says? A variant that forgets its COMMIT must not win.
 *
 * @returns {Promise<number | undefined>} statements per request, as the server counted them; unknown on a server of others
 */
export async function check(application, route, database) {
  const [requests] = requestsOf(route);
  const client = await Client.open(application.port);
  try {
    await client.ask(requests[0]);
    const entriesBefore = await entries(database);
    const questionsBefore = await questions(database);
    for (let sent = 0; sent < CHECKED; sent += 1) {
      const { id, balance } = JSON.parse(await client.ask(requests[sent % requests.length]));
      if (typeof id !== 'number' || typeof balance !== 'number')
        throw new Error('the answer is not an account');
    }
    // The second look at the counter was counted too.
    const statements = ((await questions(database)) - questionsBefore - 1) / CHECKED;
    const stored = (await entries(database)) - entriesBefore;
    const wanted = route.name === 'withdraw' ? CHECKED : 0;
    if (stored !== wanted) throw new Error(`${stored} of ${wanted} rows were stored`);
    return database.isPrivate ? statements : undefined;
  } finally {
    client.close();
  }
}

async function entries(database) {
  const [{ stored }] = await database.ask('SELECT COUNT(*) AS stored FROM entry');
  return stored;
}

async function questions(database) {
  const [{ Value }] = await database.ask("SHOW GLOBAL STATUS LIKE 'Questions'");
  return Number(Value);
}
