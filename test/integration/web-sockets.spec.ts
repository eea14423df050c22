/** What only sockets have: acknowledgements by hand, hooks without a message, and clients that hang up. */
import { NoActiveScopeError, type ScopedSessionModuleOptions } from 'nestjs-scoped-session';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { onEach } from '../support/databases.js';
import type { SocketIoClient } from '../support/message-clients.js';
import { PROVIDERS, Stage } from '../support/message-stage.js';
import { HooksGateway, NamingGateway, SocketGateway } from '../support/socket-handlers.js';
import { type Messages, SOCKETS, startMessages } from '../support/transports.js';
import { waitUntil } from '../support/wait-until.js';

onEach(['mariadb', 'sqljs'], (database) => {
  let messages: Messages;
  let stage: Stage;
  const ended = (): Promise<void> => waitUntil('the scope has ended', () => messages.work.count === 0);

  function withSockets(
    name: (typeof SOCKETS)[number],
    gateways: readonly (new (...given: never[]) => object)[],
    session: ScopedSessionModuleOptions = {},
  ): void {
    beforeAll(async () => {
      messages = await startMessages(database, name, { providers: [...PROVIDERS, ...gateways], session });
      stage = messages.app.get(Stage);
    });
    afterAll(() => messages.close());
    beforeEach(async () => {
      await messages.dataSource.query('DELETE FROM note');
      messages.watch();
    });
  }

  describe('an acknowledgement by hand (@Ack())', () => {
    let client: SocketIoClient;
    withSockets('socket.io', [SocketGateway]);
    beforeEach(async () => {
      stage.reset();
      client = (await messages.connect()) as SocketIoClient;
    });

    it('leaves after the COMMIT, however early it was given', async () => {
      const first = client.ask('acknowledges', 'a');
      await stage.arrived.promise;
      const second = client.ask('ping', '');
      expect(await first).toEqual({ pong: true });
      stage.gate.resolve();
      expect(await second).toEqual({ stored: 'a' });
      expect(await messages.stored()).toEqual(['a']);
    });

    it('of work that fails is never given', async () => {
      const failed = client.ask('acknowledges-and-fails', 'a');
      await expect(failed).rejects.toEqual(expect.objectContaining({ message: 'not like this' }));
      expect(await messages.stored()).toEqual([]);
    });

    it('of a stream leaves with its first value', async () => {
      const answers = [client.ask('acknowledges-a-stream', 'a'), client.reply()];
      expect(await Promise.all(answers)).toEqual([{ begins: 'a' }, { data: 'first' }]);
      await client.close();
      await ended();
    });

    it.runIf(database.kind === 'mariadb')(
      'is not what client.emit() is: that leaves before the COMMIT, as documented',
      async () => {
        client.tell('emits', 'a');
        expect(await client.reply()).toEqual({ data: 'a' });
        expect(await messages.stored()).toEqual([]);
        stage.gate.resolve();
        await ended();
        expect(await messages.stored()).toEqual(['a']);
      },
    );
  });

  describe.each(SOCKETS)('over %s', (name) => {
    describe('a client that hangs up', () => {
      withSockets(name, [SocketGateway], { scopeTimeoutMs: 2_000 });
      beforeEach(() => stage.reset());
      const hangUpDuring = async (pattern: string): Promise<void> => {
        const client = await messages.connect();
        client.tell(pattern, 'a');
        await stage.arrived.promise;
        await client.close();
        await waitUntil('the server has noticed', () => socketsOf(messages) === 0);
      };

      it('changes nothing for a handler that runs: it goes on, and is committed (F63)', async () => {
        await hangUpDuring('waits');
        expect(messages.work.count).toBe(1);
        stage.gate.resolve();
        await ended();
        expect(await messages.stored()).toEqual(['a', 'a, after']);
      });

      it('is not told of a failure, so the log is', async () => {
        await hangUpDuring('waits-and-fails');
        stage.gate.resolve();
        await ended();
        expect(await messages.stored()).toEqual([]);
        await waitUntil('it was said', () => messages.heard.of('warn').length > 0);
        expect(messages.heard.of('warn')).toEqual([
          'SocketGateway.waitsAndFails failed (Error) after its client had gone; outcome: rolledBack.',
        ]);
      });

      it('ends a stream, which is rolled back', async () => {
        const client = await messages.connect();
        expect(await client.ask('streams', 'a')).toMatchObject({ data: 'first' });
        await client.close();
        await ended();
        expect(await messages.stored()).toEqual([]);
      });
    });

    describe('a client that hangs up on a handler that never ends', () => {
      withSockets(name, [SocketGateway], { scopeTimeoutMs: 100 });
      beforeEach(() => stage.reset());

      it.each(['never', 'never-used'])('leaves nothing behind after scopeTimeoutMs (%s)', async (pattern) => {
        const client = await messages.connect();
        client.tell(pattern, 'a');
        await stage.arrived.promise;
        await client.close();
        await ended();
        expect(await messages.stored()).toEqual([]);
      });
    });

    describe("a client that hangs up, with onClientAbort: 'rollback'", () => {
      withSockets(name, [SocketGateway], { onClientAbort: 'rollback' });
      beforeEach(() => stage.reset());

      it('undoes what its message has done', async () => {
        const client = await messages.connect();
        client.tell('waits', 'a');
        await stage.arrived.promise;
        await client.close();
        await ended();
        stage.gate.resolve();
        expect(await messages.stored()).toEqual([]);
      });
    });

    describe('a gateway that names the interceptor, as those of Nest 11 do', () => {
      withSockets(name, [NamingGateway]);
      beforeEach(() => stage.reset());

      it('has one unit of work for each message', async () => {
        const client = await messages.connect();
        client.tell('waits', 'a');
        await stage.arrived.promise;
        expect(messages.work.count).toBe(1);
        stage.gate.resolve();
        await ended();
        expect(await messages.stored()).toEqual(['a', 'a, after']);
        await client.close();
      });
    });

    describe('the hooks of a gateway', () => {
      withSockets(name, [HooksGateway]);

      it('have no scope: the error names the cure, which works', async () => {
        const client = await messages.connect();
        await stage.arrived.promise;
        await client.close();
        await stage.gate.promise;
        expect(stage.seen).toHaveLength(3);
        for (const error of stage.seen) {
          expect(error).toBeInstanceOf(NoActiveScopeError);
          expect((error as Error).message).toMatch(/hooks of gateways.*scopedSession\.run\(fn\)/);
        }
        expect(await messages.stored()).toEqual(['connected']);
      });
    });
  });
});

/** How many sockets the server has. */
function socketsOf({ app }: Messages): number {
  return (app.getHttpServer() as { _connections: number })._connections;
}
