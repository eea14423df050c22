/** Claim: one object per row costs little: loading, looking for changes, and the memory of what was loaded. */
import 'reflect-metadata';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { DataSource } from 'typeorm';
import { createEngine, sessionFactory } from '../dist/index.js';
import { concernsUnflushed } from '../dist/unit-of-work/index.js';
import { unitOfWorkOf } from '../dist/session/session-core.js';
import { count, readArguments } from './support/arguments.mjs';
import { busy, machine } from './support/machine.mjs';
import { makeDatabase } from './support/mariadb-server.mjs';
import { median, range, table } from './support/statistics.mjs';
import { fill, Item, Post, SCHEMAS } from './unit-of-work/entities.mjs';

const given = readArguments(process.argv.slice(2), { quick: false, rounds: '' });
const rounds = count(given.rounds || (given.quick ? 9 : 41), 'rounds');
if (globalThis.gc === undefined) throw new Error('Run it as node --expose-gc bench/loading.mjs.');

const database = await makeDatabase();
try {
  console.log(`## Loading\n\n${machine(database.version)}; ${busy()}.`);
  console.log(
    `Times of ${rounds} rounds as least – median – most; × is the session's to TypeORM's of the same round.\n`,
  );
  const options = { ...database.options, entities: SCHEMAS };
  const dataSource = await new DataSource({ ...options, synchronize: true }).initialize();
  await fill(dataSource);
  const engine = await createEngine(dataSource).initialize();
  const sessions = sessionFactory(engine);
  const rows = [
    await loads('1,000 rows of 8 columns, all new', '≤ 1.3', sessions, ofItems, () => undefined),
    await loads('2,000 posts join author, all known', '≤ 1.0', sessions, ofPosts, ofPosts),
    await loads('1,000 rows, readOnly', '', sessions, ofItems, () => undefined, { readOnly: true }),
    await scan(sessions),
    await memory('a tracked row of 8 columns', '≤ 600', sessions, {}),
    await memory('the same, readOnly', '', sessions, { readOnly: true }),
  ];
  console.log(table(['what', 'TypeORM', 'a session', '× or difference', 'target'], rows));
  await dataSource.destroy();
} finally {
  await database.drop();
}

function ofItems(builder) {
  return builder(Item, 'item').orderBy('item.id').take(1_000).getMany();
}

function ofPosts(builder) {
  return builder(Post, 'post').innerJoinAndSelect('post.author', 'author').getMany();
}

/** Both in a transaction, on a connection of their own, whose first statement was sent already. */
async function loads(title, target, sessions, load, before, options) {
  const [plain, ours] = [[], []];
  for (let round = -40; round < rounds; round += 1) {
    const session = sessions.create(options);
    await session.query('SELECT 1');
    const tracked = (entity, alias) => session.query(entity, alias);
    const { manager } = session;
    const untracked = (entity, alias) => manager.createQueryBuilder(entity, alias);
    await before(tracked);
    const times = [await timed(() => load(untracked)), await timed(() => load(tracked))];
    await session.close();
    if (round < 0) continue;
    plain.push(times[0]);
    ours.push(times[1]);
  }
  const ratios = ours.map((time, round) => time / plain[round]);
  return [title, `${range(plain, 1)} ms`, `${range(ours, 1)} ms`, `× ${range(ratios)}`, target];
}

async function timed(work) {
  const begun = performance.now();
  await work();
  return performance.now() - begun;
}

/** What a statement waits for that may have to see changes: none of 1,000 objects has any. */
async function scan(sessions) {
  const session = sessions.create();
  await session.find(Item, { take: 1_000 });
  const { map } = unitOfWorkOf(session);
  const times = [];
  for (let round = -200; round < 1_000; round += 1) {
    const begun = performance.now();
    concernsUnflushed(map);
    if (round >= 0) times.push(performance.now() - begun);
  }
  await session.close();
  const perObject = (median(times) * 1_000) / 1_000;
  return ['looking for changes, each object', '', `${perObject.toFixed(2)} µs`, '', '≤ 0.4'];
}

/** Bytes of each of 1,000 rows, on top of what the same rows take with TypeORM alone. */
async function memory(title, target, sessions, options) {
  const session = sessions.create(options);
  await session.query('SELECT 1');
  const round = async (load) => {
    const before = await heap();
    const found = await load();
    const size = ((await heap()) - before) / found.length;
    session.expungeAll();
    return size;
  };
  const sizeOf = async (load) => {
    const sizes = [];
    for (let times = 0; times < 7; times += 1) sizes.push(await round(load));
    return median(sizes.slice(2));
  };
  const find = { take: 1_000 };
  const plain = await sizeOf(() => session.manager.find(Item, find));
  const ours = await sizeOf(() => session.find(Item, find));
  await session.close();
  const bytes = (size) => `${size.toFixed(0)} B`;
  return [title, bytes(plain), bytes(ours), `+ ${bytes(ours - plain)}`, target];
}

async function heap() {
  for (let turn = 0; turn < 3; turn += 1) {
    globalThis.gc();
    await nextTurn();
  }
  return process.memoryUsage().heapUsed;
}
