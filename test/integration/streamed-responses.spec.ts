/** Answers that are more than one value: server-sent events, files, redirects, cached ones. */
import { Readable } from 'node:stream';
import {
  ConflictException,
  Controller,
  Get,
  type MessageEvent,
  Param,
  Post,
  Redirect,
  Sse,
  StreamableFile,
} from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import { ScopedSession, type ScopedSessionModuleOptions, Session } from 'nestjs-scoped-session';
import { concat, defer, from, map, mergeMap, NEVER, type Observable, of, throwError } from 'rxjs';
import { Repository } from 'typeorm';
import { beforeEach, describe, expect, it } from 'vitest';
import { onEach } from '../support/databases.js';
import { Note } from '../support/note.js';
import { PLATFORMS, startApp, type TestApp } from '../support/test-app.js';
import { signal, waitUntil } from '../support/wait-until.js';

let gate = signal();

@Controller()
class StreamsController {
  constructor(
    @InjectRepository(Note) private readonly notes: Repository<Note>,
    private readonly session: ScopedSession,
  ) {}

  #add = (text: string): Observable<MessageEvent> =>
    defer(async () => {
      await this.notes.insert({ text });
      return { data: text };
    });

  @Sse('events')
  events(): Observable<MessageEvent> {
    return concat(this.#add('first'), from(gate.promise).pipe(mergeMap(() => this.#add('last'))));
  }

  @Sse('failing-events')
  failingEvents(): Observable<MessageEvent> {
    return concat(
      this.#add('first'),
      throwError(() => new ConflictException('not to the end')),
    );
  }

  @Sse('committing-events')
  committingEvents(@Session() session: Session): Observable<MessageEvent> {
    return concat(
      this.#add('first').pipe(
        mergeMap(async (event) => {
          await session.commit();
          return event;
        }),
      ),
      this.#add('second'),
      NEVER,
    );
  }

  @Sse('promised-events')
  async promisedEvents(): Promise<Observable<MessageEvent>> {
    await this.notes.insert({ text: 'before' });
    return of('a', 'b').pipe(map((data) => ({ data })));
  }

  @Get('file/:text')
  async file(@Param('text') text: string): Promise<StreamableFile> {
    await this.notes.insert({ text });
    return new StreamableFile(Readable.from([text, ', the file']));
  }

  @Post('moved/:text')
  @Redirect('/elsewhere', 303)
  async moved(@Param('text') text: string): Promise<void> {
    await this.notes.insert({ text });
  }

  @Post('moved-dynamically/:text')
  @Redirect('/elsewhere', 303)
  async movedDynamically(@Param('text') text: string): Promise<object> {
    await this.notes.insert({ text });
    return { url: '/there', statusCode: 307 };
  }

  @Get('count')
  async count(): Promise<object> {
    return { count: await this.notes.count() };
  }

  @Post('circular')
  async circular(): Promise<object> {
    await this.notes.insert({ text: 'a' });
    const answer: Record<string, unknown> = {};
    answer['itself'] = answer;
    return answer;
  }

  @Post('never')
  async never(): Promise<never> {
    // Uses its session, and so has a limit, but holds nothing that the others wait for.
    void this.session.manager;
    return new Promise(() => undefined);
  }

  @Post('sync-throw')
  syncThrow(): never {
    void this.session.info;
    throw new ConflictException();
  }
}

onEach(['mariadb', 'sqljs'], (database) => {
  describe.each(PLATFORMS)('%s', (platform) => {
    let test: TestApp;
    const stored = async (): Promise<string[]> => {
      const rows = await test.dataSource.getRepository(Note).find({ order: { id: 'ASC' } });
      return rows.map(({ text }) => text);
    };
    const ended = (): Promise<void> => waitUntil('the scope has ended', () => test.liveScopes() === 0);
    /** What a client reads, event by event. */
    async function* read(path: string): AsyncGenerator<string> {
      const response = await fetch(`${test.url}${path}`);
      const decoder = new TextDecoder();
      for await (const chunk of response.body!) yield decoder.decode(chunk as Uint8Array);
    }
    const start = async (session?: ScopedSessionModuleOptions): Promise<void> => {
      test = await startApp(database, { platform, controllers: [StreamsController], session });
    };

    beforeEach(async () => {
      gate = signal();
      await start();
    });

    describe('server-sent events', () => {
      it('leave as they come, are not limited in time, and commit when they are over', async () => {
        await start({ scopeTimeoutMs: 50 });
        let text = '';
        for await (const chunk of read('/events')) {
          text += chunk;
          if (text.includes('data: last')) continue;
          // Its time is up; that of the events would be, too.
          await test.http.post('/never').expect(503);
          gate.resolve();
        }
        expect(text).toContain('data: last');
        await ended();
        expect(await stored()).toEqual(['first', 'last']);
      });

      it('roll back when they end with an error', async () => {
        let text = '';
        for await (const chunk of read('/failing-events')) text += chunk;
        expect(text).toContain('data: first');
        expect(text).toContain('not to the end');
        await ended();
        expect(await stored()).toEqual([]);
      });

      it('keep what they have committed themselves when the client goes', async () => {
        const request = new AbortController();
        const response = await fetch(`${test.url}/committing-events`, { signal: request.signal });
        let text = '';
        const decoder = new TextDecoder();
        const reader = response.body!.getReader();
        while (!text.includes('data: second'))
          text += decoder.decode((await reader.read()).value as Uint8Array);
        request.abort();
        await ended();
        expect(await stored()).toEqual(['first']);
      });

      it('of a promised Observable commit what was written before', async () => {
        let text = '';
        for await (const chunk of read('/promised-events')) text += chunk;
        expect(text).toContain('data: b');
        await ended();
        expect(await stored()).toEqual(['before']);
      });
    });

    it('a file is sent after the COMMIT of what its handler wrote', async () => {
      const { body } = await test.http.get('/file/a').expect(200);
      expect((body as Buffer).toString()).toBe('a, the file');
      expect(await stored()).toEqual(['a']);
    });

    it('redirects commit', async () => {
      await test.http.post('/moved/a').expect(303).expect('Location', '/elsewhere');
      await test.http.post('/moved-dynamically/b').expect(307).expect('Location', '/there');
      expect(await stored()).toEqual(['a', 'b']);
    });

    if (platform === 'express') {
      it('a conditional GET that is answered 304 ends as any other', async () => {
        const { headers } = await test.http.get('/count').expect(200);
        await test.http
          .get('/count')
          .set('If-None-Match', headers['etag'] as string)
          .expect(304);
        expect(test.liveScopes()).toBe(0);
      });
    }

    it('a value that cannot be serialised is 500 after the COMMIT, for Nest serialises it later', async () => {
      await test.http.post('/circular').expect(500);
      expect(await stored()).toEqual(['a']);
    });

    it('a handler that throws without a promise is rolled back as any other', async () => {
      await test.http.post('/sync-throw').expect(409);
      expect(test.liveScopes()).toBe(0);
    });
  });
});
