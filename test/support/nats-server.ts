/** A private NATS for the tests of messages, where its program is installed; else those tests are skipped, and say so. */
import { ServerNats } from '@nestjs/microservices';
import { connect, createInbox, type NatsConnection } from 'nats';
import type { MessageClient } from './message-clients.js';
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
    await (await dial(port)).close();
    return true;
  } catch {
    return false;
  }
}

const dial = (port: number): Promise<NatsConnection> =>
  connect({ servers: `${HOST}:${port}`, reconnect: false });

/** Nest's server on the `nats` package; of its own accord it takes the package's successor. */
export class NatsStrategy extends ServerNats {
  constructor(private readonly port: number) {
    super({});
  }

  // Nest's type of it is that of the successor.
  override createNatsClient = (): Promise<never> => dial(this.port) as Promise<never>;
}

interface Packet {
  readonly err?: unknown;
  readonly response?: unknown;
  readonly isDisposed?: boolean;
}

/** Speaks as Nest's client does, whose package is the successor too. */
export class NatsClient implements MessageClient {
  private constructor(private readonly connection: NatsConnection) {}

  static async connect(port: number): Promise<NatsClient> {
    return new NatsClient(await dial(port));
  }

  async ask<T>(pattern: string, data: string): Promise<T> {
    let last: unknown;
    for await (const value of this.#replies(pattern, data)) last = value;
    return last as T;
  }

  async values(pattern: string, data: string, heard: (value: string) => void): Promise<string[]> {
    const all: string[] = [];
    for await (const value of this.#replies(pattern, data)) {
      const text = (value as { data: string }).data;
      all.push(text);
      heard(text);
    }
    return all;
  }

  tell(pattern: string, data: string): void {
    this.connection.publish(pattern, JSON.stringify({ pattern, data }));
  }

  async close(): Promise<void> {
    await this.connection.close();
  }

  async *#replies(pattern: string, data: string): AsyncGenerator {
    const reply = createInbox();
    const subscription = this.connection.subscribe(reply);
    this.connection.publish(pattern, JSON.stringify({ pattern, data, id: reply }), { reply });
    for await (const message of subscription) {
      const { err, response, isDisposed } = message.json<Packet>();
      // As Nest's client does: no instance of Error.
      if (err !== undefined && err !== null) throw err; // oxlint-disable-line typescript/only-throw-error
      if (response !== undefined) yield response;
      if (isDisposed === true) return;
    }
  }
}
