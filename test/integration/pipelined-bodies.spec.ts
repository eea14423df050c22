/** A body that waits behind another response of its connection, which dies before it is that body's turn. */
import { connect, type Socket } from 'node:net';
import { Readable } from 'node:stream';
import { Controller, Get, Param, StreamableFile } from '@nestjs/common';
import { ScopedSession } from 'nestjs-scoped-session';
import { describe, expect, it } from 'vitest';
import { onEach } from '../support/databases.js';
import { texts } from '../support/plain-and-ours.js';
import { PLATFORMS, startApp } from '../support/test-app.js';
import { signal, waitUntil } from '../support/wait-until.js';

let gate = signal();
let given = signal();

@Controller()
class FilesController {
  constructor(private readonly session: ScopedSession) {}

  @Get('waits')
  async waits(): Promise<string> {
    await gate.promise;
    return 'done';
  }

  @Get('file/:text')
  async file(@Param('text') text: string): Promise<StreamableFile> {
    const { session } = this;
    await session.execute('INSERT INTO note (text) VALUES (:text)', { text });
    async function* rows(): AsyncGenerator<Buffer> {
      given.resolve();
      for (;;) {
        await session.execute('INSERT INTO note (text) VALUES (:text)', { text: `${text}, in the body` });
        yield Buffer.alloc(64 * 1_024);
        await session.rollback();
      }
    }
    return new StreamableFile(Readable.from(rows(), { objectMode: false }));
  }
}

onEach(['mariadb'], (database) => {
  describe.each(PLATFORMS)('%s', (platform) => {
    it('is over with its connection: nothing of it stays open', async () => {
      [gate, given] = [signal(), signal()];
      const test = await startApp(database, { platform, controllers: [FilesController] });
      const { port } = new URL(test.url);
      const socket: Socket = connect(Number(port), '127.0.0.1');
      const request = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`;
      socket.write(request('/waits') + request('/file/a'));
      await given.promise;
      socket.destroy();
      await waitUntil('the body is over', () => test.liveScopes() <= 1);
      gate.resolve();
      await waitUntil('nothing is left', () => test.liveScopes() === 0);
      expect(await texts(test.dataSource)).toEqual(['a']);
    });
  });
});
