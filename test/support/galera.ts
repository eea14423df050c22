/** A Galera cluster of three MariaDB servers on this machine, where the programs for it are; else its tests are skipped, aloud. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, chownSync } from 'node:fs';
import { afterAll, beforeAll } from 'vitest';
import { askServer } from './mariadb-admin.js';
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

const PROVIDERS = [
  '/usr/lib/galera/libgalera_smm.so',
  '/usr/lib64/galera/libgalera_smm.so',
  '/usr/lib/libgalera_smm.so',
  '/usr/lib64/galera-4/libgalera_smm.so',
];

/** What of it there is; state transfers run as a user of their own, for rsync gives root's rights up. */
const provider = PROVIDERS.find((path) => existsSync(path));
const server = findProgram(['mariadbd']);
const installer = findProgram(['mariadb-install-db']);
const user = isRoot ? (userIds('mysql') ?? userIds('nobody')) : undefined;

const MISSING = Object.entries({
  mariadbd: server,
  'mariadb-install-db': installer,
  'the library galera-4 (libgalera_smm.so)': provider,
  wsrep_sst_rsync: findProgram(['wsrep_sst_rsync']),
  rsync: findProgram(['rsync']),
  'lsof, or ss': findProgram(['lsof', 'ss'], ['/bin', '/sbin']),
  'a user mysql or nobody': isRoot ? user : 'ourselves',
}).flatMap(([name, found]) => (found === undefined ? [name] : []));

/** Why there can be no cluster here. */
export const noGalera = MISSING.length === 0 ? undefined : `not found: ${MISSING.join('; ')}`;
if (noGalera !== undefined)
  console.warn(
    `SKIPPED: the tests on a Galera cluster do not run, ${noGalera} (Debian: apt install mariadb-server-core galera-4 rsync lsof).`,
  );

export interface Galera {
  /** The first one has founded the cluster, and is not to be killed. */
  readonly nodes: readonly PrivateServer[];
  /** Resolves when every node is there and has what the others have. */
  synced(): Promise<void>;
}

const NODES = 3;
/** Who does not answer is thought dead soon: nobody waits here for a slow network. */
const SOON =
  'evs.keepalive_period=PT0.2S;evs.inactive_check_period=PT0.2S;evs.suspect_timeout=PT1S;evs.inactive_timeout=PT2S;evs.install_timeout=PT2S';

/** Starts the cluster before the tests of this file. */
export function useGalera(): Galera {
  let nodes: PrivateServer[] = [];
  beforeAll(async () => {
    const places = await Promise.all(Array.from({ length: NODES }, placeOfNode));
    const address = `gcomm://${places.map(({ group }) => `127.0.0.1:${group}`).join()}`;
    install(places[0]!.directory);
    // One after the other: each takes its data from one that is there.
    nodes = [];
    for (const place of places) nodes.push(await startNode(place, address, nodes.length === 0));
  });
  afterAll(async () => {
    for (const node of nodes) await node.stop();
  });
  return {
    get nodes() {
      return nodes;
    },
    synced: async () => {
      for (const { port } of nodes)
        await waitUntil(
          'the node has what the others have',
          async () => (await isReady(port)) && (await status(port, 'wsrep_cluster_size')) === String(NODES),
          30_000,
        );
      // Reads there wait for everything that was committed anywhere before.
      for (const { port } of nodes)
        await askServer(port, 'SET SESSION wsrep_sync_wait = 1', 'SELECT 1 FROM mysql.user LIMIT 1');
    },
  };
}

interface NodePlace {
  readonly directory: string;
  readonly port: number;
  /** Of the group's own talk, of a whole copy of the data, and of what a node has missed. */
  readonly group: number;
  readonly copy: number;
  readonly missed: number;
}

async function placeOfNode(): Promise<NodePlace> {
  const [port, group, copy, missed] = await Promise.all([freePort(), freePort(), freePort(), freePort()]);
  const directory = temporaryDirectory(user);
  mkdirSync(`${directory}/data`);
  if (user !== undefined) chownSync(`${directory}/data`, user.uid, user.gid);
  return { directory, port, group, copy, missed };
}

function install(directory: string): void {
  const given = ['--no-defaults', `--datadir=${directory}/data`, `--tmpdir=${directory}`];
  const access = ['--auth-root-authentication-method=normal', '--skip-test-db'];
  execFileSync(installer!, [...given, ...access], { cwd: directory, stdio: 'pipe', ...user });
}

function startNode(place: NodePlace, address: string, isFirst: boolean): Promise<PrivateServer> {
  const { directory, port, group, copy, missed } = place;
  const own = `base_port=${group};gmcast.listen_addr=tcp://127.0.0.1:${group};ist.recv_addr=127.0.0.1:${missed}`;
  const command = [
    '--no-defaults',
    `--datadir=${directory}/data`,
    `--tmpdir=${directory}`,
    `--socket=${directory}/socket`,
    `--pid-file=${directory}/pid`,
    `--port=${port}`,
    '--bind-address=127.0.0.1',
    '--innodb-buffer-pool-size=16M',
    '--innodb-flush-log-at-trx-commit=0',
    '--innodb-autoinc-lock-mode=2',
    '--binlog-format=ROW',
    '--wsrep-on=ON',
    `--wsrep-provider=${provider}`,
    '--wsrep-cluster-name=scoped-session',
    `--wsrep-node-name=node-${port}`,
    '--wsrep-node-address=127.0.0.1',
    `--wsrep-cluster-address=${address}`,
    '--wsrep-sst-method=rsync',
    `--wsrep-sst-receive-address=127.0.0.1:${copy}`,
    `--wsrep-provider-options=${own};gcache.size=32M;${SOON}`,
    ...(isFirst ? ['--wsrep-new-cluster'] : []),
  ];
  return startServer([server!, ...command], { directory, port, ...user }, () => isReady(port));
}

async function status(port: number, name: string): Promise<string | undefined> {
  const [row] = await askServer<{ Value: string }>(port, `SHOW STATUS LIKE '${name}'`);
  return row?.Value;
}

async function isReady(port: number): Promise<boolean> {
  try {
    return (await status(port, 'wsrep_ready')) === 'ON' && (await status(port, 'wsrep_local_state')) === '4';
  } catch {
    return false;
  }
}
