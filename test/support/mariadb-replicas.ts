/** A MariaDB primary with replicas that apply its log, late or not at all where a test holds them still. */
import { afterAll, beforeAll } from 'vitest';
import type { DataSourceOptions } from 'typeorm';
import { type TestDatabase, useDatabase } from './databases.js';
import { askServer } from './mariadb-admin.js';
import { ownMysqlServer } from './mariadb-server.js';
import { findProgram, type PrivateServer } from './private-server.js';
import { waitUntil } from './wait-until.js';

/** Why there can be no replicas here: their words are MariaDB's. */
export const noReplicas = findProgram(['mariadbd']) === undefined ? 'not found: mariadbd' : undefined;
if (noReplicas !== undefined)
  console.warn(
    `SKIPPED: the tests on MariaDB replicas do not run, ${noReplicas} (Debian: apt install mariadb-server-core).`,
  );

export interface ReplicatedMariadb extends TestDatabase {
  readonly primary: PrivateServer;
  readonly replicas: readonly PrivateServer[];
  /** From now on the replicas take the log and apply nothing of it. */
  hold(): Promise<void>;
  /** They go on where they were. */
  release(): Promise<void>;
  /** From now on they apply what the primary did so many seconds ago. */
  delay(seconds: number): Promise<void>;
  /** Resolves when every replica that runs has what the primary has. */
  caughtUp(): Promise<void>;
}

const COMMON = ['--binlog-format=ROW', '--gtid-strict-mode=1', '--innodb-buffer-pool-size=16M'];

/** @param count - how many replicas; their server ids are 2, 3, … and the primary's is 1 */
export function useReplicatedMariadb(count: number): ReplicatedMariadb {
  let primary: PrivateServer;
  let replicas: PrivateServer[] = [];
  beforeAll(async () => {
    primary = await ownMysqlServer([...COMMON, '--server-id=1', '--log-bin=log']);
    replicas = await Promise.all(
      Array.from({ length: count }, (_, place) => ownMysqlServer([...COMMON, `--server-id=${place + 2}`])),
    );
    await onAll(
      "SET GLOBAL gtid_slave_pos = ''",
      `CHANGE MASTER TO MASTER_HOST = '127.0.0.1', MASTER_PORT = ${primary.port}, MASTER_USER = 'root', ` +
        'MASTER_USE_GTID = slave_pos, MASTER_CONNECT_RETRY = 1',
      'START SLAVE',
    );
  });
  const onAll = async (...statements: string[]): Promise<void> => {
    for (const { port } of replicas) await askServer(port, ...statements);
  };
  // Hooks that were registered first come last: the database is dropped before.
  afterAll(async () => {
    for (const server of [...replicas, primary]) await server.stop();
  });
  const place = { host: '127.0.0.1', user: 'root', password: '' };
  const database = useDatabase('mariadb', () => ({ ...place, port: primary.port }));
  const caughtUp = async (): Promise<void> => {
    const [at] = await askServer<{ at: string }>(primary.port, 'SELECT @@gtid_binlog_pos AS at');
    for (const { port } of replicas)
      await waitUntil(
        'the replica has what the primary has',
        async () =>
          (await askServer<{ at: string }>(port, 'SELECT @@gtid_slave_pos AS at'))[0]!.at === at!.at,
        20_000,
      );
  };
  return {
    ...database,
    options: (more) =>
      ({
        type: 'mariadb',
        database: database.user,
        replication: {
          master: database.options(),
          slaves: replicas.map(({ port }) => ({ ...database.options(), port })),
        },
        ...more,
      }) as unknown as DataSourceOptions,
    get primary() {
      return primary;
    },
    get replicas() {
      return replicas;
    },
    hold: () => onAll('STOP SLAVE SQL_THREAD'),
    release: () => onAll('START SLAVE SQL_THREAD'),
    delay: (seconds) => onAll('STOP SLAVE', `CHANGE MASTER TO MASTER_DELAY = ${seconds}`, 'START SLAVE'),
    caughtUp,
  };
}
