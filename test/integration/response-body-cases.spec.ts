/** Bodies in particular cases: rows that are still read, errors before the first byte, bodies that nobody reads, a shutdown. */
import { APP_INTERCEPTOR } from '@nestjs/core';
import { TypeOrmModule } from '@nestjs/typeorm';
import { ScopedSessionModule, type ScopedSessionModuleOptions } from 'nestjs-scoped-session';
import { DataSource } from 'typeorm';
import { describe, expect, it } from 'vitest';
import { CasesController, course, ThrowsAway, WritesAsJson } from '../support/body-cases.js';
import { serve, type Served, withNotes } from '../support/boot.js';
import { onEach } from '../support/databases.js';
import { PLATFORMS } from '../support/test-app.js';
import { signal, waitUntil } from '../support/wait-until.js';

onEach(['mariadb', 'postgres'], (database) => {
  describe.each(database.kind === 'mariadb' ? PLATFORMS : (['express'] as const))('%s', (platform) => {
    let served: Served;
    const start = async (
      session: ScopedSessionModuleOptions = {},
      providers: object[] = [],
    ): Promise<void> => {
      Object.assign(course, { gate: signal(), inserted: signal() });
      served = await serve(
        database,
        {
          imports: [TypeOrmModule.forRoot(withNotes(database)), ScopedSessionModule.forRoot(session)],
          controllers: [CasesController],
          providers: providers as [],
        },
        platform,
      );
    };
    const stored = async (): Promise<string[]> => {
      const rows = await database.ask<{ text: string }>('SELECT text FROM note ORDER BY id');
      return rows.map(({ text }) => text);
    };
    const post = (path: string): Promise<Response> => fetch(`${served.url}/${path}`, { method: 'POST' });
    const ended = (): Promise<void> => waitUntil('the scope has ended', () => served.liveScopes() === 0);

    it.runIf(database.kind === 'mariadb')(
      'rows that are still being read keep one transaction open until they have been read',
      async () => {
        await start();
        const answer = post('rows');
        await course.inserted.promise;
        expect(await stored()).toEqual([]);
        course.gate.resolve();
        expect(await (await answer).text()).toBe('a;b;');
        expect(await stored()).toEqual(['a', 'b']);
      },
    );

    it('an error before the first piece is answered as any other, and undoes what the body did', async () => {
      await start();
      await served.http.post('/fails-at-once').expect(409);
      expect(await stored()).toEqual(['by the handler']);
    });

    it('a file that cannot be read has the answer that Nest has for it, that of its own error handler', async () => {
      await start();
      // Fastify sends the stream itself, and asks nobody.
      await served.http.post('/broken-file').expect(platform === 'express' ? 410 : 500);
      await ended();
      expect(await stored()).toEqual(['by the handler']);
    });

    it('a body that is told with a status of 400 and above stores nothing, nor does its handler', async () => {
      await start();
      course.gate.resolve();
      expect((await post('refused')).status).toBe(422);
      await ended();
      expect(await stored()).toEqual([]);
    });

    it("with commit 'manual' only what it commits itself is stored", async () => {
      await start();
      expect(await (await post('manual')).text()).toBe('committed;not committed');
      expect(await stored()).toEqual(['by the handler']);
    });

    it('a body that somebody outside throws away leaves no unit of work behind', async () => {
      await start({}, [{ provide: APP_INTERCEPTOR, useClass: ThrowsAway }]);
      await served.http.post('/thrown-away').expect(201, { instead: true });
      await ended();
      expect(await stored()).toEqual(['thrown away, by the handler']);
    });

    it('an iterable that somebody outside writes as JSON, as Nest 11 does, is the JSON of what the handler gave', async () => {
      await start({}, [{ provide: APP_INTERCEPTOR, useClass: WritesAsJson }]);
      await served.http.post('/titled').expect(201, { json: '{"title":"a"}', keys: [] });
      await ended();
      expect(await stored()).toEqual(['by the handler']);
    });

    it('a body that an interceptor inside has put into an object, and one that is the last of many values', async () => {
      await start();
      course.gate.resolve();
      expect(await (await post('wrapped')).text()).toBe('first;CasesController.wrapped;');
      expect(await (await post('last-of-many')).text()).toBe('first;CasesController.lastOfMany;');
      expect(await stored()).toEqual(['wrapped, by the handler', 'wrapped', 'last of many']);
    });

    it('a file over a buffer is a value as any other', async () => {
      await start();
      await served.http.get('/buffer').expect(200);
      expect(served.liveScopes()).toBe(0);
      expect(await stored()).toEqual(['with a buffer']);
    });

    it('twenty at a time each have their own session', async () => {
      await start();
      const answers = Array.from({ length: 20 }, async (_, index) => (await post(`body/n${index}`)).text());
      course.gate.resolve();
      expect(new Set(await Promise.all(answers))).toEqual(new Set(['first;CasesController.body;']));
      expect(await stored()).toHaveLength(40);
    });

    it('a transaction that stays open for more than a second while a body is given out is warned of', async () => {
      await start();
      for (let round = 0; round < 2; round += 1) {
        // oxlint-disable-next-line no-await-in-loop
        const answer = await post('holds-long');
        // Longer than a second, by the body's own clock.
        if (round === 0) setTimeout(() => course.gate.resolve(), 1_200);
        // One after the other. oxlint-disable-next-line no-await-in-loop
        expect(await answer.text()).toBe('first;last');
        // oxlint-disable-next-line no-await-in-loop
        await served.app.get(DataSource).query('DELETE FROM note');
      }
      const warning = 'CasesController.holdsLong: a transaction has been open for more than 1000 ms';
      expect(served.heard.of('warn', warning)).toHaveLength(1);
    });

    it('F73, F74: a shutdown waits for bodies, and cuts those that take too long', async () => {
      await start({ drainTimeoutMs: 200 });
      const answer = await post('body/cut');
      const read = answer.text().catch(() => 'cut');
      const closed = served.close();
      expect(await read).toBe('cut');
      await closed;
      expect(served.heard.of('error', 'the response was cut')).toHaveLength(1);
      expect(await stored()).toEqual(['cut, by the handler']);
      course.gate.resolve();
    });
  });
});
