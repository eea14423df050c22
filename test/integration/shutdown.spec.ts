/** `app.close()`: work that runs is finished and kept, work that hangs is undone, and nothing new begins. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Controller, Get, type MessageEvent, Param, Post, Sse } from '@nestjs/common';
import { InjectRepository, TypeOrmModule } from '@nestjs/typeorm';
import {
  ScopeAbortedError,
  ScopedSession,
  ScopedSessionModule,
  type ScopedSessionModuleOptions,
  Session,
  SessionOptions,
} from 'nestjs-scoped-session';
import { from, map, mergeMap, NEVER, type Observable, startWith } from 'rxjs';
import { DataSource, type DataSourceOptions, Repository } from 'typeorm';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { serve, type Served, withNotes } from '../support/boot.js';
import { onEach, type TestDatabase } from '../support/databases.js';
import { Note } from '../support/note.js';
import { signal, waitUntil } from '../support/wait-until.js';

let gate = signal();
let arrived = signal();

@Controller()
class WorkController {
  constructor(
    @InjectRepository(Note) private readonly notes: Repository<Note>,
    private readonly session: ScopedSession,
  ) {}

  @Post('slow/:text')
  async slow(@Param('text') text: string): Promise<string> {
    await this.notes.insert({ text });
    arrived.resolve();
    await gate.promise;
    await this.notes.insert({ text: `${text}, again` });
    return 'done';
  }

  @Post('hung/:text')
  async hung(@Param('text') text: string): Promise<never> {
    await this.notes.insert({ text });
    arrived.resolve();
    return new Promise(() => undefined);
  }

  @Post('audited')
  async audited(): Promise<string> {
    arrived.resolve();
    await gate.promise;
    await this.session.independently(async () => this.notes.insert({ text: 'audit' }));
    return 'done';
  }

  @Get('quick')
  async quick(@Session() session: Session): Promise<unknown> {
    return { one: Number(await session.scalar('SELECT 1')) };
  }

  @Get('nothing')
  nothing(): string {
    return 'no database';
  }

  @Get('plain')
  @SessionOptions({ enabled: false })
  plain(): string {
    return 'no scope';
  }

  @Sse('stream')
  stream(): Observable<MessageEvent> {
    return from(this.notes.insert({ text: 'streamed' })).pipe(
      mergeMap(() => NEVER.pipe(startWith('first'))),
      map((data) => ({ data })),
    );
  }
}

onEach(['mariadb', 'sqljs'], (database) => {
  // Whose hook comes first depends on the order of the imports; the platform does not care.
  describe.each([
    ['express', 'before'],
    ['fastify', 'after'],
  ] as const)('%s', (platform, place) => {
    describe(`imported ${place} TypeOrmModule`, () => {
      let aftermath: Aftermath;

      beforeEach(() => {
        gate = signal();
        arrived = signal();
        aftermath = new Aftermath(database);
      });
      afterEach(() => aftermath.forget());

      const stored = (): Promise<string[]> => aftermath.stored();
      const start = (session?: ScopedSessionModuleOptions): Promise<Served> => {
        const ours = ScopedSessionModule.forRoot(session);
        const typeOrm = [TypeOrmModule.forRoot(aftermath.options()), TypeOrmModule.forFeature([Note])];
        const imports = place === 'before' ? [ours, ...typeOrm] : [...typeOrm, ours];
        return serve(database, { imports, controllers: [WorkController] }, platform);
      };

      it('waits for a request that runs, which commits and is answered', async () => {
        const { http, close, liveScopes } = await start();
        const answer = http.post('/slow/a').then((response) => response);
        await arrived.promise;
        const closing = close();
        gate.resolve();
        expect((await answer).status).toBe(201);
        await closing;
        expect(liveScopes()).toBe(0);
        expect(await stored()).toEqual(['a', 'a, again']);
      });

      it('answers 503 to requests that come while it waits, and invites them to try elsewhere', async () => {
        const { http, close } = await start();
        const answer = http.post('/slow/a').then((response) => response);
        await arrived.promise;
        const closing = close();
        await waitUntil('the application drains', async () => (await http.get('/nothing')).status === 503);
        const { body, headers } = await http.get('/quick').expect(503);
        expect(body).toEqual({ statusCode: 503, message: 'Service Unavailable', error: 'SS_ERR_DRAINING' });
        expect(headers['retry-after']).toBe('1');
        gate.resolve();
        await closing;
        expect((await answer).status).toBe(201);
        expect(await stored()).toEqual(['a', 'a, again']);
      });

      it('waits for a request whose client has gone, which Nest would not', async () => {
        const { url, close } = await start();
        const request = new AbortController();
        const answer = fetch(`${url}/slow/a`, { method: 'POST', signal: request.signal });
        await arrived.promise;
        request.abort();
        await expect(answer).rejects.toThrow('aborted');
        const closing = close();
        gate.resolve();
        await closing;
        expect(await stored()).toEqual(['a', 'a, again']);
      });

      it('waits for jobs that scopedSession.run has begun', async () => {
        const { app, close } = await start();
        const session = app.get(ScopedSession);
        const job = session.run(async ({ manager }) => {
          await manager.insert(Note, { text: 'job' });
          await gate.promise;
          await manager.insert(Note, { text: 'job, again' });
        });
        const closing = close();
        gate.resolve();
        await job;
        await closing;
        expect(await stored()).toEqual(['job', 'job, again']);
      });

      it('lets a unit of work that it waits for begin one of its own', async () => {
        const { http, close } = await start();
        const answer = http.post('/audited').then((response) => response);
        await arrived.promise;
        const closing = close();
        gate.resolve();
        expect((await answer).status).toBe(201);
        await closing;
        expect(await stored()).toEqual(['audit']);
      });

      it('undoes a request that hangs after drainTimeoutMs, and tells its client', async () => {
        const { http, heard, close } = await start({ drainTimeoutMs: 50 });
        const answer = http.post('/hung/a').then((response) => response);
        await arrived.promise;
        await close();
        const { status, body } = await answer;
        expect(status).toBe(503);
        expect(body).toEqual({
          statusCode: 503,
          message: 'Service Unavailable',
          error: 'SS_ERR_SCOPE_ABORTED',
        });
        expect(heard.of('warn', '1 unit(s) of work were cut short: WorkController.hung.')).toHaveLength(1);
        expect(await stored()).toEqual([]);
      });

      it('undoes a job that hangs after drainTimeoutMs, and tells whoever waits for it', async () => {
        const { app, close } = await start({ drainTimeoutMs: 50 });
        const job = app.get(ScopedSession).run(
          async ({ manager }) => {
            await manager.insert(Note, { text: 'job' });
            arrived.resolve();
            await new Promise(() => undefined);
          },
          { label: 'nightly report' },
        );
        const failed = job.then(
          () => undefined,
          (error: unknown) => error,
        );
        await arrived.promise;
        await close();
        const error = await failed;
        expect(error).toBeInstanceOf(ScopeAbortedError);
        expect(error).toMatchObject({ outcome: 'rolledBack' });
        expect((error as Error).message).toContain('50 ms (drainTimeoutMs)');
        expect(await stored()).toEqual([]);
      });

      it('waits for nobody with drainTimeoutMs 0', async () => {
        const { http, close } = await start({ drainTimeoutMs: 0 });
        const answer = http.post('/hung/a').then((response) => response);
        await arrived.promise;
        await close();
        expect((await answer).status).toBe(503);
        expect(await stored()).toEqual([]);
      });

      it('ends a stream of server-sent events, which would never end by itself', async () => {
        const { url, close } = await start({ drainTimeoutMs: 50 });
        const response = await fetch(`${url}/stream`);
        const reader = response.body!.getReader();
        await reader.read();
        await close();
        await reader.read().catch(() => undefined);
        expect(await stored()).toEqual([]);
      });

      it('is done at once when nothing runs, and gives the DataSource back', async () => {
        const { app, http, close } = await start();
        await http.get('/quick').expect(200, { one: 1 });
        const dataSource = app.get(DataSource, { strict: false });
        await close();
        expect(dataSource.isInitialized).toBe(false);
        expect(Object.hasOwn(dataSource, 'query')).toBe(false);
      });
    });
  });
});

/** A database that can be read when the application is gone: sql.js writes its file with every commit. */
class Aftermath {
  readonly #directory = mkdtempSync(join(tmpdir(), 'shutdown-'));

  constructor(private readonly database: TestDatabase) {}

  options(): DataSourceOptions {
    return withNotes(this.database, this.#location);
  }

  get #location(): { location?: string; autoSave?: boolean } {
    return this.database.kind === 'sqljs' ? { location: join(this.#directory, 'notes'), autoSave: true } : {};
  }

  async stored(): Promise<string[]> {
    const reader = new DataSource(this.database.options({ ...this.#location, entities: [Note] }));
    await reader.initialize();
    const rows = await reader.getRepository(Note).find({ order: { id: 'ASC' } });
    await reader.destroy();
    return rows.map(({ text }) => text);
  }

  forget(): void {
    rmSync(this.#directory, { recursive: true });
  }
}
