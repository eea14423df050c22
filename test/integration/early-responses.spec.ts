/** F69: responses that leave before the COMMIT, sent by hand: nobody can take them back, and somebody is told. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { ConflictException, Controller, Param, Post, Res } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { ScopedSession, ScopedSessionModule } from 'nestjs-scoped-session';
import { type EntitySubscriberInterface, EventSubscriber } from 'typeorm';
import { describe, expect, it } from 'vitest';
import { serve, type Served, withNotes } from '../support/boot.js';
import { onEach } from '../support/databases.js';
import { Note } from '../support/note.js';
import { PLATFORMS } from '../support/test-app.js';
import { signal, waitUntil } from '../support/wait-until.js';

let gate = signal();

/** What Express's response and Fastify's reply have in common, and what each has. */
interface AnyResponse {
  status(code: number): AnyResponse;
  send(body: string): unknown;
  hijack?(): unknown;
  readonly raw?: { end(body: string): unknown };
}

@EventSubscriber()
class RefusesCommit implements EntitySubscriberInterface {
  static isOn = false;
  static refuse = signal();

  async beforeTransactionCommit(): Promise<void> {
    if (!RefusesCommit.isOn) return;
    await RefusesCommit.refuse.promise;
    throw new Error('This COMMIT is refused.');
  }
}

@Controller()
class PagesController {
  constructor(private readonly session: ScopedSession) {}

  async #add(text: string): Promise<void> {
    await this.session.manager.insert(Note, { text });
  }

  @Post('by-hand/:text')
  async byHand(@Param('text') text: string, @Res() response: AnyResponse): Promise<void> {
    await this.#add(text);
    response.status(201).send('sent by hand');
  }

  @Post('by-hand-later/:text')
  async byHandLater(@Param('text') text: string, @Res() response: AnyResponse): Promise<void> {
    await this.#add(text);
    void gate.promise.then(() => response.status(201).send('sent later'));
  }

  @Post('hijacked/:text')
  async hijacked(@Param('text') text: string, @Res() response: AnyResponse): Promise<void> {
    await this.#add(text);
    response.hijack?.();
    response.raw?.end('hijacked');
  }

  @Post('by-hand-then-throws')
  async byHandThenThrows(@Res() response: AnyResponse): Promise<void> {
    await this.#add('lost');
    response.status(201).send('sent by hand');
    throw new ConflictException('too late');
  }
}

onEach(['mariadb'], (database) => {
  describe.each(PLATFORMS)('F69: %s: a response that leaves before the COMMIT', (platform) => {
    let served: Served;
    const start = async (more: Record<string, unknown> = {}): Promise<void> => {
      gate = signal();
      RefusesCommit.refuse = signal();
      const imports = [TypeOrmModule.forRoot(withNotes(database, more)), ScopedSessionModule.forRoot()];
      served = await serve(database, { imports, controllers: [PagesController] }, platform);
    };
    const stored = async (): Promise<string[]> => {
      const rows = await database.ask<{ text: string }>('SELECT text FROM note ORDER BY id');
      return rows.map(({ text }) => text);
    };
    const ended = (): Promise<void> => waitUntil('the scope has ended', () => served.liveScopes() === 0);

    const WARNING = 'sent its response through @Res() before the COMMIT';
    const REPORT = 'and what it did is not committed';

    it('is warned of once for each handler', async () => {
      await start();
      await served.http.post('/by-hand/a').expect(201, 'sent by hand');
      await served.http.post('/by-hand/b').expect(201, 'sent by hand');
      await ended();
      expect(served.heard.of('warn', WARNING)).toHaveLength(1);
      expect(served.heard.of('warn', 'PagesController.byHand ')).toHaveLength(1);
      expect(await stored()).toEqual(['a', 'b']);
    });

    it('and whose COMMIT fails is an error each time, with the name of the handler', async () => {
      await start({ subscribers: [RefusesCommit] });
      RefusesCommit.isOn = true;
      RefusesCommit.refuse.resolve();
      await served.http.post('/by-hand/a').expect(201, 'sent by hand');
      await served.http.post('/by-hand/b').expect(201, 'sent by hand');
      await ended();
      RefusesCommit.isOn = false;
      const [error, ...more] = served.heard.of('error', REPORT);
      expect(error).toContain('PagesController.byHand had told its client 201');
      expect(error).toContain('This COMMIT is refused.');
      expect(more).toHaveLength(1);
      expect(await stored()).toEqual([]);
    });

    it('is seen also where it leaves after the handler has returned', async () => {
      await start({ subscribers: [RefusesCommit] });
      RefusesCommit.isOn = true;
      const answer = served.http.post('/by-hand-later/a').expect(201, 'sent later');
      gate.resolve();
      await answer;
      RefusesCommit.refuse.resolve();
      await ended();
      RefusesCommit.isOn = false;
      expect(served.heard.of('error', REPORT)).toHaveLength(1);
      expect(await stored()).toEqual([]);
    });

    it('and whose handler throws then is an error', async () => {
      await start();
      await served.http.post('/by-hand-then-throws').expect(201, 'sent by hand');
      await ended();
      await nextTurn();
      expect(served.heard.of('error', REPORT)).toHaveLength(1);
      expect(await stored()).toEqual([]);
    });

    it.runIf(platform === 'fastify')('is seen where the reply was hijacked', async () => {
      await start();
      await served.http.post('/hijacked/a').expect('hijacked');
      await ended();
      expect(served.heard.of('warn', WARNING)).toHaveLength(1);
      expect(await stored()).toEqual(['a']);
    });
  });
});
