/** What else HTTP has: views, redirects, HEAD, one connection for many requests; and responses that were sent too early. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import view from '@fastify/view';
import { ConflictException, Controller, Get, Param, Post, Redirect, Render, Res } from '@nestjs/common';
import type { NestExpressApplication } from '@nestjs/platform-express';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { TypeOrmModule } from '@nestjs/typeorm';
import handlebars from 'handlebars';
import {
  ScopedSession,
  ScopedSessionModule,
  type ScopedSessionModuleOptions,
  Session,
} from 'nestjs-scoped-session';
import { EMPTY, from, mergeMap, type Observable, of } from 'rxjs';
import { type EntitySubscriberInterface, EventSubscriber } from 'typeorm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { engineOf } from '../../src/engine/index.js';
import { DataSource } from 'typeorm';
import { serve, type Served, withNotes } from '../support/boot.js';
import { onEach } from '../support/databases.js';
import { Note } from '../support/note.js';
import { pipelined } from '../support/pipelined.js';
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

  @Get('page/:text')
  @Render('page')
  async page(@Param('text') text: string): Promise<object> {
    await this.#add(text);
    return { text };
  }

  @Get('no-page/:text')
  @Render('no-page')
  async noPage(@Param('text') text: string): Promise<object> {
    return this.page(text);
  }

  @Post('redirect/:text')
  @Redirect('/elsewhere', 303)
  async redirect(@Param('text') text: string): Promise<void> {
    await this.#add(text);
  }

  @Post('refused-redirect')
  @Redirect('/elsewhere', 303)
  async refusedRedirect(): Promise<void> {
    await this.#add('lost');
    throw new ConflictException();
  }

  @Post('many')
  many(): Observable<unknown> {
    return of('one', 'two', 'three').pipe(mergeMap((text) => from(this.#add(text).then(() => text)), 1));
  }

  @Post('none')
  none(): Observable<unknown> {
    return from(this.#add('lost')).pipe(mergeMap(() => EMPTY));
  }

  @Post('pipelined/:n')
  async pipelined(@Param('n') n: string, @Session() session: Session): Promise<object> {
    session.info['n'] = n;
    await this.#add(n);
    await session.execute('SELECT 1');
    return { n: session.info['n'], same: session === this.session.current() };
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
  describe.each(PLATFORMS)('%s', (platform) => {
    let served: Served;
    let views: string;

    beforeAll(async () => {
      views = await mkdtemp(join(tmpdir(), 'views-'));
      await writeFile(join(views, 'page.hbs'), '<p>{{text}}</p>');
    });
    afterAll(() => rm(views, { recursive: true }));

    const start = async (session: ScopedSessionModuleOptions = {}, more: object = {}): Promise<void> => {
      gate = signal();
      RefusesCommit.refuse = signal();
      served = await serve(
        database,
        {
          imports: [
            TypeOrmModule.forRoot(withNotes(database, { poolSize: 3, ...more })),
            ScopedSessionModule.forRoot(session),
          ],
          controllers: [PagesController],
        },
        platform,
        (app) =>
          platform === 'express'
            ? (app as NestExpressApplication).setBaseViewsDir(views).setViewEngine('hbs')
            : (app as NestFastifyApplication).register(view, {
                engine: { handlebars },
                root: views,
                viewExt: 'hbs',
              }),
      );
    };
    const stored = async (): Promise<string[]> => {
      const rows = await database.ask<{ text: string }>('SELECT text FROM note ORDER BY id');
      return rows.map(({ text }) => text);
    };
    const ended = (): Promise<void> => waitUntil('the scope has ended', () => served.liveScopes() === 0);

    it('a view is rendered after the COMMIT; one that cannot be rendered is 500, and what was done stays', async () => {
      await start();
      const { text } = await served.http.get('/page/a').expect(200);
      expect(text).toBe('<p>a</p>');
      await served.http.get('/no-page/b').expect(500);
      expect(await stored()).toEqual(['a', 'b']);
    });

    it('a redirect leaves after the COMMIT, and a refused one stores nothing', async () => {
      await start();
      await served.http.post('/redirect/a').expect(303).expect('Location', '/elsewhere');
      expect(await stored()).toEqual(['a']);
      await served.http.post('/refused-redirect').expect(409);
      expect(await stored()).toEqual(['a']);
    });

    it('HEAD of a GET handler commits as the GET does, and has no body', async () => {
      await start();
      const { text } = await served.http.head('/page/a').expect(200);
      expect(text).toBeUndefined();
      expect(await stored()).toEqual(['a']);
    });

    it('of many values the last is the answer, after the COMMIT of all; of none nothing is stored', async () => {
      await start();
      await served.http.post('/many').expect(201, 'three');
      expect(await stored()).toEqual(['one', 'two', 'three']);
      await served.http.post('/none').expect(500);
      expect(await stored()).toEqual(['one', 'two', 'three']);
    });

    it('50 requests pipelined over one connection are 50 units of work, each stored before its answer', async () => {
      await start();
      const paths = Array.from({ length: 50 }, (_, n) => `/pipelined/${n}`);
      const bodies: string[] = [];
      const isStored: Promise<boolean>[] = [];
      await pipelined(served.url, paths, ({ body }, n) => {
        bodies.push(body);
        isStored.push(stored().then((texts) => texts.includes(String(n))));
      });
      expect(bodies).toEqual(paths.map((_, n) => JSON.stringify({ n: String(n), same: true })));
      expect(await Promise.all(isStored)).toEqual(paths.map(() => true));
    });

    it('F77: a request whose body comes byte by byte holds no connection', async () => {
      await start();
      const socket = connect(Number(new URL(served.url).port), '127.0.0.1');
      socket.write('POST /pipelined/a HTTP/1.1\r\nhost: test\r\ncontent-type: application/json\r\n');
      socket.write('content-length: 10\r\n\r\n{');
      await served.http.post('/pipelined/b').expect(201);
      expect(engineOf(served.app.get(DataSource)).status().active).toBe(0);
      socket.destroy();
      await ended();
      expect(await stored()).toEqual(['b']);
    });

    describe('F69: a response that leaves before the COMMIT', () => {
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
        await start({}, { subscribers: [RefusesCommit] });
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
        await start({}, { subscribers: [RefusesCommit] });
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
});
