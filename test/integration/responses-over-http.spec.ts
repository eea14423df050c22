/** What else HTTP has: views, redirects, HEAD, one connection for many requests. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import view from '@fastify/view';
import { ConflictException, Controller, Get, Param, Post, Redirect, Render } from '@nestjs/common';
import type { NestExpressApplication } from '@nestjs/platform-express';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { TypeOrmModule } from '@nestjs/typeorm';
import handlebars from 'handlebars';
import { ScopedSession, ScopedSessionModule, Session } from 'nestjs-scoped-session';
import { EMPTY, from, mergeMap, type Observable, of } from 'rxjs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { engineOf } from '../../src/engine/index.js';
import { DataSource } from 'typeorm';
import { serve, type Served, withNotes } from '../support/boot.js';
import { onEach } from '../support/databases.js';
import { Note } from '../support/note.js';
import { pipelined } from '../support/pipelined.js';
import { PLATFORMS } from '../support/test-app.js';
import { waitUntil } from '../support/wait-until.js';

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

    const start = async (): Promise<void> => {
      served = await serve(
        database,
        {
          imports: [
            TypeOrmModule.forRoot(withNotes(database, { poolSize: 3 })),
            ScopedSessionModule.forRoot(),
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
  });
});
