/** Bodies in particular cases: rows that are still read, errors before the first byte, bodies that nobody reads, a shutdown. */
import { Readable, Transform } from 'node:stream';
import {
  type CallHandler,
  ConflictException,
  Controller,
  type ExecutionContext,
  Get,
  HttpCode,
  Injectable,
  type NestInterceptor,
  Param,
  Post,
  StreamableFile,
  UseInterceptors,
} from '@nestjs/common';
import { APP_INTERCEPTOR } from '@nestjs/core';
import { currentScope, ScopedSession, SessionOptions } from 'nestjs-scoped-session';
import { map, type Observable, of } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { onEach } from '../support/databases.js';
import { serve, type Served, withNotes } from '../support/boot.js';
import { TypeOrmModule } from '@nestjs/typeorm';
import { ScopedSessionModule, type ScopedSessionModuleOptions } from 'nestjs-scoped-session';
import { Note } from '../support/note.js';
import { PLATFORMS } from '../support/test-app.js';
import { signal, waitUntil } from '../support/wait-until.js';

let gate = signal();
let inserted = signal();

@Injectable()
class ThrowsAway implements NestInterceptor {
  intercept(_context: ExecutionContext, next: CallHandler): Observable<unknown> {
    return next.handle().pipe(map(() => ({ instead: true })));
  }
}

@Injectable()
class Wraps implements NestInterceptor {
  intercept(_context: ExecutionContext, next: CallHandler): Observable<unknown> {
    return next.handle().pipe(map((data: unknown) => ({ data })));
  }
}

@Controller()
class CasesController {
  constructor(private readonly session: ScopedSession) {}

  async #add(text: string): Promise<void> {
    await this.session.manager.insert(Note, { text });
  }

  @Post('rows')
  async rows(): Promise<StreamableFile> {
    await this.#add('a');
    await this.#add('b');
    const rows = await this.session.queryRunner.stream('SELECT text FROM note ORDER BY id');
    const asText = new Transform({
      writableObjectMode: true,
      transform: (row: { text: string }, _encoding, done) => {
        void gate.promise.then(() => done(null, `${row.text};`));
      },
    });
    inserted.resolve();
    return new StreamableFile(rows.pipe(asText));
  }

  @Post('fails-at-once')
  async failsAtOnce(): Promise<unknown> {
    await this.#add('by the handler');
    return this.#failing();
  }

  async *#failing(): AsyncGenerator<string> {
    await this.#add('by the body');
    throw new ConflictException();
  }

  async *#adding(text: string): AsyncGenerator<string> {
    yield 'first;';
    await gate.promise;
    await this.#add(text);
    yield `${currentScope()?.label};`;
  }

  @Post('body/:text')
  async body(@Param('text') text: string): Promise<unknown> {
    await this.#add(`${text}, by the handler`);
    return this.#adding(text);
  }

  @Post('refused')
  @HttpCode(422)
  async refused(): Promise<unknown> {
    return this.body('refused');
  }

  @Post('manual')
  @SessionOptions({ commit: 'manual' })
  async manual(): Promise<unknown> {
    await this.#add('by the handler');
    return this.#committing();
  }

  async *#committing(): AsyncGenerator<string> {
    await this.session.commit();
    yield 'committed;';
    await this.#add('dropped');
    yield 'not committed';
  }

  @Post('thrown-away')
  async thrownAway(): Promise<unknown> {
    return this.body('thrown away');
  }

  @Post('wrapped')
  @UseInterceptors(Wraps)
  async wrapped(): Promise<unknown> {
    return this.body('wrapped');
  }

  @Post('last-of-many')
  lastOfMany(): Observable<unknown> {
    return of('not this', this.#adding('last of many'));
  }

  @Get('buffer')
  async buffer(): Promise<StreamableFile> {
    await this.#add('with a buffer');
    return new StreamableFile(Buffer.from('whole'));
  }

  @Post('broken-file')
  async brokenFile(): Promise<StreamableFile> {
    await this.#add('by the handler');
    const broken = new Readable({ read: () => undefined });
    broken.destroy(new Error('The file cannot be read.'));
    return new StreamableFile(broken).setErrorHandler((_error, response) => {
      response.statusCode = 410;
      response.send('gone');
    });
  }
}

onEach(['mariadb', 'postgres'], (database) => {
  describe.each(database.kind === 'mariadb' ? PLATFORMS : (['express'] as const))('%s', (platform) => {
    let served: Served;
    const start = async (
      session: ScopedSessionModuleOptions = {},
      providers: object[] = [],
    ): Promise<void> => {
      [gate, inserted] = [signal(), signal()];
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
        await inserted.promise;
        expect(await stored()).toEqual([]);
        gate.resolve();
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
      gate.resolve();
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

    it('a body that an interceptor inside has put into an object, and one that is the last of many values', async () => {
      await start();
      gate.resolve();
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
      gate.resolve();
      expect(new Set(await Promise.all(answers))).toEqual(new Set(['first;CasesController.body;']));
      expect(await stored()).toHaveLength(40);
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
      gate.resolve();
    });
  });
});
