/** Claim: a request costs little more than without us, and less than what people write by hand. Over real HTTP. */
import { availableParallelism } from 'node:os';
import { check, choose, failed, makeTables, requestsOf, startAll } from './requests/comparison.mjs';
import { CONNECTIONS, PLATFORMS, POOL_SIZE, ROUTES, VARIANTS } from './requests/variants.mjs';
import { count, readArguments } from './support/arguments.mjs';
import { Client, load } from './support/load.mjs';
import { busy, machine } from './support/machine.mjs';
import { makeDatabase } from './support/mariadb-server.mjs';
import { median, range, table } from './support/statistics.mjs';

const given = readArguments(process.argv.slice(2), {
  quick: false,
  platform: 'express,fastify',
  route: ROUTES.map(({ name }) => name).join(','),
  variant: VARIANTS.map(({ name }) => name).join(','),
  rounds: '',
  'round-ms': '',
  profiles: '',
});
const rounds = count(given.rounds || (given.quick ? 3 : 9), 'rounds');
const roundMs = count(given['round-ms'] || (given.quick ? 300 : 700), 'round-ms');
// By requests and not by time: what was not compiled yet is slow on a busy machine too, and longer.
const warmUp = given.quick ? { answers: 1_500, ms: 2_000 } : { answers: 8_000, ms: 10_000 };
const platforms = choose('platform', given.platform, PLATFORMS);
const routes = choose('route', given.route, ROUTES);
const variants = choose('variant', given.variant, VARIANTS);

const database = await makeDatabase();
try {
  await makeTables(database);
  console.log(`## Requests\n\n${machine(database.version)}; ${busy()} at the beginning.`);
  console.log(
    `${CONNECTIONS} kept-alive connections, pool of ${POOL_SIZE}; ${rounds} rounds of ${roundMs} ms for each cell, the ` +
      'variants in turn. Ratios are to the reference (1.00) of the same round, as least – median – most.',
  );
  for (const platform of platforms) await measurePlatform(platform);
  console.log(`\n${busy()} at the end, on ${availableParallelism()} cores.`);
} finally {
  await database.drop();
}

async function measurePlatform(platform) {
  const { applications, reasons } = await startAll(variants, database, { platform, node: profiling });
  try {
    for (const route of routes) {
      const cells = await measureRoute(platform, route, applications);
      report(platform, route, cells, reasons);
    }
  } finally {
    await Promise.all(applications.map((application) => application.close()));
  }

  function profiling({ name }) {
    if (given.profiles === '') return [];
    return [
      '--cpu-prof',
      `--cpu-prof-dir=${given.profiles}`,
      `--cpu-prof-name=${platform}-${name}.cpuprofile`,
    ];
  }
}

/** @returns {Promise<Map<object, object>>} cells by variant */
async function measureRoute(platform, route, applications) {
  const requests = requestsOf(route);
  const cells = new Map();
  for (const application of applications) {
    if (!application.variant.routes.includes(route.name)) continue;
    const cell = { application, samples: [], statements: undefined, failure: undefined };
    cells.set(application.variant, cell);
    progress(`${platform}, ${route.title}: warming up ${application.variant.title}`);
    await attempt(cell, async () => {
      cell.statements = await check(application, route, database);
      const until = performance.now() + warmUp.ms;
      let left = warmUp.answers;
      while (left > 0 && performance.now() < until)
        left -= (await sample(application, requests, 300)).answers;
    });
  }
  for (let round = 0; round < rounds; round += 1) {
    progress(`${platform}, ${route.title}: round ${round + 1} of ${rounds}`);
    await database.ask('TRUNCATE TABLE entry');
    // Nobody is always first, or always after the same one.
    const turns = [...cells.values()].filter(({ failure }) => failure === undefined);
    const first = Math.floor((round * turns.length) / rounds);
    for (const cell of [...turns.slice(first), ...turns.slice(0, first)]) {
      await attempt(cell, async () => {
        cell.samples.push(await sample(cell.application, requests, roundMs));
      });
    }
  }
  progress('');
  return cells;
}

async function attempt(cell, work) {
  try {
    await work();
  } catch (error) {
    cell.failure = failed(error);
  }
}

/** One cell of one round. */
async function sample(application, requests, durationMs) {
  const clients = await Promise.all(requests.map(() => Client.open(application.port)));
  try {
    // The connections are made, on both sides, before the clock starts.
    await Promise.all(clients.map((client, number) => client.ask(requests[number][0])));
    const before = await application.used();
    const { answers, failures, seconds } = await load(clients, requests, durationMs);
    const after = await application.used();
    if (failures > 0) throw new Error(`${failures} of ${answers} requests were not answered with success`);
    return {
      answers,
      perSecond: answers / seconds,
      cpu: (after.cpu - before.cpu) / answers,
      collecting: (after.collecting - before.collecting) / answers,
    };
  } finally {
    for (const client of clients) client.close();
  }
}

function report(platform, route, cells, reasons) {
  const reference = [...cells.values()].find(
    ({ application }) => application.variant.name === route.reference,
  );
  const rows = variants
    .filter((variant) => variant.routes.includes(route.name))
    .map((variant) => {
      const cell = cells.get(variant);
      const reason = cell === undefined ? reasons.get(variant) : cell.failure;
      return [variant.title, ...(reason === undefined ? figures(cell, reference) : [reason])];
    });
  const { title } = VARIANTS.find(({ name }) => name === route.reference);
  console.log(`\n### ${platform}, ${route.title} (reference: ${title})\n`);
  console.log(
    table(
      ['variant', 'requests/s', 'ratio', 'CPU µs/request', 'ratio of CPU', 'of it GC', 'statements'],
      rows,
    ),
  );
}

function figures(cell, reference) {
  const { samples, statements } = cell;
  const of = (name) => samples.map((one) => one[name]);
  // In the same round: what else the machine did then happened to both.
  const ratios = (name) =>
    reference === undefined || reference.failure !== undefined
      ? 'no reference'
      : range(samples.map((one, round) => one[name] / reference.samples[round][name]));
  return [
    median(of('perSecond')).toFixed(0),
    ratios('perSecond'),
    median(of('cpu')).toFixed(0),
    ratios('cpu'),
    median(of('collecting')).toFixed(1),
    statements === undefined ? 'unknown' : statements.toFixed(statements % 1 === 0 ? 0 : 1),
  ];
}

function progress(text) {
  if (process.stderr.isTTY) process.stderr.write(`\r\u001B[K${text}`);
}
