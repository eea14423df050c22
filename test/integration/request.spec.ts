/** One request, one session: what the client is told and what the database has, on both platforms and all databases. */
import { engineOf } from '../../src/engine/index.js';
import {
  Body,
  type CallHandler,
  type CanActivate,
  ConflictException,
  Controller,
  type ExecutionContext,
  Get,
  Head,
  HttpCode,
  Injectable,
  type NestInterceptor,
  Param,
  Post,
  Query,
  Res,
  UseGuards,
  UseInterceptors,
} from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import { ScopedSession, Session, SessionOptions } from 'nestjs-scoped-session';
import { EMPTY, from, NEVER, type Observable, of, throwError, timeout } from 'rxjs';
import { Repository } from 'typeorm';
import { beforeEach, describe, expect, it } from 'vitest';
import { onEach, KINDS } from '../support/databases.js';
import { Note } from '../support/note.js';
import { PLATFORMS, startApp, type TestApp } from '../support/test-app.js';
import { signal, waitUntil } from '../support/wait-until.js';

@Injectable()
class NotesService {
  constructor(
    readonly session: ScopedSession,
    @InjectRepository(Note) readonly notes: Repository<Note>,
  ) {}

  async add(text: string): Promise<void> {
    await this.notes.insert({ text });
  }
}

@Injectable()
class RefusingGuard implements CanActivate {
  canActivate(): boolean {
    return false;
  }
}

@Injectable()
class ReadingGuard implements CanActivate {
  constructor(private readonly session: ScopedSession) {}

  async canActivate(): Promise<boolean> {
    this.session.info['guard'] = await this.session.scalar('SELECT COUNT(*) FROM note');
    return true;
  }
}

@Injectable()
class WritingThenRefusingGuard implements CanActivate {
  constructor(private readonly notes: NotesService) {}

  async canActivate(): Promise<boolean> {
    await this.notes.add('by the guard');
    return false;
  }
}

@Injectable()
class ShortTimeout implements NestInterceptor {
  intercept(_context: ExecutionContext, next: CallHandler): Observable<unknown> {
    return next.handle().pipe(timeout(50));
  }
}

/** What handlers wait for, and where they say that they have come. */
let gate = signal();
let arrived = signal();

@Controller()
class NotesController {
  constructor(private readonly notes: NotesService) {}

  @Get('nothing')
  nothing(): string {
    return 'no database';
  }

  @Get('count')
  async count(@Session() session: Session): Promise<object> {
    return { count: Number(await session.scalar('SELECT COUNT(*) FROM note')), guard: session.info['guard'] };
  }

  @Get('guarded')
  @UseGuards(ReadingGuard)
  async guarded(@Session() session: Session): Promise<object> {
    return { same: session === this.notes.session.current(), guard: Number(session.info['guard']) };
  }

  @Get('refused')
  @UseGuards(RefusingGuard)
  refused(): string {
    return 'never';
  }

  @Post('refused-after-write')
  @UseGuards(WritingThenRefusingGuard)
  refusedAfterWrite(): string {
    return 'never';
  }

  @Post('notes')
  async create(@Body() { text }: { text: string }, @Session() session: Session): Promise<object> {
    await this.notes.add(text);
    const { insertId } = await session.execute('INSERT INTO note (text) VALUES (:text)', {
      text: `${text}, again`,
    });
    return { insertId: Number(insertId) };
  }

  @Post('throws')
  async throws(@Body() { text }: { text: string }): Promise<void> {
    await this.notes.add(text);
    throw new ConflictException('not like this');
  }

  @Post('rejects-nothing')
  async rejectsNothing(@Body() { text }: { text: string }): Promise<void> {
    await this.notes.add(text);
    // oxlint-disable-next-line typescript/only-throw-error -- some code does
    throw undefined;
  }

  @Post('status')
  async status(
    @Body() { text }: { text: string },
    @Res({ passthrough: true }) response: { status(code: number): unknown },
  ): Promise<string> {
    await this.notes.add(text);
    response.status(422);
    return 'no';
  }

