/** F118, F120: a million units of work, and a hundred thousand sessions of one's own, leave nothing behind. */
import { createEngine, type ScopedSession, scopedSession, sessionFactory } from 'nestjs-scoped-session';
import { DataSource } from 'typeorm';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { engineOf } from '../../src/engine/index.js';
import { fakeDriver, type FakePool } from '../support/fake-driver.js';
import { soak } from '../support/soak.js';

const ROUNDS = 10;

let dataSource: DataSource;
let session: ScopedSession;
let pool: FakePool;
let warnings: string[];

beforeEach(async () => {
  const driver = fakeDriver();
  pool = driver.pool;
  dataSource = await new DataSource({ type: 'mariadb', driver, database: 'fake', poolSize: 10 }).initialize();
  warnings = [];
  session = scopedSession(
    sessionFactory(createEngine(dataSource), { warn: (message) => void warnings.push(message) }),
  );
});

afterEach(() => dataSource.destroy());

function nothingIsHeld(): void {
  const { active, waiting } = engineOf(dataSource).status();
  expect({ active, waiting, warnings }).toEqual({ active: 0, waiting: 0, warnings: [] });
}

const emitters = () => [pool, ...pool.all];
const write = (): Promise<unknown> => session.execute('UPDATE t SET n = :n', { n: 1 });

/** Each way in which a unit of work can come and go. */
const KINDS: readonly ((number: number) => Promise<unknown>)[] = [
  () => session.run(() => session.scalar('SELECT 1')),
  () => session.run(write),
  () => session.run(async () => undefined),
  () => session.run(write, { timeoutMs: 60_000 }),
  () => session.run(write, { retry: { times: 2 } }),
  () => session.run(() => session.beginNested(write)),
  () => session.run(() => session.dataSource.manager.query('SELECT 1')),
  (number) =>
    session
      .run(async () => {
        await write();
        throw new Error(`number ${number}`);
      })
      .catch(() => undefined),
  () =>
    session.run(async () => {
      await write();
      await session.commit();
      await write();
    }),
  () =>
    session.run(async () => {
      await session.invalidate();
      await write();
    }),
];

it('F118: 1,000,000 units of work', async () => {
  await soak({
    title: 'F118 units of work',
    rounds: ROUNDS,
    times: 100_000,
    one: (number) => KINDS[number % KINDS.length]!(number),
    emitters,
  });
  nothingIsHeld();
});

it('F120: 100,000 leases of sessions of one’s own, each with a name', async () => {
  await soak({
    title: 'F120 leases',
    rounds: ROUNDS,
    times: 10_000,
    one: async (number) => {
      const own = session.sessionFactory.create({ label: `job ${number}` });
      await own.execute('SELECT 1');
      await (number % 2 === 0 ? own.commit() : own.close());
    },
    emitters,
  });
  nothingIsHeld();
});
