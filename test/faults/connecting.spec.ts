/** Connections that cannot be made: the unit of work that wants one is told in time, and the process goes on. */
import { createServer, type Server, type Socket } from 'node:net';
import { inspect } from 'node:util';
import { ConnectionUnavailableError, createEngine, PoolTimeoutError } from 'nestjs-scoped-session';
import { DataSource } from 'typeorm';
import { expect, it } from 'vitest';
import { engineOf } from '../../src/engine/index.js';
import { onEach, SERVERS } from '../support/databases.js';
import { throughProxy } from '../support/faulty-database.js';
import { type Ours, ours } from '../support/plain-and-ours.js';
import { waitUntil } from '../support/wait-until.js';

onEach(SERVERS, (shared) => {
  const database = throughProxy(shared);

  /** I11: whoever comes next is served. */
  const isServed = async ({ session }: Ours): Promise<void> => {
    expect(Number(await session.run(() => session.scalar('SELECT 1')))).toBe(1);
  };

  it('F02: that is refused fails its unit of work at once, and the next one is served', async () => {
    const test = await ours(database, { poolSize: 1 });
    await test.session.run(() => test.session.invalidate());
    await killIdle(test);
    database.proxy.refuse();
    const error: unknown = await test.session.run(() => test.session.scalar('SELECT 1')).catch((e) => e);
    expect(error).toBeInstanceOf(ConnectionUnavailableError);
    expect(error).toMatchObject({ retryable: true, cause: { code: 'ECONNREFUSED' } });
    expect((error as Error).message).toContain('ECONNREFUSED');
    expect((error as Error).message, 'no address of the inside').not.toContain(String(database.proxy.port));
    expect(engineOf(test.dataSource).status()).toMatchObject({ total: 0, active: 0, waiting: 0 });
    await database.proxy.heal();
    await isServed(test);
  });

  it('F03: that is never answered is given up after poolTimeoutMs, and its place is free again', async () => {
    const test = await ours(database, { poolSize: 1 });
    engineOf(test.dataSource).configure({ poolTimeoutMs: 200 });
    await killIdle(test);
    database.proxy.blackHole('toClient');
    await expect(test.session.run(() => test.session.scalar('SELECT 1'))).rejects.toThrow(PoolTimeoutError);
    await database.proxy.heal();
    await isServed(test);
  });

  it('F04: that is answered with garbage fails its unit of work, not the process', async () => {
    const garbage = createServer((socket) => {
      answerWith(socket, Buffer.from('GET / HTTP/1.1\r\nHost: not a database\r\n\r\n'));
    });
    await expect(open(garbage)).rejects.toThrow(Error);
  });

  it('F04: whose handshake ends in the middle fails its unit of work, not the process', async () => {
    const half = createServer((socket) => {
      answerWith(socket, Buffer.from([0x4a, 0x00, 0x00, 0x00, 0x0a, 0x31, 0x30]));
    });
    await expect(open(half)).rejects.toThrow(Error);
  });

  it('F23: that was to be encrypted and cannot be fails the boot, and the message has no secret', async () => {
    const options = database.options({ ssl: { rejectUnauthorized: true }, password: 'canary-password' });
    const engine = createEngine(new DataSource(options));
    const error: unknown = await engine.initialize().catch((reason: unknown) => reason);
    expect((error as Error).message).toMatch(/secure connection|SSL/);
    expect(inspect(error, { depth: 10 })).not.toContain('canary-password');
    expect(inspect(engine, { depth: 10 })).not.toContain('canary-password');
    await engine.dispose();
  });

  /** Kills the connections that the pool keeps, and waits until the pool knows. */
  async function killIdle(test: Ours): Promise<void> {
    await isServed(test);
    database.proxy.cut();
    await waitUntil('the pool has noticed', () => engineOf(test.dataSource).status().total === 0);
  }

  /** Says this and hangs up; pg would never hang up by itself. */
  function answerWith(socket: Socket, bytes: Buffer): void {
    socket.on('error', () => undefined);
    socket.end(bytes, () => socket.destroy());
  }

  async function open(server: Server): Promise<void> {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as { port: number };
    const engine = createEngine(new DataSource(database.options({ port })));
    try {
      await engine.initialize();
    } finally {
      await engine.dispose();
      await new Promise((resolve) => server.close(resolve));
    }
  }
});
