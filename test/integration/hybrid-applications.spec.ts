/** A microservice beside HTTP: with `inheritAppConfig` its messages are units of work, without it everybody is told. */
import { afterEach, describe, expect, it } from 'vitest';
import { onEach } from '../support/databases.js';
import type { MessageClient } from '../support/message-clients.js';
import { MessagesController } from '../support/message-handlers.js';
import { PROVIDERS } from '../support/message-stage.js';
import { type Messages, RPC, startMessages } from '../support/transports.js';
import { waitUntil } from '../support/wait-until.js';

const WARNING = 'each statement was committed by itself';

onEach(['mariadb', 'sqljs'], (database) => {
  let messages: Messages;
  let client: MessageClient;
  const start = async (
    name: (typeof RPC)[number],
    inheritAppConfig: boolean,
    repositories: 'join' | 'leave' = 'join',
  ): Promise<void> => {
    messages = await startMessages(database, name, {
      controllers: [MessagesController],
      providers: PROVIDERS,
      inheritAppConfig,
      session: { repositories },
    });
    database.watch({ liveScopes: () => messages.work.count });
    client = await messages.connect();
  };
  const warnings = (): string[] => messages.heard.of('warn', WARNING);

  describe.each(RPC)('without inheritAppConfig, over %s', (name) => {
    afterEach(() => messages.close());

    it.each([
      ['create', '@Session() of MessagesController.create (rpc) was used outside a scope'],
      ['via-service', 'was used outside a scope'],
    ])('a handler that uses the session (%s) gets an error that names the cure', async (pattern, told) => {
      await start(name, false);
      await expect(client.ask(pattern, 'a')).rejects.toMatchObject({ message: 'Internal server error' });
      const [message] = messages.heard.of('error', told);
      expect(message).toContain('connectMicroservice(options, { inheritAppConfig: true })');
      expect(await messages.stored()).toEqual([]);
    });

    it('a handler that uses a repository only is plain TypeORM, and one warning names the cure', async () => {
      await start(name, false);
      for (const text of ['a', 'b']) {
        await expect(client.ask('plain', text)).rejects.toMatchObject({
          message: 'and yet it may be stored',
        });
      }
      await waitUntil('it was said', () => warnings().length > 0);
      expect(warnings()).toEqual([expect.stringContaining('{ inheritAppConfig: true }')]);
      expect(await messages.stored()).toEqual(['a', 'b']);
    });

    it("repositories: 'leave' says that this is meant", async () => {
      await start(name, false, 'leave');
      await expect(client.ask('plain', 'a')).rejects.toMatchObject({ message: 'and yet it may be stored' });
      await client.ask('guarded', '');
      expect(warnings()).toEqual([]);
    });
  });

  describe.each(RPC)('with inheritAppConfig: true, over %s', (name) => {
    afterEach(() => messages.close());

    it('nobody is warned: of units of work, of a handler without one, of a guard that refuses', async () => {
      await start(name, true);
      const refused = client.ask('refused', '').catch((error: unknown) => error);
      expect(await refused).toMatchObject({ message: 'Forbidden resource' });
      const outside = client.ask('outside', 'a').catch((error: unknown) => error);
      expect(await outside).toMatchObject({ message: 'and yet it is stored' });
      const inside = client.ask('plain', 'b').catch((error: unknown) => error);
      expect(await inside).toMatchObject({ message: 'and yet it may be stored' });
      expect(await messages.stored()).toEqual(['a']);
      expect(warnings()).toEqual([]);
    });
  });
});
