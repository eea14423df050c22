/** Each message is a unit of work, whatever brings it: one rule after the other, for every transport. */
import { APP_INTERCEPTOR } from '@nestjs/core';
import { NoActiveScopeError } from 'nestjs-scoped-session';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { onEach } from '../support/databases.js';
import type { MessageClient } from '../support/message-clients.js';
import { MessagesController, MessagesGateway } from '../support/message-handlers.js';
import { AskingInterceptor, PROVIDERS, Stage } from '../support/message-stage.js';
import {
  RequestScoped,
  RequestScopedController,
  RequestScopedGateway,
} from '../support/request-scoped-handlers.js';
import { type Messages, SOCKETS, startMessages, TRANSPORTS } from '../support/transports.js';
import { waitUntil } from '../support/wait-until.js';

onEach(['mariadb', 'sqljs', 'postgres'], (database) => {
  describe.each(TRANSPORTS)('F81: a message over %s', (transport) => {
    let messages: Messages;
    let client: MessageClient;
    let stage: Stage;
    const isSocket = (SOCKETS as readonly string[]).includes(transport);
    const handlers = isSocket ? 'MessagesGateway' : 'MessagesController';
    const ended = (): Promise<void> => waitUntil('the scope has ended', () => messages.work.count === 0);

    beforeAll(async () => {
      messages = await startMessages(database, transport, {
        controllers: isSocket ? [] : [MessagesController, RequestScopedController],
        providers: [
          ...PROVIDERS,
          { provide: APP_INTERCEPTOR, useExisting: AskingInterceptor },
          RequestScoped,
          ...(isSocket ? [MessagesGateway, RequestScopedGateway] : []),
        ],
      });
      stage = messages.app.get(Stage);
    });
    afterAll(() => messages.close());
    beforeEach(async () => {
      stage.reset();
      await messages.dataSource.query('DELETE FROM note');
      messages.watch();
      client = await messages.connect();
    });
    afterEach(() => client.close());

    it('has one session, found anywhere, which is committed before it is answered', async () => {
      const answer = await client.ask('create', 'a');
      expect(await messages.stored()).toEqual(['a', 'a, by session', 'a, by manager']);
      expect(answer).toEqual({ same: true, label: `${handlers}.create` });
    });

    it.each([
      ['throws', 'not like this'],
      ['throws-error', 'Internal server error'],
      ['fails', 'not like this'],
      ['fails-in-filter', 'out of range'],
    ])('that fails (%s) stores nothing, and is answered with its error', async (pattern, message) => {
      await expect(client.ask(pattern, 'a')).rejects.toMatchObject({ status: 'error', message });
      expect(await messages.stored()).toEqual([]);
      expect(messages.work.count).toBe(0);
    });

    it('has no scope any more in a filter', async () => {
      await expect(client.ask('fails-in-filter', 'a')).rejects.toMatchObject({ message: 'out of range' });
      expect(stage.seen).toEqual([expect.any(NoActiveScopeError)]);
    });

    it.skipIf(database.kind === 'sqljs')('whose COMMIT fails is answered with an error', async () => {
      await expect(client.ask('lost', 'a')).rejects.toMatchObject({
        status: 'error',
        message: 'Internal server error',
      });
      expect(await messages.stored()).toEqual([]);
    });

    it('lets the values of a stream leave one by one, the last after the COMMIT', async () => {
      const seen: string[] = [];
      const all = await client.values('stream', 'a', (value) => {
        seen.push(value);
        stage.gate.resolve();
      });
      expect(await messages.stored()).toEqual(['a']);
      expect(all).toEqual(['first', 'last']);
      expect(seen[0]).toBe('first');
    });

    it('rolls back a stream that fails after it has begun', async () => {
      const failing = client.values('fails-in-stream', 'a', () => undefined);
      await expect(failing).rejects.toMatchObject({ message: 'not like this' });
      expect(await messages.stored()).toEqual([]);
    });

    it('shares its session with no other on the same connection', async () => {
      const answers = await Promise.all([client.ask('meet', 'a'), client.ask('meet', 'b')]);
      expect(answers).toEqual([{ same: true }, { same: true }]);
      expect(new Set(stage.seen).size).toBe(2);
      expect((await messages.stored()).toSorted()).toEqual(['a', 'b']);
    });

    it('has its session in REQUEST-scoped providers', async () => {
      const patterns = ['a', 'b'].map((text) => client.ask('request-scoped', text));
      expect(await Promise.all(patterns)).toEqual([{ own: true }, { own: true }]);
      expect(new Set(stage.seen).size).toBe(2);
      expect((await messages.stored()).toSorted()).toEqual(['a', 'b']);
    });

    it('commits events, which nobody answers, and rolls back those that fail', async () => {
      const kept = isSocket ? ['kept'] : ['kept', 'kept, too'];
      client.tell('happened', 'kept');
      await waitUntil('they are stored', async () => (await messages.stored()).length === kept.length);
      stage.reset();
      client.tell('failed', 'lost');
      await stage.arrived.promise;
      await ended();
      expect((await messages.stored()).toSorted()).toEqual(kept);
    });

    it('that is an event and fails with an error of this library goes to the log', async () => {
      client.tell('failed-by-code', '');
      const level = isSocket ? 'error' : 'warn';
      const part = isSocket ? 'No row' : 'SS_ERR_NO_RESULT_FOUND';
      await waitUntil('it was said', () => messages.heard.of(level, part).length > 0);
      expect(await messages.stored()).toEqual([]);
    });

    it('is cut short when it never ends, and its client is told the code', async () => {
      await expect(client.ask('never', 'a')).rejects.toMatchObject({
        code: 'SS_ERR_SCOPE_TIMEOUT',
        outcome: 'rolledBack',
      });
      expect(await messages.stored()).toEqual([]);
    });

    it('tells the code of an error on which the client can act, and nothing of the inside', async () => {
      const error: unknown = await client.ask('one', 'a').catch((reason: unknown) => reason);
      expect(error).toEqual({
        status: 'error',
        message: 'Not Found',
        code: 'SS_ERR_NO_RESULT_FOUND',
        retryable: false,
      });
    });

    it('obeys @SessionOptions', async () => {
      await client.ask('by-hand', 'a');
      await expect(client.ask('outside', 'b')).rejects.toMatchObject({ message: 'and yet it is stored' });
      expect(await messages.stored()).toEqual(['a', 'b']);
    });

    it("runs inside its handler's interceptors, and has ended in those of AppModule", async () => {
      await client.ask('intercepted', 'a');
      expect(stage.around).toEqual([true, 'outside']);
    });

    it('has no scope yet in a guard (F71), which is told the cure', async () => {
      await client.ask('guarded', 'a');
      const [error] = stage.seen as Error[];
      expect(error).toBeInstanceOf(NoActiveScopeError);
      expect(error!.message).toMatch(/guards and filters of messages.*scopedSession\.run\(fn\)/);
    });
  });
});
