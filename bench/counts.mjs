/** Claim: what a request makes is counted: statements, promises, bytes. The same figures on a busy machine as on a quiet one. */
import { check, choose, failed, makeTables, requestsOf, startAll } from './requests/comparison.mjs';
import { PLATFORMS, ROUTES, VARIANTS } from './requests/variants.mjs';
import { readArguments } from './support/arguments.mjs';
import { Client } from './support/load.mjs';
import { machine } from './support/machine.mjs';
import { makeDatabase } from './support/mariadb-server.mjs';
import { table } from './support/statistics.mjs';

const given = readArguments(process.argv.slice(2), {
  quick: false,
  platform: 'fastify',
  variant: VARIANTS.map(({ name }) => name).join(','),
});
/** Compiled code allocates less than code that was run once. */
const warmUp = given.quick ? 500 : 3_000;
const COUNTED = 200;
/** MiB for young objects, so that none is collected while they are counted. */
const NODE = ['--expose-gc', '--min-semi-space-size=64', '--max-semi-space-size=128'];

const [platform] = choose('platform', given.platform, PLATFORMS);
// A second process of the same code counts the same.
const variants = choose('variant', given.variant, VARIANTS).filter(({ name }) => !name.endsWith('-again'));

const database = await makeDatabase();
try {
  await makeTables(database);
  console.log(`## Counts\n\n${machine(database.version)}; ${platform}.`);
  console.log(
    `For each request: statements · promises · KiB allocated. One connection, ${COUNTED} requests.\n`,
  );
  const { applications, reasons } = await startAll(variants, database, { platform, node: () => NODE });
  try {
    const rows = [];
    for (const variant of variants) {
      const application = applications.find((one) => one.variant === variant);
      rows.push([
        variant.title,
        ...(application === undefined ? [reasons.get(variant)] : await countRoutes(application)),
      ]);
    }
    console.log(table(['variant', ...ROUTES.map(({ title }) => title)], rows));
  } finally {
    await Promise.all(applications.map((application) => application.close()));
  }
} finally {
  await database.drop();
}

async function countRoutes(application) {
  const cells = [];
  for (const route of ROUTES) {
    if (!application.variant.routes.includes(route.name)) cells.push('');
    else cells.push(await countRoute(application, route).catch(failed));
  }
  return cells;
}

async function countRoute(application, route) {
  const [requests] = requestsOf(route);
  const statements = await check(application, route, database);
  const client = await Client.open(application.port);
  const ask = async (times) => {
    for (let sent = 0; sent < times; sent += 1) await client.ask(requests[sent % requests.length]);
  };
  try {
    await ask(warmUp);
    const before = await application.count();
    await ask(COUNTED);
    const after = await application.counted();
    const promises = (after.promises - before.promises) / COUNTED;
    const bytes = (after.bytes - before.bytes) / COUNTED;
    return `${statements ?? '?'} · ${promises.toFixed(0)} · ${(bytes / 1024).toFixed(0)}`;
  } finally {
    client.close();
  }
}
