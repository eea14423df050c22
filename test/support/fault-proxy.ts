/** A TCP proxy in front of a database server, whose faults can be switched while it runs. */
import { connect, createServer, type Server, type Socket } from 'node:net';
import { Pipe } from './fault-pipe.js';

const HOST = '127.0.0.1';

/** Which bytes a black hole swallows. */
export type Direction = 'toServer' | 'toClient' | 'both';

/** One client's way to the server. */
export class ProxiedConnection {
  readonly toServer: Pipe;
  readonly toClient: Pipe;

  constructor(
    readonly client: Socket,
    readonly server: Socket,
  ) {
    this.toServer = new Pipe(client, server);
    this.toClient = new Pipe(server, client);
  }

  /** Tears both sides down at once (RST): what is on its way is lost. */
  cut(): void {
    for (const socket of [this.client, this.server]) {
      // A socket that has no connection yet has none to reset.
      if (socket.connecting) socket.destroy();
      else socket.resetAndDestroy();
    }
  }
}

/** What happens when a word of SQL comes by; see `once`. */
type Deed = (connection: ProxiedConnection) => void;

export class FaultProxy {
  readonly #connections = new Set<ProxiedConnection>();
  #listener: Server | undefined;
  #watched: { readonly word: string; readonly deed: Deed; readonly done: () => void }[] = [];
  #setUp: (connection: ProxiedConnection) => void = () => undefined;
  #port = 0;
  #recorded: Buffer[] | undefined;

  private constructor(private readonly targetPort: number) {}

  /** Listens on a free port of the loopback and passes everything on to `targetPort`. */
  static async inFrontOf(targetPort: number): Promise<FaultProxy> {
    const proxy = new FaultProxy(targetPort);
    await proxy.#listen();
    return proxy;
  }

  get port(): number {
    return this.#port;
  }

  /** How many clients are connected. */
  get size(): number {
    return this.#connections.size;
  }

  /** Everything that clients send from now on, in its pieces. */
  record(): Buffer[] {
    return (this.#recorded = []);
  }

  // --- faults that last until heal(); connections that are made later have them too ---

  /** Every piece of data comes this much later; with `jitterMs`, up to that much more. */
  delay(milliseconds: number, jitterMs = 0): void {
    this.#always(({ toServer, toClient }) => {
      for (const pipe of [toServer, toClient]) pipe.delay = { milliseconds, jitterMs };
    });
  }

  /** Answers come in pieces, this many bytes a second. */
  throttle(bytesPerSecond: number): void {
    this.#always(({ toClient }) => (toClient.bytesPerSecond = bytesPerSecond));
  }

  /** Nothing arrives, and no side is told. What was sent meanwhile arrives after heal(), as TCP sends it again. */
  blackHole(direction: Direction = 'both'): void {
    this.#always(({ toServer, toClient }) => {
      if (direction !== 'toClient') toServer.hold();
      if (direction !== 'toServer') toClient.hold();
    });
  }

  /** The connections that there are lead nowhere any more, as when a firewall forgot them; new ones pass. */
  strand(): void {
    for (const { toServer, toClient } of this.#connections) {
      toServer.hold();
      toClient.hold();
    }
  }

  /** Nobody listens any more: new clients are refused, those that are connected stay. */
  refuse(): void {
    this.#listener?.close();
    this.#listener = undefined;
  }

  /** From now on everything passes as it came. */
  async heal(): Promise<void> {
    this.#watched = [];
    this.#always(({ toServer, toClient }) => {
      toServer.heal();
      toClient.heal();
    });
    this.#setUp = () => undefined;
    if (this.#listener === undefined) await this.#listen();
  }

  // --- faults of a moment ---

  /** Tears down every connection that there is. */
  cut(): void {
    for (const connection of this.#connections) connection.cut();
  }

  /** Ends the server's side of every connection (FIN), and leaves the client's side open. */
  halfClose(): void {
    for (const { client } of this.#connections) client.end();
  }

  // --- faults at a word of SQL ---

  /**
   * Does `deed` when a client next sends `word`, before the word is passed on. Statements of the text protocol are read as
   * they are; a word is found as long as it lies in one packet, which words of short statements do.
   */
  once(word: string, deed: Deed): Promise<void> {
    return new Promise((done) => this.#watched.push({ word, deed, done }));
  }

  /** Tears the connection down when `word` comes by: the server never sees it. */
  cutBefore(word: string): Promise<void> {
    return this.once(word, (connection) => connection.cut());
  }

  /** Passes `word` on, and tears the connection down instead of passing the answer back: the server has done it. */
  cutAfter(word: string): Promise<void> {
    return new Promise((done) => {
      void this.once(word, (connection) => {
        connection.toClient.onData = () => {
          connection.cut();
          done();
          return 'lost';
        };
      });
    });
  }

  /** Passes `word` on, and nothing of what the server answers, without telling anybody. */
  async blackHoleAfter(word: string): Promise<void> {
    await this.once(word, ({ toClient }) => toClient.hold());
  }

  async close(): Promise<void> {
    this.cut();
    const listener = this.#listener;
    if (listener !== undefined) await new Promise((resolve) => listener.close(resolve));
  }

  #always(change: (connection: ProxiedConnection) => void): void {
    const before = this.#setUp;
    this.#setUp = (connection) => {
      before(connection);
      change(connection);
    };
    for (const connection of this.#connections) change(connection);
  }

  async #listen(): Promise<void> {
    // A side that was ended stays open for the other direction: a half-closed connection is one of the faults.
    const listener = createServer({ allowHalfOpen: true, noDelay: true }, (client) => this.#join(client));
    this.#listener = listener;
    await new Promise<void>((resolve, reject) => {
      listener.once('error', reject);
      listener.listen(this.#port, HOST, resolve);
    });
    this.#port = (listener.address() as { port: number }).port;
  }

  #join(client: Socket): void {
    const server = connect({ port: this.targetPort, host: HOST, allowHalfOpen: true, noDelay: true });
    const connection = new ProxiedConnection(client, server);
    this.#connections.add(connection);
    connection.toServer.onData = (chunk) => this.#look(connection, chunk);
    this.#setUp(connection);
    for (const socket of [client, server])
      socket.once('close', () => {
        if (client.destroyed && server.destroyed) this.#connections.delete(connection);
      });
  }

  #look(connection: ProxiedConnection, chunk: Buffer): void {
    this.#recorded?.push(chunk);
    const met = this.#watched.find(({ word }) => chunk.includes(word));
    if (met === undefined) return;
    this.#watched = this.#watched.filter((one) => one !== met);
    met.deed(connection);
    met.done();
  }
}
