/** An application that closes while messages run and come, whatever brings them. */
import { expect, it } from 'vitest';
import { onEach } from '../support/databases.js';
import { MessagesController, MessagesGateway } from '../support/message-handlers.js';
import { PROVIDERS, Stage } from '../support/message-stage.js';
import { SOCKETS, startMessages, TRANSPORTS } from '../support/transports.js';
import { waitUntil } from '../support/wait-until.js';

onEach(['mariadb'], (database) => {
  it.each(TRANSPORTS)(
    'waits for the messages that run, and tells those that come why not (F73): %s',
    async (name) => {
      const isSocket = (SOCKETS as readonly string[]).includes(name);
      const messages = await startMessages(database, name, {
        controllers: isSocket ? [] : [MessagesController],
        providers: [...PROVIDERS, ...(isSocket ? [MessagesGateway] : [])],
      });
      database.watch({ liveScopes: () => messages.work.count, close: () => messages.close() });
      const [client, other] = [await messages.connect(), await messages.connect()];
      const stage = messages.app.get(Stage);
      const running = client.ask('waits', 'a');
      await stage.arrived.promise;
      const closing = messages.shutDown();
      await waitUntil('it drains', () => messages.work.isDraining);
      await expect(other.ask('waits', 'b')).rejects.toMatchObject({
        code: 'SS_ERR_DRAINING',
        retryable: true,
      });
      stage.gate.resolve();
      expect(await running).toEqual({ stored: 'a' });
      await closing;
      expect(await database.ask('SELECT text FROM note')).toEqual([{ text: 'a' }]);
    },
  );
});
