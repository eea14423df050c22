/** A PostgreSQL primary with a standby that replays its log, or stands still where a test says so. */
import { execFileSync } from 'node:child_process';
import { Client } from 'pg';
import { afterAll, beforeAll } from 'vitest';
import type { DataSourceOptions } from 'typeorm';
import { answers, installations } from './postgres-server.js';
import {
  findProgram,
  freePort,
  isRoot,
  type PrivateServer,
  startServer,
  temporaryDirectory,
  userIds,
} from './private-server.js';
import { waitUntil } from './wait-until.js';

const places = installations();
const [initdb, postgres, copier] = ['initdb', 'postgres', 'pg_basebackup'].map((name) =>
  findProgram([name], places),
);
const user = isRoot ? (userIds('postgres') ?? userIds('nobody')) : undefined;
const MISSING = Object.entries({
  initdb,
  postgres,
  pg_basebackup: copier,
  'a user postgres or nobody': isRoot ? user : 'ourselves',
});

/** Why there can be no standby here. */
export const noStandby = MISSING.every(([, found]) => found !== undefined)
  ? undefined
  : `not found: ${MISSING.flatMap(([name, found]) => (found === undefined ? [name] : [])).join('; ')}`;
if (noStandby !== undefined)
  console.warn(`SKIPPED: the tests on a PostgreSQL standby do not run, ${noStandby}.`);

export interface StandbyPair {
  readonly standby: PrivateServer;
  /** TypeORM's options: the standby is the replica. */
  options(): DataSourceOptions;
  ask(...statements: string[]): Promise<object[]>;
  askStandby(sql: string): Promise<object[]>;
  /** From now on it receives, and replays nothing. */
  hold(): Promise<void>;
  release(): Promise<void>;
  caughtUp(): Promise<void>;
}

const HOST = '127.0.0.1';

export function useStandby(): StandbyPair {
  let primary: PrivateServer;
  let standby: PrivateServer;
  beforeAll(async () => {
    primary = await start((data) => {
      execFileSync(
        initdb!,
        ['-D', data, '-U', 'postgres', '--auth=trust', '--no-sync', '-E', 'UTF8'],
        run(data),
      );
    });
    standby = await start((data) => {
      const from = ['-h', HOST, '-p', String(primary.port), '-U', 'postgres'];
      execFileSync(
        copier!,
        ['-D', data, ...from, '-R', '-X', 'stream', '-c', 'fast', '--no-sync'],
        run(data),
      );
    });
  });
  afterAll(async () => {
    await standby.stop();
    await primary.stop();
  });
  const address = (port: number) => ({
    host: HOST,
    port,
    username: 'postgres',
    password: '',
    database: 'postgres',
  });
  const askStandby = (sql: string): Promise<object[]> => ask(standby.port, [sql]);
  const isPaused = async (): Promise<boolean> => {
    const [row] = await askStandby('SELECT pg_get_wal_replay_pause_state() AS state');
    return (row as { state: string }).state === 'paused';
  };
  return {
    get standby() {
      return standby;
    },
    options: () => ({
      type: 'postgres',
      database: 'postgres',
      installExtensions: false,
      replication: { master: address(primary.port), slaves: [address(standby.port)] },
    }),
    ask: (...statements) => ask(primary.port, statements),
    askStandby,
    hold: async () => {
      await askStandby('SELECT pg_wal_replay_pause()');
      await waitUntil('it stands still', isPaused);
    },
    release: async () => void (await askStandby('SELECT pg_wal_replay_resume()')),
    caughtUp: async () => {
      const [at] = (await ask(primary.port, ['SELECT pg_current_wal_insert_lsn()::text AS at'])) as {
        at: string;
      }[];
      await waitUntil('it has what the primary has', async () => {
        const [row] = await askStandby(`SELECT pg_last_wal_replay_lsn() >= '${at!.at}' AS "isThere"`);
        return (row as { isThere: boolean }).isThere;
      });
    },
  };
}

const run = (data: string) => ({ cwd: data.replace(/\/data$/, ''), stdio: 'pipe' as const, ...user });

async function start(prepare: (data: string) => void): Promise<PrivateServer> {
  const directory = temporaryDirectory(user);
  const port = await freePort();
  prepare(`${directory}/data`);
  const own = ['-D', `${directory}/data`, '-p', String(port), '-h', HOST, '-k', directory];
  return startServer([postgres!, ...own, '-c', 'fsync=off'], { directory, port, ...user }, () =>
    answers(port),
  );
}

async function ask(port: number, statements: readonly string[]): Promise<object[]> {
  const client = new Client({ host: HOST, port, user: 'postgres', database: 'postgres' });
  client.on('error', () => undefined);
  await client.connect();
  try {
    let rows: object[] = [];
    for (const sql of statements) ({ rows } = await client.query<object>(sql));
    return rows;
  } finally {
    await client.end();
  }
}
