/** Nobody waits for the answer any more: the client has gone, or somebody around the handler has answered already. */
import { connect } from 'node:net';
import {
  type CallHandler,
  type CanActivate,
  Controller,
  type ExecutionContext,
  Get,
  Injectable,
  type MessageEvent,
  type NestInterceptor,
  Param,
  Post,
  Sse,
  UseGuards,
  UseInterceptors,
} from '@nestjs/common';
import { APP_INTERCEPTOR } from '@nestjs/core';
import { InjectRepository, TypeOrmModule } from '@nestjs/typeorm';
import {
  ScopedSession,
  ScopedSessionModule,
  type ScopedSessionModuleOptions,
  SessionClosedError,
} from 'nestjs-scoped-session';
import { from, map, mergeMap, NEVER, type Observable, startWith, takeUntil } from 'rxjs';
import { DataSource, Repository } from 'typeorm';
import { beforeEach, describe, expect, it } from 'vitest';
import { serve, type Served, withNotes } from '../support/boot.js';
import { onEach } from '../support/databases.js';
import { Note } from '../support/note.js';
import { PLATFORMS } from '../support/test-app.js';
import { signal, waitUntil } from '../support/wait-until.js';

let gate = signal();
let arrived = signal();
/** How the handler that nobody waits for came out. */
let outcome = signal<unknown>();

@Injectable()
class WaitingGuard implements CanActivate {
  constructor(@InjectRepository(Note) private readonly notes: Repository<Note>) {}

  async canActivate(): Promise<boolean> {
    await this.notes.insert({ text: 'by the guard' });
    arrived.resolve();
    await gate.promise;
    return true;
  }
}

@Injectable()
class IdleGuard implements CanActivate {
  async canActivate(): Promise<boolean> {
    arrived.resolve();
    await gate.promise;
    return true;
  }
}

/** A timeout that the test itself lets come. */
@Injectable()
class GivesUp implements NestInterceptor {
  static now = signal();

  intercept(_context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const timedOut = from(GivesUp.now.promise).pipe(
      map(() => {
        throw new Error('The handler took too long.');
      }),
    );
    return next.handle().pipe(takeUntil(timedOut));
  }
}

@Controller()
class WorkController {
  constructor(
    @InjectRepository(Note) private readonly notes: Repository<Note>,
    private readonly session: ScopedSession,
  ) {}

  @Post('waits/:text')
  async waits(@Param('text') text: string): Promise<string> {
    try {
      await this.notes.insert({ text });
      arrived.resolve();
      await gate.promise;
      await this.notes.insert({ text: `${text}, again` });
      outcome.resolve('finished');
      return 'done';
    } catch (error) {
      outcome.resolve(error);
      throw error;
    }
  }

  @Post('session/:text')
  async viaSession(@Param('text') text: string): Promise<string> {
    const { session } = this;
    await session.execute('INSERT INTO note (text) VALUES (:text)', { text });
    arrived.resolve();
    await gate.promise;
    try {
      await session.execute('INSERT INTO note (text) VALUES (:text)', { text: `${text}, again` });
      outcome.resolve('finished');
    } catch (error) {
      outcome.resolve(error);
    }
    return 'done';
  }

  @Post('never/:text')
  async never(@Param('text') text: string): Promise<never> {
    await this.notes.insert({ text });
    arrived.resolve();
    return new Promise(() => undefined);
  }

  @Post('observable/:text')
  observable(@Param('text') text: string): Observable<unknown> {
    return from(this.notes.insert({ text })).pipe(
      mergeMap(() => {
        arrived.resolve();
        return NEVER;
      }),
    );
  }

  @Post('late-observable/:text')
  lateObservable(@Param('text') text: string): Observable<unknown> {
    return from(this.notes.insert({ text })).pipe(
      mergeMap(async () => {
        arrived.resolve();
        await gate.promise;
        return 'done';
      }),
    );
  }

