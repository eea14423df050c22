/** The fault proxy: what it does to bytes, in each of its modes. */
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { FaultProxy } from '../support/fault-proxy.js';
import { waitUntil } from '../support/wait-until.js';

/** A server that answers everything with the same in capitals. */
let server: Server;
let proxy: FaultProxy;
let arrived = '';
const serverSide = new Set<Socket>();
const clients: Socket[] = [];

beforeEach(async () => {
  arrived = '';
  server = createServer((socket) => {
    serverSide.add(socket);
    socket.on('error', () => undefined).on('close', () => serverSide.delete(socket));
    socket.on('data', (chunk) => {
      arrived += chunk.toString();
      socket.write(chunk.toString().toUpperCase());
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  proxy = await FaultProxy.inFrontOf((server.address() as { port: number }).port);
});

afterEach(async () => {
  await proxy.close();
  for (const socket of [...clients.splice(0), ...serverSide]) socket.destroy();
  await new Promise((resolve) => server.close(resolve));
});

interface Client {
  readonly socket: Socket;
  readonly answers: string;
  readonly end: string | undefined;
}

async function client(): Promise<Client> {
  const socket = connect({ port: proxy.port, host: '127.0.0.1', allowHalfOpen: true });
  clients.push(socket);
  const state = { socket, answers: '', end: undefined as string | undefined };
  socket.on('data', (chunk) => (state.answers += chunk.toString()));
  socket.on('error', (error) => (state.end = (error as { code?: string }).code));
  socket.on('end', () => (state.end ??= 'end'));
  socket.on('close', () => (state.end ??= 'close'));
  await once(socket, 'connect');
  return state;
}

const answered = (one: Client, text: string): Promise<void> =>
  waitUntil(`the answer ${text}`, () => one.answers === text);
const ended = (one: Client, how: string): Promise<void> => waitUntil(`the end ${how}`, () => one.end === how);

it('passes bytes on, both ways, and the end', async () => {
  const one = await client();
  one.socket.write('hello');
  await answered(one, 'HELLO');
  expect(proxy.size).toBe(1);
  one.socket.end();
  await waitUntil('the connection is gone', () => proxy.size === 0);
});

it('delays, and keeps the order', async () => {
  proxy.delay(5, 20);
  const one = await client();
  for (const letter of 'abcdef') {
    one.socket.write(letter);
    await new Promise(setImmediate);
  }
  await answered(one, 'ABCDEF');
});

it('throttles answers', async () => {
  proxy.throttle(1_000);
  const one = await client();
  let pieces = 0;
  one.socket.on('data', () => (pieces += 1));
  one.socket.write('x'.repeat(400));
  await answered(one, 'X'.repeat(400));
  expect(pieces).toBeGreaterThan(1);
});

it('swallows what is sent, and delivers it when it heals', async () => {
  const one = await client();
  proxy.blackHole();
  const seen = ['late', 'also'].map((word) => proxy.once(word, () => undefined));
  one.socket.write('late');
  const other = await client();
  other.socket.write('also');
  await Promise.all(seen);
  expect([arrived, one.answers, one.end]).toEqual(['', '', undefined]);
  await proxy.heal();
  await answered(one, 'LATE');
  await answered(other, 'ALSO');
});

it('swallows answers alone', async () => {
  const one = await client();
  proxy.blackHole('toClient');
  one.socket.write('word');
  await waitUntil('it arrived', () => arrived === 'word');
  expect(one.answers).toBe('');
  await proxy.heal();
  await answered(one, 'WORD');
});

it('swallows what is sent to the server alone', async () => {
  const one = await client();
  one.socket.write('a');
  await answered(one, 'A');
  proxy.blackHole('toServer');
  one.socket.write('b');
  for (const socket of serverSide) socket.write('unasked');
  await answered(one, 'Aunasked');
  expect(arrived).toBe('a');
});

it('strands those that there are, and lets new ones pass', async () => {
  const one = await client();
  const seen = proxy.once('lost', () => undefined);
  one.socket.write('found');
  await answered(one, 'FOUND');
  proxy.strand();
  one.socket.write('lost');
  const other = await client();
  other.socket.write('passes');
  await answered(other, 'PASSES');
  await seen;
  expect([one.answers, one.end]).toEqual(['FOUND', undefined]);
});

it('cuts before a word is passed on', async () => {
  const [one, other] = [await client(), await client()];
  const cut = proxy.cutBefore('COMMIT');
  one.socket.write('INSERT');
  await answered(one, 'INSERT');
  one.socket.write('COMMIT');
  await cut;
  await ended(one, 'ECONNRESET');
  expect(arrived).toBe('INSERT');
  other.socket.write('still here');
  await answered(other, 'STILL HERE');
});

it('cuts after a word was passed on, before its answer is', async () => {
  const one = await client();
  const cut = proxy.cutAfter('commit');
  one.socket.write('commit');
  await cut;
  await ended(one, 'ECONNRESET');
  expect([arrived, one.answers]).toEqual(['commit', '']);
});

it('swallows the answer to a word', async () => {
  const one = await client();
  const seen = proxy.blackHoleAfter('commit');
  one.socket.write('commit');
  await seen;
  await waitUntil('it arrived', () => arrived === 'commit');
  expect([one.answers, one.end]).toEqual(['', undefined]);
});

it('cuts all that there are', async () => {
  const one = await client();
  one.socket.write('a');
  await answered(one, 'A');
  proxy.cut();
  await ended(one, 'ECONNRESET');
  await waitUntil('no connection is left', () => proxy.size === 0 && serverSide.size === 0);
});

it('closes one half: the client hears the end and can still send', async () => {
  const one = await client();
  one.socket.write('a');
  await answered(one, 'A');
  proxy.halfClose();
  await ended(one, 'end');
  one.socket.write('b');
  await waitUntil('it arrived', () => arrived === 'ab');
});

it('refuses new clients, and takes them on the same port after it healed', async () => {
  const one = await client();
  const { port } = proxy;
  proxy.refuse();
  await expect(client()).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  one.socket.write('still here');
  await answered(one, 'STILL HERE');
  await proxy.heal();
  expect(proxy.port).toBe(port);
  await client();
});

it('closes with all its connections, and again without complaint', async () => {
  const one = await client();
  await proxy.close();
  await ended(one, 'ECONNRESET');
  await proxy.close();
});
