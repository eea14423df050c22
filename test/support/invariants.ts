/** What must hold after every test that touched a database: reference names I1, I2, I3, I5 and I7. */
import { createConnection, type RowDataPacket } from 'mysql2/promise';
import type { DataSource } from 'typeorm';
import { expect } from 'vitest';
import { engineOf, hasEngine } from '../../src/engine/index.js';
import { isSqlite, type Kind } from './databases.js';
import {
  askReplicas,
  driverPools,
  enginePools,
  isCluster,
  type PoolState,
  toPrimary,
} from './driver-pools.js';
import { quiet } from './quiet.js';
import { waitUntil } from './wait-until.js';

/** Something whose connections and units of work are checked at the end of the test, before it is closed. */
export interface Watched {
  readonly dataSource?: DataSource | undefined;
  /** Units of work that have not ended. */
  liveScopes?(): number;
  close?(): Promise<unknown>;
}

interface Place {
  readonly kind: Kind;
  readonly user: string;
  ask(sql: string): Promise<object[]>;
}

export async function checkInvariants(place: Place, watched: readonly Watched[]): Promise<void> {
  for (const { liveScopes } of watched) {
    if (liveScopes !== undefined) await waitUntil('no scope is live', () => liveScopes() === 0);
  }
  for (const { dataSource } of watched) {
    if (dataSource?.isInitialized !== true) continue;
    await poolIsFull(dataSource);
    await nothingIsLeft(place, dataSource);
  }
  await noStrayConnection(place, watched);
  await nothingIsPrepared(place);
  expect(quiet.drain(), 'I7: nothing unhandled, no warning of Node').toEqual([]);
}

/** I1: all connections are back, nobody waits. What the driver's own pool has lent is what ours has at rest. */
async function poolIsFull(dataSource: DataSource): Promise<void> {
  const all = (): PoolState[] => driverPools(dataSource);
  // SQLite has none.
  if (all().length === 0) return;
  await waitUntil('I1: the pool is full', () => {
    const { idle, total } = enginePools(dataSource);
    const lent = all().reduce((sum, pool) => sum + pool.total - pool.free, 0);
    return isCluster(dataSource) ? lent === 0 && idle === total : lent === idle;
  });
  for (const { waiting, total, limit } of all()) {
    expect(waiting, 'I1: nobody waits').toBe(0);
    expect(total).toBeLessThanOrEqual(limit);
  }
}

/**
 * I2, from outside: no connection of ours is left that is in no pool, where it could hold a transaction unseen. (The
 * server's own list of transactions, innodb_trx, is a copy that is not renewed while anybody keeps reading it.)
 */
async function noStrayConnection({ kind, user, ask }: Place, watched: readonly Watched[]): Promise<void> {
  if (isSqlite(kind)) return;
  const all =
    kind === 'mariadb'
      ? `SELECT id FROM information_schema.processlist WHERE user = '${user}'`
      : `SELECT pid FROM pg_stat_activity WHERE usename = '${user}'`;
  const pooled = watched.reduce((sum, { dataSource }) => sum + sizeOfPool(dataSource), 0);
  await waitUntil(
    'I2: every connection on the server is in a pool',
    async () => (await ask(all)).length <= pooled,
  );
}

/** I2: of two-phase commits nothing is left in doubt, which the server would keep for ever. */
async function nothingIsPrepared({ kind, user, ask }: Place): Promise<void> {
  if (kind !== 'mariadb') return;
  const rows = (await ask('XA RECOVER')) as { readonly data: unknown }[];
  const left = rows.map(({ data }) => String(data)).filter((xid) => xid.includes(`${user}.`));
  expect(left, 'I2: no branch is left prepared').toEqual([]);
}

/** Of all servers. */
function sizeOfPool(dataSource: DataSource | undefined): number {
  if (dataSource?.isInitialized !== true) return 0;
  const ofDriver = driverPools(dataSource).reduce((sum, { total }) => sum + total, 0);
  return isCluster(dataSource) ? ofDriver + enginePools(dataSource).total : ofDriver;
}

const RESIDUE = {
  mariadb: `SELECT @@in_transaction AS inTransaction, @@autocommit AS autocommit, @@tx_isolation AS isolation,
    @@tx_read_only AS readOnly, @canary AS canary, IS_USED_LOCK('canary') AS userLock, DATABASE() AS place,
    @@sql_mode AS sqlMode, @@time_zone AS zone`,
  postgres: `SELECT current_setting('transaction_read_only') AS "readOnly",
    current_setting('default_transaction_isolation') AS isolation, current_database() AS place`,
} as const;

/** I2 and I3, from inside: every pooled connection is as it was made. */
async function nothingIsLeft({ kind, user }: Place, dataSource: DataSource): Promise<void> {
  if (kind !== 'mariadb' && kind !== 'postgres') {
    if (hasEngine(dataSource))
      await waitUntil('I1: all are back', () => engineOf(dataSource).status().active === 0);
    // No transaction of anybody is open on the one connection: another can begin, and end.
    const runner = dataSource.driver.createQueryRunner('master');
    for (const sql of ['BEGIN', 'ROLLBACK']) await runner.query(sql);
    await runner.release();
    return;
  }
  // The level that every connection of the engine is opened with.
  const level = hasEngine(dataSource) ? engineOf(dataSource).isolation : undefined;
  const clean =
    kind === 'mariadb'
      ? {
          inTransaction: 0,
          autocommit: 1,
          isolation: level?.replace(' ', '-') ?? 'REPEATABLE-READ',
          readOnly: 0,
          canary: null,
          userLock: null,
          place: user,
          sqlMode: await freshSqlMode(dataSource),
          zone: 'SYSTEM',
        }
      : { readOnly: 'off', isolation: level?.toLowerCase() ?? 'read committed', place: user };
  for (const row of await askEachConnection(dataSource, RESIDUE[kind])) {
    const numbers = Object.entries(row).map(([key, value]) => [
      key,
      /^\d+$/.test(String(value)) ? Number(value) : value,
    ]);
    expect(Object.fromEntries(numbers), 'I2, I3: a pooled connection is clean').toEqual(clean);
  }
}

/** The mode that a connection of this client has when it is new. */
async function freshSqlMode({ options }: DataSource): Promise<string> {
  const { host, port, username: user, database } = addressOf(options);
  const connection = await createConnection({ host, port, user, database });
  const [rows] = await connection.query<RowDataPacket[]>('SELECT @@sql_mode AS mode');
  await connection.end();
  return String(rows[0]?.['mode']);
}

interface Address {
  readonly host: string;
  readonly port: number;
  readonly username: string;
  readonly database: string;
}

function addressOf(options: DataSource['options']): Address {
  const { replication } = options as { replication?: { master: Address } };
  return replication?.master ?? (options as unknown as Address);
}

/** Takes every connection that there is at this moment, asks it, and gives it back. */
async function askEachConnection(dataSource: DataSource, sql: string): Promise<object[]> {
  // Prototype: the adopted DataSource's own createQueryRunner may warn or wait.
  const runners = Array.from({ length: toPrimary(dataSource) }, () =>
    dataSource.driver.createQueryRunner('master'),
  );
  try {
    // All are taken before the first is asked, so that each is another one.
    await Promise.all(runners.map((runner) => runner.connect()));
    const rows = runners.map(async (runner) => ((await runner.query(sql)) as object[])[0]!);
    return [...(await Promise.all(rows)), ...(await askReplicas(dataSource, sql))];
  } finally {
    await Promise.all(runners.map((runner) => runner.release()));
  }
}
