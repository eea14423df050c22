/** Real clients of messages, all with the same few words: what a test of several transports asks them. */
import type { ClientProxy } from '@nestjs/microservices';
import { lastValueFrom, tap, toArray } from 'rxjs';
import { io, type Socket } from 'socket.io-client';
import { WebSocket } from 'ws';

export interface MessageClient {
  /** Resolves with the reply, rejects with what the client is told of the error. */
  ask<T = unknown>(pattern: string, data: string): Promise<T>;
  /** The values of a reply that streams two, each told as it comes. */
  values(pattern: string, data: string, heard: (value: string) => void): Promise<string[]>;
  /** Waits for no reply. */
  tell(pattern: string, data: string): void;
  /** Hangs up, whatever is under way. */
  close(): Promise<void>;
}

interface Value {
  readonly data: string;
}

/** Over TCP and brokers: Nest's own. */
export class RpcClient implements MessageClient {
  constructor(private readonly proxy: ClientProxy) {}

  ask<T>(pattern: string, data: string): Promise<T> {
    return lastValueFrom(this.proxy.send<T>(pattern, data));
  }

  async values(pattern: string, data: string, heard: (value: string) => void): Promise<string[]> {
    const answers = this.proxy.send<Value>(pattern, data).pipe(tap((value) => heard(value.data)));
    return (await lastValueFrom(answers.pipe(toArray()))).map((value) => value.data);
  }

  tell(pattern: string, data: string): void {
    this.proxy.emit(pattern, data);
  }

  async close(): Promise<void> {
    await (this.proxy.close() as unknown);
  }
}

type Reply = { readonly value: unknown } | { readonly error: object };

/** Replies of sockets carry no number: they go to those who wait in turn, or wait themselves. */
class Replies {
  readonly #here: Reply[] = [];
  readonly #waiting: ((reply: Reply) => void)[] = [];

  async next<T>(): Promise<T> {
    const reply = this.#here.shift() ?? (await new Promise<Reply>((resolve) => this.#waiting.push(resolve)));
    // As clients of microservices are told: no instance of Error.
    if ('error' in reply) throw reply.error; // oxlint-disable-line typescript/only-throw-error
    return reply.value as T;
  }

  add(reply: Reply): void {
    const waiting = this.#waiting.shift();
    if (waiting === undefined) this.#here.push(reply);
    else waiting(reply);
  }
}

export class WsClient implements MessageClient {
  readonly #replies = new Replies();

  private constructor(private readonly socket: WebSocket) {
    socket.on('message', (text: Buffer) => {
      const answer = JSON.parse(text.toString()) as { event?: string; data: object };
      if (answer.event === 'exception') this.#replies.add({ error: answer.data });
      else this.#replies.add({ value: answer });
    });
  }

  static async connect(url: string): Promise<WsClient> {
    const socket = new WebSocket(url.replace('http', 'ws'));
    await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
    return new WsClient(socket);
  }

  ask<T>(pattern: string, data: string): Promise<T> {
    this.tell(pattern, data);
    return this.#replies.next<T>();
  }

  async values(pattern: string, data: string, heard: (value: string) => void): Promise<string[]> {
    const first = (await this.ask<Value>(pattern, data)).data;
    heard(first);
    return [first, (await this.#replies.next<Value>()).data];
  }

  tell(pattern: string, data: string): void {
    this.socket.send(JSON.stringify({ event: pattern, data }));
  }

  async close(): Promise<void> {
    if (this.socket.readyState === WebSocket.CLOSED) return;
    const closed = new Promise((resolve) => this.socket.once('close', resolve));
    this.socket.terminate();
    await closed;
  }
}

export class SocketIoClient implements MessageClient {
  readonly #replies = new Replies();

  private constructor(private readonly socket: Socket) {
    socket.on('exception', (error: object) => this.#replies.add({ error }));
    socket.on('value', (data: string) => this.#replies.add({ value: { data } }));
  }

  static async connect(url: string): Promise<SocketIoClient> {
    const socket = io(url, { transports: ['websocket'], forceNew: true, reconnection: false });
    await new Promise<void>((resolve, reject) =>
      socket.once('connect', resolve).once('connect_error', reject),
    );
    return new SocketIoClient(socket);
  }

  /** Told by an acknowledgement, or by one of the events that handlers send. */
  ask<T>(pattern: string, data: string): Promise<T> {
    this.socket.emit(pattern, data, (value: unknown) => this.#replies.add({ value }));
    return this.#replies.next<T>();
  }

  /** The next of what it is told, whoever waits. */
  reply<T>(): Promise<T> {
    return this.#replies.next<T>();
  }

  async values(pattern: string, data: string, heard: (value: string) => void): Promise<string[]> {
    this.tell(pattern, data);
    const first = (await this.#replies.next<Value>()).data;
    heard(first);
    return [first, (await this.#replies.next<Value>()).data];
  }

  tell(pattern: string, data: string): void {
    this.socket.emit(pattern, data);
  }

  close(): Promise<void> {
    this.socket.disconnect();
    return Promise.resolve();
  }
}
