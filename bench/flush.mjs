/** Claim: a flush sends few statements. The same work by `repository.save(array)`, by a session, and by MikroORM. */
import 'reflect-metadata';
import { DataSource } from 'typeorm';
import { createEngine, sessionFactory } from '../dist/index.js';
import { count, readArguments } from './support/arguments.mjs';
import { busy, machine } from './support/machine.mjs';
import { makeDatabase } from './support/mariadb-server.mjs';
import { range, table } from './support/statistics.mjs';
import { CASES } from './unit-of-work/cases.mjs';
import { fill, SCHEMAS } from './unit-of-work/entities.mjs';
import { startMikroOrm } from './unit-of-work/mikro-orm.mjs';

const given = readArguments(process.argv.slice(2), { quick: false, rounds: '', type: 'mariadb' });
const rounds = count(given.rounds || (given.quick ? 2 : 7), 'rounds');
/** Rounds before the first that counts: a server has run its code before. */
const WARM_UP = given.quick ? 1 : 6;

const database = await makeDatabase();
try {
  console.log(`## Flush\n\n${machine(database.version)}; type ${given.type}; ${busy()}.`);
  console.log(
    `Milliseconds with COMMIT, as least – median – most of ${rounds} rounds; × is how often the session's time goes into it, ` +
      'round by round. Statements without BEGIN and COMMIT.\n',
  );
  const options = { ...database.options, type: given.type, entities: SCHEMAS };
  const dataSource = await new DataSource({ ...options, synchronize: true }).initialize();
  await fill(dataSource);
  const engine = await createEngine(await new DataSource(options).initialize()).initialize();
  let reason = '';
  const peer = await startMikroOrm(database.options, (why) => (reason = why));
  const rows = [];
  for (const one of CASES) rows.push(...(await measure(one, { dataSource, engine, peer, reason })));
  console.log(table(['case', 'by', 'ms', '×', 'statements', 'target'], rows));
  await peer?.orm.close();
  await engine.dataSource.destroy();
  await dataSource.destroy();
} finally {
  await database.drop();
}

async function measure({ title, target, ...work }, { dataSource, engine, peer, reason }) {
  const sessions = sessionFactory(engine);
  const variants = {
    'a session': async () => {
      const session = sessions.create();
      return { run: await work.session(session), done: () => session.close() };
    },
    'repository.save': async () => ({ run: await work.save(dataSource), done: async () => undefined }),
    ...(peer && {
      MikroORM: async () => {
        const em = peer.orm.em.fork();
        return { run: await work.mikroOrm(em, peer.entities), done: async () => undefined };
      },
    }),
  };
  const times = Object.fromEntries(Object.keys(variants).map((name) => [name, []]));
  for (let round = -WARM_UP; round < rounds; round += 1) {
    for (const [name, prepare] of Object.entries(variants)) {
      const { run, done } = await prepare();
      const begun = performance.now();
      await run();
      const elapsed = performance.now() - begun;
      if (round >= 0) times[name].push(elapsed);
      await done();
    }
  }
  const rows = [];
  for (const [name, prepare] of Object.entries(variants)) {
    const ratios = times[name].map((time, round) => time / times['a session'][round]);
    const first = rows.length === 0;
    const counted = await statementsOf(prepare);
    rows.push([
      first ? title : '',
      name,
      range(times[name], 1),
      first ? '' : range(ratios, 1),
      counted,
      first ? target : '',
    ]);
  }
  if (peer === undefined) rows.push(['', 'MikroORM', reason]);
  return rows;
}

/** As the server counts them, of all connections: nobody else uses it. */
async function statementsOf(prepare) {
  const { run, done } = await prepare();
  const before = await sent();
  await run();
  const after = await sent();
  await done();
  return String(after - before);
}

async function sent() {
  const rows = await database.ask(
    "SHOW GLOBAL STATUS WHERE Variable_name IN ('Com_select', 'Com_insert', 'Com_update', 'Com_delete')",
  );
  // The question itself is none of them.
  return rows.reduce((sum, row) => sum + Number(row.Value), 0);
}
