/** A MySQL-protocol server for the benchmark: the one that TEST_DATABASE_URL names, or a private one that is gone at the end. */
import { execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { accessSync, constants, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { createConnection } from 'mysql2/promise';

const HOST = '127.0.0.1';
const isRoot = process.getuid?.() === 0;

/**
 * Makes a database for this run.
 *
 * @returns {Promise<{ options: object, isPrivate: boolean, version: string, ask(sql: string): Promise<object[]>, drop(): Promise<void> }>}
 */
export async function makeDatabase() {
  const url = process.env['TEST_DATABASE_URL'];
  const server = url ? { address: addressOf(url), stop: async () => undefined } : await startPrivate();
  try {
    const name = `bench_${randomBytes(6).toString('hex')}`;
    const admin = await createConnection(server.address);
    await admin.query(`CREATE DATABASE ${name}`);
    await admin.query(`USE ${name}`);
    const ask = async (sql) => (await admin.query(sql))[0];
    const [{ version }] = await ask('SELECT VERSION() AS version');
    const { host, port, user: username, password } = server.address;
    return {
      options: { type: 'mariadb', host, port, username, password, database: name },
      isPrivate: !url,
      version: /maria/i.test(version) ? `MariaDB ${version.split('-')[0]}` : `MySQL ${version}`,
      ask,
      drop: async () => {
        await admin.query(`DROP DATABASE ${name}`);
        await admin.end();
        await server.stop();
      },
    };
  } catch (error) {
    await server.stop();
    throw error;
  }
}

function addressOf(url) {
  const { hostname, port, username, password } = new URL(url);
  return {
    host: hostname || HOST,
    port: Number(port || 3306),
    user: decodeURIComponent(username) || 'root',
    password: decodeURIComponent(password),
  };
}

async function startPrivate() {
  const program = findProgram(['mariadbd', 'mysqld']);
  if (program === undefined) {
    throw new Error(
      'The benchmark needs a MySQL-protocol server. Put mariadbd or mysqld on the PATH (Debian: apt install ' +
        'mariadb-server-core), or set TEST_DATABASE_URL=mysql+mysql2://root:password@host:3306/mysql.',
    );
  }
  const directory = mkdtempSync(join(tmpdir(), 'scoped-session-bench-'));
  const port = await freePort();
  initialize(program, directory);
  const asUser = isRoot ? ['--user=root'] : [];
  const own = [`--datadir=${directory}/data`, `--socket=${directory}/socket`, `--pid-file=${directory}/pid`];
  const fast = [
    '--innodb-flush-log-at-trx-commit=0',
    '--innodb-buffer-pool-size=64M',
    '--max-connections=300',
  ];
  const network = [`--port=${port}`, `--bind-address=${HOST}`];
  const child = spawn(program, ['--no-defaults', ...own, ...network, ...asUser, ...fast], {
    stdio: 'ignore',
  });
  const exited = new Promise((resolve) => child.once('exit', resolve));
  const kill = () => child.kill('SIGKILL');
  // Whatever ends the run must not leave a server behind.
  process.once('exit', kill);
  const stop = async () => {
    process.off('exit', kill);
    kill();
    await exited;
    rmSync(directory, { recursive: true, force: true });
  };
  const address = { host: HOST, port, user: 'root', password: '' };
  const until = performance.now() + 30_000;
  while (!(await answers(address))) {
    if (child.exitCode !== null || performance.now() > until) {
      await stop();
      throw new Error(`${program} did not start.`);
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return { address, stop };
}

function initialize(program, directory) {
  const installer = findProgram(['mariadb-install-db', 'mysql_install_db']);
  const asUser = isRoot ? ['--user=root'] : [];
  const place = ['--no-defaults', `--datadir=${directory}/data`, ...asUser];
  if (program.endsWith('mariadbd') && installer !== undefined) {
    const given = ['--auth-root-authentication-method=normal', '--skip-test-db'];
    execFileSync(installer, [...place, ...given], { stdio: 'pipe' });
  } else {
    execFileSync(program, [...place, '--initialize-insecure'], { stdio: 'pipe' });
  }
}

function findProgram(names) {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin'];
  return names.flatMap((name) => folders.map((folder) => join(folder, name))).find(isExecutable);
}

function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

async function freePort() {
  const server = createServer();
  await new Promise((resolve) => server.listen(0, HOST, resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function answers(address) {
  try {
    const connection = await createConnection(address);
    await connection.end();
    return true;
  } catch {
    return false;
  }
}
