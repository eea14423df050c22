/** Claim: a scope leaves nothing behind. Ten thousand of each kind, and what is still there afterwards. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { KINDS } from './scopes/kinds.mjs';
import { count, readArguments } from './support/arguments.mjs';
import { machine } from './support/machine.mjs';
import { range, table } from './support/statistics.mjs';

const given = readArguments(process.argv.slice(2), { quick: false, batches: '' });
const batches = count(given.batches || (given.quick ? 3 : 7), 'batches');
const BATCH = 10_000;
/** How many are open at the same time. */
const TOGETHER = 20;

if (globalThis.gc === undefined) throw new Error('Run it as node --expose-gc bench/scopes.mjs.');

console.log(`## Scopes\n\n${machine()}.`);
console.log(
  `${BATCH} scopes a batch, ${TOGETHER} at a time; one batch to warm up, then ${batches} that are measured. Heap after a ` +
    'full garbage collection; its growth as least – median – most of the batches.\n',
);
const rows = [];
for (const kind of KINDS) rows.push([kind.title, ...(await measure(kind))]);
console.log(
  table(
    [
      'kind',
      'µs/scope',
      'heap before KiB',
      'heap after KiB',
      'growth KiB per 10,000',
      'entries left',
      'alive',
      'listeners',
      'resources',
    ],
    rows,
  ),
);
console.log(
  '\nentries left: what registries still keep for scopes that have ended. alive: scopes and sessions of the last batch that ' +
    'the garbage collector did not take. listeners: on process, DataSource and driver. resources: what keeps Node running, ' +
    'such as timers. Both before → after.',
);

async function measure({ start }) {
  const kind = await start();
  try {
    await run(kind);
    const first = await heap();
    const before = { listeners: listeners(kind.emitters), resources: await resources() };
    const growth = [];
    let last = first;
    let alive = 0;
    let elapsed = 0;
    for (let batch = 0; batch < batches; batch += 1) {
      const begun = performance.now();
      const seen = await run(kind);
      elapsed += performance.now() - begun;
      await heap();
      alive = seen.filter((one) => one.deref() !== undefined).length;
      // The references themselves are on the heap too.
      seen.length = 0;
      const now = await heap();
      growth.push(now - last);
      last = now;
    }
    return [
      ((elapsed * 1000) / (batches * BATCH)).toFixed(1),
      first.toFixed(0),
      last.toFixed(0),
      range(growth, 0),
      String(kind.entriesLeft()),
      String(alive),
      `${before.listeners} → ${listeners(kind.emitters)}`,
      `${before.resources} → ${await resources()}`,
    ];
  } finally {
    await kind.stop();
  }
}

/** @returns {Promise<WeakRef<object>[]>} what must not outlive its scope */
async function run({ one, rest }) {
  const seen = [];
  const see = (...objects) => objects.forEach((object) => seen.push(new WeakRef(object)));
  let next = 0;
  const work = async () => {
    while (next < BATCH) await one(see, (next += 1));
  };
  await Promise.all(Array.from({ length: TOGETHER }, work));
  rest?.();
  return seen;
}

/** KiB in use, when everything that can be collected was. */
async function heap() {
  for (let pass = 0; pass < 3; pass += 1) {
    // Objects that a WeakRef showed in this turn stay until the next one.
    await nextTurn();
    globalThis.gc();
  }
  return process.memoryUsage().heapUsed / 1024;
}

function listeners(emitters) {
  const all = [process, ...emitters];
  return all
    .flatMap((emitter) => emitter.eventNames().map((name) => emitter.listenerCount(name)))
    .reduce((sum, number) => sum + number, 0);
}

async function resources() {
  await nextTurn();
  return process.getActiveResourcesInfo().length;
}