  @Post('guarded/:text')
  @UseGuards(WaitingGuard)
  async guarded(@Param('text') text: string): Promise<string> {
    try {
      await this.notes.insert({ text });
      outcome.resolve('finished');
    } catch (error) {
      outcome.resolve(error);
    }
    return 'done';
  }

  @Post('idly-guarded/:text')
  @UseGuards(IdleGuard)
  async idlyGuarded(@Param('text') text: string): Promise<string> {
    return this.guarded(text);
  }

  @Post('inner/:text')
  @UseInterceptors(GivesUp)
  async inner(@Param('text') text: string): Promise<string> {
    return this.waits(text);
  }

  @Sse('stream')
  stream(): Observable<MessageEvent> {
    return from(this.notes.insert({ text: 'streamed' })).pipe(
      mergeMap(() => NEVER.pipe(startWith('first'))),
      map((data) => ({ data })),
    );
  }

  @Get('count')
  async count(): Promise<object> {
    return { count: await this.notes.count() };
  }
}

onEach(['mariadb', 'sqljs'], (database) => {
  describe.each(PLATFORMS)('%s', (platform) => {
    const start = (session?: ScopedSessionModuleOptions, providers: object[] = []): Promise<Served> =>
      serve(
        database,
        {
          imports: [
            TypeOrmModule.forRoot(withNotes(database, { poolSize: 3 })),
            TypeOrmModule.forFeature([Note]),
            ScopedSessionModule.forRoot({ poolTimeoutMs: 5_000, ...session }),
          ],
          controllers: [WorkController],
          providers: [WaitingGuard, IdleGuard, ...(providers as [])],
        },
        platform,
      );
    const stored = async ({ app }: Served): Promise<string[]> => {
      const rows = await app
        .get(DataSource)
        .getRepository(Note)
        .find({ order: { id: 'ASC' } });
      return rows.map(({ text }) => text);
    };
    const ended = ({ liveScopes }: Served): Promise<void> =>
      waitUntil('the scope has ended', () => liveScopes() === 0);
    /** Asks, and goes away as soon as the handler is at work. */
    const askAndGo = async ({ url }: Served, path: string): Promise<void> => {
      const request = new AbortController();
      const answer = fetch(`${url}${path}`, { method: 'POST', signal: request.signal });
      await arrived.promise;
      request.abort();
      await expect(answer).rejects.toThrow('aborted');
    };

    beforeEach(() => {
      gate = signal();
      arrived = signal();
      outcome = signal();
      GivesUp.now = signal();
    });

    describe("onClientAbort 'finish' (the default)", () => {
      it('lets the handler finish, and commits', async () => {
        const served = await start();
        await askAndGo(served, '/waits/a');
        gate.resolve();
        expect(await outcome.promise).toBe('finished');
        await ended(served);
        expect(await stored(served)).toEqual(['a', 'a, again']);
      });

      it('does so too when the socket is torn down', async () => {
        const served = await start({ onClientAbort: 'finish' });
        const { port } = new URL(served.url);
        const socket = connect(Number(port), '127.0.0.1', () =>
          socket.write('POST /waits/a HTTP/1.1\r\nhost: test\r\ncontent-length: 0\r\n\r\n'),
        );
        await arrived.promise;
        socket.resetAndDestroy();
        gate.resolve();
        expect(await outcome.promise).toBe('finished');
        await ended(served);
        expect(await stored(served)).toEqual(['a', 'a, again']);
      });

      it('ends a handler that never settles when its time is up', async () => {
        const served = await start({ scopeTimeoutMs: 300 });
        await askAndGo(served, '/never/a');
        expect(served.liveScopes()).toBe(1);
        await ended(served);
        expect(await stored(served)).toEqual([]);
      });
    });

    describe("onClientAbort 'rollback'", () => {
      it('undoes what was done, and refuses what the handler still does', async () => {
        const served = await start({ onClientAbort: 'rollback' });
        await askAndGo(served, '/waits/a');
        await ended(served);
        expect(await stored(served)).toEqual([]);
        gate.resolve();
        expect(await outcome.promise).toBeInstanceOf(SessionClosedError);
        expect(await stored(served)).toEqual([]);
      });

      it('says in the refusal what has ended, and where work goes that outlives it', async () => {
        const served = await start({ onClientAbort: 'rollback' });
        await askAndGo(served, '/session/a');
        await ended(served);
        gate.resolve();
        const error = (await outcome.promise) as SessionClosedError;
        expect(error).toBeInstanceOf(SessionClosedError);
        expect(error.message).toContain('WorkController.viaSession');
        expect(error.message).toContain('scopedSession.independently(fn)');
        expect(await stored(served)).toEqual([]);
      });

      it('frees the connections of handlers that never settle: the others are served', async () => {
        const served = await start({ onClientAbort: 'rollback' });
        for (let round = 0; round < 4; round += 1) {
          arrived = signal();
          await askAndGo(served, `/never/n${round}`);
          await ended(served);
        }
        await served.http.get('/count').expect(200, { count: 0 });
      });

      it('changes nothing for a client that stays', async () => {
        const served = await start({ onClientAbort: 'rollback' });
        gate.resolve();
        await served.http.post('/waits/a').expect(201, 'done');
        expect(await stored(served)).toEqual(['a', 'a, again']);
      });
    });

    describe.each(['finish', 'rollback'] as const)("with either policy, here '%s',", (onClientAbort) => {
      it('an Observable is unsubscribed by Nest when the client goes, and rolled back', async () => {
        const served = await start({ onClientAbort });
        await askAndGo(served, '/observable/a');
        await ended(served);
        expect(await stored(served)).toEqual([]);
      });

      it('an Observable that would have a value later is rolled back as well', async () => {
        const served = await start({ onClientAbort });
        await askAndGo(served, '/late-observable/a');
        await ended(served);
        gate.resolve();
        expect(await stored(served)).toEqual([]);
      });

      it('a stream of server-sent events whose client goes is rolled back', async () => {
        const served = await start({ onClientAbort });
        const request = new AbortController();
        const response = await fetch(`${served.url}/stream`, { signal: request.signal });
        await response.body!.getReader().read();
        request.abort();
        await ended(served);
        expect(await stored(served)).toEqual([]);
      });

      it.each(['guarded', 'idly-guarded'])(
        'a client that goes before the handler runs leaves nothing, and the handler gets no session (%s)',
        async (route) => {
          const served = await start({ onClientAbort });
          await askAndGo(served, `/${route}/a`);
          await ended(served);
          gate.resolve();
          expect(await outcome.promise).toBeInstanceOf(SessionClosedError);
          expect(await stored(served)).toEqual([]);
        },
      );
    });

    describe('an interceptor that gives up', () => {
      it('outside, in AppModule, has the client told 500, and nothing is stored', async () => {
        const served = await start({}, [{ provide: APP_INTERCEPTOR, useClass: GivesUp }]);
        const answer = served.http.post('/waits/a').then(({ status }) => status);
        await arrived.promise;
        GivesUp.now.resolve();
        expect(await answer).toBe(500);
        await ended(served);
        gate.resolve();
        expect(await outcome.promise).toBeInstanceOf(SessionClosedError);
        expect(await stored(served)).toEqual([]);
      });

      it('outside, on a handler that never settles, frees its connection', async () => {
        const served = await start({}, [{ provide: APP_INTERCEPTOR, useClass: GivesUp }]);
        const answer = served.http.post('/never/a').then(({ status }) => status);
        await arrived.promise;
        GivesUp.now.resolve();
        expect(await answer).toBe(500);
        await ended(served);
        expect(await stored(served)).toEqual([]);
      });

      it('inside, on the handler, has the same outcome', async () => {
        const served = await start();
        const answer = served.http.post('/inner/a').then(({ status }) => status);
        await arrived.promise;
        GivesUp.now.resolve();
        expect(await answer).toBe(500);
        gate.resolve();
        expect(await outcome.promise).toBeInstanceOf(SessionClosedError);
        expect(await stored(served)).toEqual([]);
      });
    });
  });
});
