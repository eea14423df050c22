/** A MySQL-protocol server for the tests: the one that TEST_DATABASE_URL names, a private one, an installed one, Docker's. */
import { execFileSync, spawnSync } from 'node:child_process';
import { createConnection } from 'mysql2/promise';
import {
  findProgram,
  freePort,
  isRoot,
  type PrivateServer,
  startServer,
  temporaryDirectory,
} from './private-server.js';

export interface ServerAddress {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
}

export interface TestServer {
  readonly address: ServerAddress;
  stop(): Promise<void>;
}

const HOST = '127.0.0.1';

export async function mysqlServer(): Promise<TestServer> {
  const url = process.env['TEST_DATABASE_URL'];
  if (url !== undefined && url !== '') return { address: addressOf(url), stop: async () => undefined };
  const program = findServer() ?? install();
  if (program !== undefined) {
    const server = await startPrivate(program);
    return { address: { host: HOST, port: server.port, user: 'root', password: '' }, stop: server.stop };
  }
  const container = await startContainer();
  if (container !== undefined) return container;
  throw new Error(
    'The tests need a MySQL-protocol server. Put mariadbd or mysqld on the PATH (Debian: apt install ' +
      'mariadb-server-core), start Docker, or set TEST_DATABASE_URL=mysql+mysql2://root:password@host:3306/mysql to an ' +
      'empty server on which databases and users may be made.',
  );
}

function addressOf(url: string): ServerAddress {
  const { hostname, port, username, password } = new URL(url);
  return {
    host: hostname || HOST,
    port: Number(port || 3306),
    user: decodeURIComponent(username) || 'root',
    password: decodeURIComponent(password),
  };
}

const findServer = (): string | undefined => findProgram(['mariadbd', 'mysqld']);

/** A server of the caller's own, for faults that its neighbours would feel: those need the server's program. */
export async function ownMysqlServer(settings: readonly string[] = []): Promise<PrivateServer> {
  const program = findServer() ?? install();
  if (program !== undefined) return startPrivate(program, settings);
  throw new Error('Faults of a server need mariadbd or mysqld on the PATH (Debian: mariadb-server-core).');
}

/** The server's files without a service; said aloud, for it changes the machine. */
function install(): string | undefined {
  const aptGet = findProgram(['apt-get']);
  if (process.env['TEST_INSTALL_DATABASE'] === '0' || !isRoot || aptGet === undefined) return undefined;
  console.warn(
    'No MariaDB was found: installing the package mariadb-server-core (TEST_INSTALL_DATABASE=0 forbids it).',
  );
  const environment = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  for (const given of [['update'], ['install', '-y', '--no-install-recommends', 'mariadb-server-core']]) {
    const { status } = spawnSync(aptGet, given, { env: environment, stdio: ['ignore', 'ignore', 'inherit'] });
    if (status !== 0) return undefined;
  }
  return findServer();
}

/** @param settings - further options of the server, such as `--innodb-lock-wait-timeout=1` */
async function startPrivate(program: string, settings: readonly string[] = []): Promise<PrivateServer> {
  const directory = temporaryDirectory();
  const port = await freePort();
  const data = `${directory}/data`;
  // A server that starts clears its folder of everybody's temporary tables: no two may share one.
  const places = [`--datadir=${data}`, `--tmpdir=${directory}`];
  const asUser = isRoot ? ['--user=root'] : [];
  const installer = findProgram(['mariadb-install-db', 'mysql_install_db']);
  if (program.endsWith('mariadbd') && installer !== undefined) {
    const given = ['--no-defaults', ...places, '--auth-root-authentication-method=normal', '--skip-test-db'];
    execFileSync(installer, [...given, ...asUser], { stdio: 'pipe' });
  } else {
    execFileSync(program, ['--no-defaults', '--initialize-insecure', ...places, ...asUser], {
      stdio: 'pipe',
    });
  }
  const fast = [
    '--innodb-flush-log-at-trx-commit=0',
    '--innodb-buffer-pool-size=64M',
    '--max-connections=300',
  ];
  const own = [...places, `--socket=${directory}/socket`, `--pid-file=${directory}/pid`];
  return startServer(
    [
      program,
      '--no-defaults',
      ...own,
      `--port=${port}`,
      `--bind-address=${HOST}`,
      ...asUser,
      ...fast,
      ...settings,
    ],
    { directory, port },
    () => answers({ host: HOST, port, user: 'root', password: '' }),
  );
}

async function answers({ host, port, user, password }: ServerAddress): Promise<boolean> {
  try {
    const connection = await createConnection({ host, port, user, password });
    await connection.end();
    return true;
  } catch {
    return false;
  }
}

async function startContainer(): Promise<TestServer | undefined> {
  const docker = findProgram(['docker']);
  if (docker === undefined || spawnSync(docker, ['info'], { stdio: 'ignore' }).status !== 0) return undefined;
  const port = await freePort();
  const given = [
    'run',
    '--rm',
    '-d',
    '-p',
    `${HOST}:${port}:3306`,
    '-e',
    'MARIADB_ALLOW_EMPTY_ROOT_PASSWORD=1',
    'mariadb:10.11',
  ];
  const id = execFileSync(docker, given, { stdio: 'pipe' }).toString().trim();
  const address = { host: HOST, port, user: 'root', password: '' };
  const until = Date.now() + 60_000;
  while (!(await answers(address))) {
    if (Date.now() > until) throw new Error('The MariaDB container did not start.');
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
  return { address, stop: async () => void execFileSync(docker, ['rm', '-f', id], { stdio: 'pipe' }) };
}