  @Post('observable')
  observable(@Body() { text }: { text: string }): Observable<string> {
    return from(this.notes.add(text).then(() => 'done'));
  }

  @Post('failing-observable')
  failingObservable(@Body() { text }: { text: string }): Observable<unknown> {
    return from(this.notes.add(text).then(() => Promise.reject(new ConflictException())));
  }

  @Post('empty')
  async empty(@Body() { text }: { text: string }): Promise<Observable<never>> {
    await this.notes.add(text);
    return EMPTY;
  }

  @Post('many')
  async many(@Body() { text }: { text: string }): Promise<Observable<string>> {
    await this.notes.add(text);
    return of('first', 'last');
  }

  @Post('manual-response')
  async manualResponse(
    @Body() { text }: { text: string },
    @Res() response: { send(body: string): void },
  ): Promise<void> {
    await this.notes.add(text);
    response.send('sent by hand');
  }

  @Post('rollback-only')
  async rollbackOnly(@Body() { text }: { text: string }, @Session() session: Session): Promise<string> {
    await this.notes.add(text);
    session.setRollbackOnly('a dry run');
    return 'dry';
  }

  @Post('inner-timeout')
  @UseInterceptors(ShortTimeout)
  async innerTimeout(@Body() { text }: { text: string }): Promise<string> {
    await this.notes.add(text);
    arrived.resolve();
    await gate.promise;
    await this.notes.add(`${text}, by the zombie`);
    return 'too late';
  }

  @Post('waits')
  async waits(@Body() { text }: { text: string }): Promise<string> {
    await this.notes.add(text);
    arrived.resolve();
    await gate.promise;
    return 'done';
  }

  @Post('never')
  @SessionOptions({ timeoutMs: 200 })
  async never(@Body() { text }: { text: string }): Promise<string> {
    await this.notes.add(text);
    return new Promise(() => undefined);
  }

  @Post('never-observable')
  @SessionOptions({ timeoutMs: 200 })
  neverObservable(@Body() { text }: { text: string }): Observable<unknown> {
    void this.notes.add(text);
    return NEVER;
  }

  @Post('late-error')
  lateError(@Body() { text }: { text: string }, @Session() session: Session): string {
    void session.execute('INSERT INTO note (text) VALUES (:text)', { text });
    void session.execute('INSERT INTO note (text) VALUES (:text)', { text });
    return 'fine, I think';
  }

  @Post('late-write')
  lateWrite(@Body() { text }: { text: string }, @Session() session: Session): string {
    void session.execute('INSERT INTO note (text) VALUES (:text)', { text });
    return 'was not awaited';
  }

  @Post('swallowed')
  async swallowed(@Body() { text }: { text: string }, @Session() session: Session): Promise<string> {
    await this.notes.add(text);
    await session.execute('INSERT INTO no_such_table VALUES (1)').catch(() => undefined);
    return 'went on';
  }

  @Post('manual')
  @SessionOptions({ commit: 'manual' })
  async manual(
    @Query('commit') commit: string,
    @Body() { text }: { text: string },
    @Session() session: Session,
  ): Promise<string> {
    await this.notes.add(text);
    if (commit === 'yes') await session.commit();
    return commit;
  }

  @Post('plain')
  @SessionOptions({ enabled: false })
  async plain(@Body() { text }: { text: string }): Promise<void> {
    await this.notes.add(text);
    throw new ConflictException('and yet it is stored');
  }

  @Post('left')
  @SessionOptions({ repositories: 'leave' })
  async left(@Body() { text }: { text: string }): Promise<void> {
    await this.notes.add(text);
    throw new ConflictException('and yet it is stored');
  }

  @Get('read-only')
  @SessionOptions({ readOnly: true })
  async readOnly(): Promise<void> {
    await this.notes.add('never');
  }

  @Post('accepted')
  @HttpCode(202)
  accepted(): string {
    return 'later';
  }

