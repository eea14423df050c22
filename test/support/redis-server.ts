/** A private Redis for the tests of messages, where its program is installed; else those tests are skipped, and say so. */
import { Redis } from 'ioredis';
import {
  findProgram,
  freePort,
  type PrivateServer,
  startServer,
  temporaryDirectory,
} from './private-server.js';

const HOST = '127.0.0.1';
const program = findProgram(['redis-server', 'valkey-server']);
if (program === undefined) {
  console.warn('SKIPPED: no redis-server was found; the tests of messages over Redis do not run.');
}

export const hasRedis = program !== undefined;

export async function redisServer(): Promise<PrivateServer> {
  const port = await freePort();
  const directory = temporaryDirectory();
  const given = [
    '--port',
    String(port),
    '--bind',
    HOST,
    '--dir',
    directory,
    '--save',
    '',
    '--appendonly',
    'no',
  ];
  return startServer([program!, ...given], { directory, port }, () => answers(port));
}

async function answers(port: number): Promise<boolean> {
  const client = new Redis({ host: HOST, port, lazyConnect: true, retryStrategy: () => null });
  client.on('error', () => undefined);
  try {
    await client.connect();
    await client.ping();
    return true;
  } catch {
    return false;
  } finally {
    client.disconnect();
  }
}
