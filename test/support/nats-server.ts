/** A private NATS for the tests of messages, where its program is installed; else those tests are skipped, and say so. */
import { connect } from '@nats-io/transport-node';
import {
  findProgram,
  freePort,
  type PrivateServer,
  startServer,
  temporaryDirectory,
} from './private-server.js';

const HOST = '127.0.0.1';
const program = findProgram(['nats-server']);
if (program === undefined) {
  console.warn('SKIPPED: no nats-server was found; the tests of messages over NATS do not run.');
}

export const hasNats = program !== undefined;

export async function natsServer(): Promise<PrivateServer> {
  const port = await freePort();
  const directory = temporaryDirectory();
  return startServer([program!, '-a', HOST, '-p', String(port)], { directory, port }, () => answers(port));
}

async function answers(port: number): Promise<boolean> {
  try {
    await (await connect({ servers: `${HOST}:${port}`, reconnect: false })).close();
    return true;
  } catch {
    return false;
  }
}