  @Head('head/:text')
  async head(@Param('text') text: string): Promise<void> {
    await this.notes.add(text);
  }

  @Post('thrown-at-once')
  thrownAtOnce(): Observable<unknown> {
    return throwError(() => new ConflictException());
  }
}

onEach(KINDS, (database) => {
  describe.each(PLATFORMS)('%s', (platform) => {
    let test: TestApp;
    const stored = async (): Promise<string[]> => {
      const rows = await test.dataSource.query<{ text: string }[]>('SELECT text FROM note ORDER BY id');
      return rows.map(({ text }) => text);
    };
    /** From another connection where there is one: only what was committed is seen. */
    const seenFromOutside = async (): Promise<string[]> =>
      database.kind === 'sqljs'
        ? stored()
        : (await database.ask<{ text: string }>('SELECT text FROM note ORDER BY id')).map(({ text }) => text);
    const leases = (): number => {
      return engineOf(test.dataSource).status().active;
    };

    beforeEach(async () => {
      gate = signal();
      arrived = signal();
      test = await startApp(database, {
        platform,
        controllers: [NotesController],
        providers: [NotesService, ReadingGuard, RefusingGuard, WritingThenRefusingGuard],
        dataSource: { poolSize: 3 },
        session: { settleTimeoutMs: 1_000, poolTimeoutMs: 10_000, gateTimeoutMs: 10_000 },
      });
    });

    it('commits before the client has its answer', async () => {
      await test.http
        .post('/notes')
        .send({ text: 'a' })
        .expect(201, { insertId: database.kind === 'postgres' ? null : 2 });
      expect(await seenFromOutside()).toEqual(['a', 'a, again']);
    });

    it('stores nothing of a request that throws, and answers with its error', async () => {
      await test.http.post('/throws').send({ text: 'a' }).expect(409);
      await test.http.post('/rejects-nothing').send({ text: 'a' }).expect(500);
      expect(await seenFromOutside()).toEqual([]);
    });

    it('rolls back when the answer is an error status without a throw', async () => {
      await test.http.post('/status').send({ text: 'a' }).expect(422);
      expect(await seenFromOutside()).toEqual([]);
    });

    it('F71: gives guard, service and handler the same session', async () => {
      await test.http.get('/guarded').expect(200, { same: true, guard: 0 });
    });

    it('takes no connection for a route without a database, or one that a guard refuses', async () => {
      const { driver } = test.dataSource;
      let taken = 0;
      const created = driver.createQueryRunner.bind(driver);
      driver.createQueryRunner = (mode) => {
        taken += 1;
        return created(mode);
      };
      await test.http.get('/nothing').expect(200, 'no database');
      await test.http.post('/accepted').expect(202);
      await test.http.get('/refused').expect(403);
      expect(taken).toBe(0);
    });

    it('F71: rolls back what a guard wrote that then refused', async () => {
      await test.http.post('/refused-after-write').expect(403);
      await waitUntil('the scope has ended', () => test.liveScopes() === 0);
      expect(await seenFromOutside()).toEqual([]);
    });

    it('commits and rolls back Observables', async () => {
      await test.http.post('/observable').send({ text: 'kept' }).expect(201, 'done');
      await test.http.post('/many').send({ text: 'kept too' }).expect(201, 'last');
      await test.http.post('/failing-observable').send({ text: 'lost' }).expect(409);
      await test.http.post('/thrown-at-once').expect(409);
      expect(await seenFromOutside()).toEqual(['kept', 'kept too']);
    });

    it('rolls back an Observable without a value, which Nest answers with 500', async () => {
      await test.http.post('/empty').send({ text: 'a' }).expect(500);
      expect(await seenFromOutside()).toEqual([]);
    });

    it('commits a response that was sent by hand', async () => {
      await test.http.post('/manual-response').send({ text: 'a' }).expect(201, 'sent by hand');
      await waitUntil('the scope has ended', () => test.liveScopes() === 0);
      expect(await seenFromOutside()).toEqual(['a']);
    });

    it('rolls back without an error when it was marked rollback-only', async () => {
      await test.http.post('/rollback-only').send({ text: 'a' }).expect(201, 'dry');
      expect(await seenFromOutside()).toEqual([]);
    });

    it('serves 30 requests at a time on a pool of 3', async () => {
      const all = await Promise.all(
        Array.from({ length: 30 }, (_, index) =>
          test.http.post(index % 3 === 0 ? '/throws' : '/notes').send({ text: `n${index}` }),
        ),
      );
      expect(all.filter(({ status }) => status === 201)).toHaveLength(20);
      expect(all.filter(({ status }) => status === 409)).toHaveLength(10);
      expect(await seenFromOutside()).toHaveLength(40);
    });

    it('rolls back when a timeout inside answers first, and refuses what its handler still does', async () => {
      await test.http.post('/inner-timeout').send({ text: 'a' }).expect(500);
      expect(await seenFromOutside()).toEqual([]);
      gate.resolve();
      await new Promise(setImmediate);
      expect(leases()).toBe(0);
      expect(await seenFromOutside()).toEqual([]);
    });

    it('F63: finishes a handler whose client has gone', async () => {
      const request = new AbortController();
      const answer = fetch(`${test.url}/waits`, {
        method: 'POST',
        body: JSON.stringify({ text: 'a' }),
        headers: { 'content-type': 'application/json' },
        signal: request.signal,
      });
      await arrived.promise;
      request.abort();
      await expect(answer).rejects.toThrow('aborted');
      gate.resolve();
      await waitUntil('the scope has ended', () => test.liveScopes() === 0);
      expect(await seenFromOutside()).toEqual(['a']);
    });

    it('F66, F67: cuts a handler short that never ends, and tells the client', async () => {
      const { body } = await test.http.post('/never').send({ text: 'a' }).expect(503);
      expect(body).toEqual({
        statusCode: 503,
        message: 'Service Unavailable',
        error: 'SS_ERR_SCOPE_TIMEOUT',
      });
      await test.http.post('/never-observable').send({ text: 'a' }).expect(503);
      expect(await seenFromOutside()).toEqual([]);
    });

    it('keeps a write that was not awaited, and fails the request when such a write fails', async () => {
      await test.http.post('/late-write').send({ text: 'a' }).expect(201);
      expect(await seenFromOutside()).toEqual(['a']);
      // The second insert of the same text breaks the unique key, and nobody awaits it.
      await test.http.post('/late-error').send({ text: 'b' }).expect(500);
      expect(await seenFromOutside()).toEqual(['a']);
    });

    it('never answers 2xx for a transaction that the server has given up', async () => {
      // PostgreSQL gives the whole transaction up for one failed statement; the others only that statement.
      const keeps = database.kind !== 'postgres';
      await test.http
        .post('/swallowed')
        .send({ text: 'a' })
        .expect(keeps ? 201 : 500);
      expect(await seenFromOutside()).toEqual(keeps ? ['a'] : []);
    });

    it("stores with commit 'manual' only what was committed by hand", async () => {
      await test.http.post('/manual?commit=no').send({ text: 'lost' }).expect(201);
      await test.http.post('/manual?commit=yes').send({ text: 'kept' }).expect(201);
      expect(await seenFromOutside()).toEqual(['kept']);
    });

    it('leaves handlers plain that ask for it', async () => {
      await test.http.post('/plain').send({ text: 'plain' }).expect(409);
      await test.http.post('/left').send({ text: 'left' }).expect(409);
      expect(await seenFromOutside()).toEqual(['plain', 'left']);
    });

    it('lets the server refuse writes of a read-only handler', async () => {
      await test.http.get('/read-only').expect(500);
      await test.http.post('/notes').send({ text: 'a' }).expect(201);
      expect(await seenFromOutside()).toEqual(['a', 'a, again']);
    });

    it('commits a HEAD request as any other', async () => {
      await test.http.head('/head/a').expect(200);
      expect(await seenFromOutside()).toEqual(['a']);
    });
  });
});
