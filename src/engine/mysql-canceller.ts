/** Ends on the server what runs on a connection that is given up: MySQL goes on working when its client has gone. */
import { withDeadline } from './deadline.js';

/** What a KILL may take; a server that does not answer has other worries. */
const CANCEL_TIMEOUT_MS = 2_000;

/**
 * Only a thread that the server itself shows as ours: of this number and user, from this machine and this port. Behind a proxy
 * that the server sees instead of us there is none, and then nothing is killed.
 */
const IS_OURS =
  "SELECT id FROM information_schema.processlist WHERE id = ? AND user = SUBSTRING_INDEX(USER(), '@', 1) " +
  "AND host = CONCAT(SUBSTRING_INDEX(USER(), '@', -1), ?)";

interface Socket {
  readonly remoteAddress?: string;
  readonly remotePort?: number;
  readonly localPort?: number;
}

/** The parts of mysql2's connection that tell what runs where. */
export interface CancellableConnection {
  readonly threadId?: number | null;
  readonly config: object;
  readonly stream: Socket;
  query(sql: string, values: unknown[], answered: (error: Error | null, rows: unknown) => void): void;
  on(event: 'error', listener: () => void): void;
  destroy(): void;
}

export type OpenConnection = new (given: { config: object }) => CancellableConnection;

/** A thread, remembered while its connection is still open. */
interface Victim {
  readonly threadId: number;
  /** As the process list shows it behind the host. */
  readonly port: string;
  readonly server: string;
  readonly config: object;
}

export class MysqlCanceller {
  #victims: Victim[] = [];
  #isAtWork = false;

  constructor(private readonly Connection: OpenConnection | undefined) {}

  /** Returns at once; where it cannot be done the connection is closed all the same. */
  cancel({ threadId, stream, config }: CancellableConnection): void {
    if (typeof threadId !== 'number' || this.Connection === undefined) return;
    const port = stream.localPort === undefined ? '' : `:${stream.localPort}`;
    this.#victims.push({ threadId, port, server: serverOf(stream), config });
    if (!this.#isAtWork) void this.#work();
  }

  /** One connection beside the pool at a time, for all that have come up meanwhile. */
  async #work(): Promise<void> {
    this.#isAtWork = true;
    while (this.#victims.length > 0) {
      // Of one server at a time: there may be replicas.
      const { server } = this.#victims[0]!;
      const victims = this.#victims.filter((one) => one.server === server);
      this.#victims = this.#victims.filter((one) => one.server !== server);
      const side = new this.Connection!({ config: victims[0]!.config });
      side.on('error', () => undefined);
      const gone = (): Error => new Error('No answer to KILL.');
      // One after the other. oxlint-disable-next-line no-await-in-loop
      await withDeadline(killAll(side, victims), CANCEL_TIMEOUT_MS, gone, () => undefined).catch(
        () => undefined,
      );
      side.destroy();
    }
    this.#isAtWork = false;
  }
}

async function killAll(side: CancellableConnection, victims: readonly Victim[]): Promise<void> {
  for (const { threadId, port, server } of victims) {
    // In order, on one connection. oxlint-disable-next-line no-await-in-loop
    const ours = await ask(side, IS_OURS, [threadId, port]);
    if (server !== serverOf(side.stream) || !Array.isArray(ours) || ours.length !== 1) continue;
    // It may have ended by itself. oxlint-disable-next-line no-await-in-loop
    await ask(side, `KILL ${threadId}`, []).catch(() => undefined);
  }
}

function ask(side: CancellableConnection, sql: string, values: unknown[]): Promise<unknown> {
  return new Promise((resolve, reject) =>
    side.query(sql, values, (error, rows) => (error === null ? resolve(rows) : reject(error))),
  );
}

/** Where a connection leads; a name may lead to more than one server. */
function serverOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`;
}
