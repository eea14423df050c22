/** A private PostgreSQL for the tests, where its programs are installed; else those tests are skipped, and say so. */
import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { Client } from 'pg';
import type { TestServer } from './mariadb-server.js';
import { findProgram, freePort, isRoot, startServer, temporaryDirectory, userIds } from './private-server.js';

const HOST = '127.0.0.1';

export async function postgresServer(): Promise<TestServer | undefined> {
  const places = installations();
  const [initdb, postgres] = [findProgram(['initdb'], places), findProgram(['postgres'], places)];
  // PostgreSQL refuses to run as root.
  const user = isRoot ? (userIds('postgres') ?? userIds('nobody')) : undefined;
  if (initdb === undefined || postgres === undefined || (isRoot && user === undefined)) {
    console.warn('SKIPPED: no PostgreSQL programs were found; the tests on PostgreSQL do not run.');
    return undefined;
  }
  const directory = temporaryDirectory(user);
  const port = await freePort();
  const data = `${directory}/data`;
  const options = { cwd: directory, stdio: 'pipe' as const, ...user };
  execFileSync(initdb, ['-D', data, '-U', 'postgres', '--auth=trust', '--no-sync', '-E', 'UTF8'], options);
  const fast = ['-c', 'fsync=off', '-c', 'synchronous_commit=off', '-c', 'max_connections=200'];
  const own = ['-D', data, '-p', String(port), '-h', HOST, '-k', directory];
  const server = await startServer([postgres, ...own, ...fast], { directory, port, ...user }, () =>
    answers(port),
  );
  return { address: { host: HOST, port, user: 'postgres', password: '' }, stop: server.stop };
}

/** Debian keeps the server's programs out of the PATH. */
export function installations(): string[] {
  try {
    return readdirSync('/usr/lib/postgresql').map((version) => `/usr/lib/postgresql/${version}/bin`);
  } catch {
    return [];
  }
}

export async function answers(port: number): Promise<boolean> {
  const client = new Client({ host: HOST, port, user: 'postgres', database: 'postgres' });
  client.on('error', () => undefined);
  try {
    await client.connect();
    await client.end();
    return true;
  } catch {
    return false;
  }
}
