/** Nobody waits for the answer any more: the statement that runs is ended on the server, and what was done is undone. */
import type { Server } from 'node:http';
import {
  type CallHandler,
  Controller,
  type ExecutionContext,
  Get,
  Injectable,
  type NestInterceptor,
  Post,
  UseInterceptors,
} from '@nestjs/common';
import { APP_INTERCEPTOR } from '@nestjs/core';
import { ScopedSession } from 'nestjs-scoped-session';
import { defer, from, type Observable, timeout } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { onEach, SERVERS } from '../support/databases.js';
import { Note } from '../support/note.js';
import { endless, isRunning } from '../support/running-statements.js';
import { PLATFORMS, startApp, type TestApp, type TestAppOptions } from '../support/test-app.js';
import { waitUntil } from '../support/wait-until.js';

@Injectable()
class ShortTimeout implements NestInterceptor {
  intercept(_context: ExecutionContext, next: CallHandler): Observable<unknown> {
    return next.handle().pipe(timeout(300));
  }
}

onEach(SERVERS, (database) => {
  const statement = endless(database);

  @Controller()
  class ReportController {
    constructor(private readonly session: ScopedSession) {}

    @Post('promise')
    async promise(): Promise<unknown> {
      await this.session.manager.insert(Note, { text: 'undone' });
      return this.session.query(statement);
    }

    @Post('observable')
    observable(): Observable<unknown> {
      return defer(() => from(this.promise()));
    }

    @Post('inner-timeout')
    @UseInterceptors(ShortTimeout)
    async innerTimeout(): Promise<unknown> {
      return this.promise();
    }

    @Get('generator')
    async *generator(): AsyncGenerator<string> {
      yield 'first';
      await this.promise();
      yield 'last';
    }

    @Get('rows')
    async rows(): Promise<unknown> {
      return (await this.session.queryRunner.stream(statement)).map(() => Buffer.from('a row'));
    }
  }

  // What is sent to the server is the same on both.
  describe.each(database.kind === 'mariadb' ? PLATFORMS : (['express'] as const))('%s', (platform) => {
    let test: TestApp;
    const start = async (options: Partial<TestAppOptions> = {}): Promise<void> => {
      test = await startApp(database, { platform, controllers: [ReportController], ...options });
    };
    const running = (): Promise<void> => waitUntil('it runs', () => isRunning(database, statement));
    /** Long before its unit of work would have been limited by anything else. */
    const isOver = async (): Promise<void> => {
      await waitUntil('the scope has ended', () => test.liveScopes() === 0, 2_500);
      await waitUntil('the server has ended it', async () => !(await isRunning(database, statement)), 2_500);
      expect(await database.ask('SELECT text FROM note')).toEqual([]);
    };
    const askAndGo = async (method: string, path: string): Promise<void> => {
      const asked = new AbortController();
      const answer = fetch(`${test.url}/${path}`, { method, signal: asked.signal });
      const read = answer.then((response) => response.text()).catch(() => undefined);
      await running();
      asked.abort();
      await read;
    };

    it("F63, ASY-14: onClientAbort 'rollback': of a Promise handler", async () => {
      await start({ session: { onClientAbort: 'rollback' } });
      await askAndGo('POST', 'promise');
      await isOver();
    });

    it('F64: of an Observable that Nest tears down when the client goes', async () => {
      await start();
      await askAndGo('POST', 'observable');
      await isOver();
    });

    it('of a body whose client goes', async () => {
      await start();
      await askAndGo('GET', 'generator');
      await isOver();
    });

    it.runIf(database.kind === 'mariadb')('of rows that are the body whose client goes', async () => {
      await start();
      await askAndGo('GET', 'rows');
      await isOver();
    });

    it('of a timeout outside, whose client was told 500', async () => {
      await start({ providers: [{ provide: APP_INTERCEPTOR, useClass: ShortTimeout }] });
      await test.http.post('/promise').expect(500);
      await isOver();
    });

    it('of a timeout inside', async () => {
      await start();
      await test.http.post('/inner-timeout').expect(500);
      await isOver();
    });

    it("of a server that closes the socket after its own time, with onClientAbort 'rollback'", async () => {
      await start({ session: { onClientAbort: 'rollback' } });
      (test.app.getHttpServer() as Server).setTimeout(300);
      await expect(fetch(`${test.url}/promise`, { method: 'POST' })).rejects.toThrow('fetch failed');
      await isOver();
    });
  });
});
