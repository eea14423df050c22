/** Bugs of other libraries in whole applications, none of which happens here; docs/recipes.md has their numbers. */
import {
  ConflictException,
  Controller,
  Get,
  Injectable,
  type MessageEvent,
  type ModuleMetadata,
  Post,
  Query,
  Scope,
  Sse,
} from '@nestjs/common';
import { InjectRepository, TypeOrmModule } from '@nestjs/typeorm';
import {
  isRetryable,
  scopedDataSource,
  ScopedSession,
  ScopedSessionModule,
  SessionClosedError,
  type ScopedSessionModuleOptions,
  Transactional,
} from 'nestjs-scoped-session';
import { withSession } from 'nestjs-scoped-session/testing';
import { finalize, interval, map, type Observable } from 'rxjs';
import { DataSource, type QueryRunner, Repository } from 'typeorm';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { serve, type Served, withNotes } from '../support/boot.js';
import { onEach, SERVERS } from '../support/databases.js';
import { Note } from '../support/note.js';
import { refuse } from '../support/on-plain.js';
import { plainDataSource } from '../support/plain-and-ours.js';
import { waitUntil } from '../support/wait-until.js';

@Injectable({ scope: Scope.REQUEST })
class RequestService {
  constructor(@InjectRepository(Note) private readonly notes: Repository<Note>) {}

  @Transactional()
  async add(text: string): Promise<void> {
    await this.notes.insert({ text });
    if (text === 'refused') throw new ConflictException();
  }
}

let kept: QueryRunner | undefined;
let streams = { begun: 0, ended: 0 };

@Controller()
class NotesController {
  constructor(
    private readonly service: RequestService,
    private readonly session: ScopedSession,
  ) {}

  @Post('request-scoped')
  async requestScoped(@Query('text') text: string): Promise<void> {
    await this.service.add(text);
  }

  @Get('tenant')
  async tenant(@Query('tenant') tenant: string): Promise<{ seen: unknown }> {
    const isMysql = this.session.dataSource.options.type === 'mariadb';
    const [set, ask] = isMysql
      ? ['SET @tenant = :tenant', 'SELECT @tenant']
      : ["SELECT set_config('app.tenant', :tenant, true)", "SELECT current_setting('app.tenant')"];
    await this.session.execute(set, { tenant });
    const seen = await this.session.scalar(ask);
    if (isMysql) await this.session.execute('SET @tenant = NULL');
    return { seen };
  }

  @Post('releases')
  async releases(): Promise<void> {
    const { manager } = this.session;
    await manager.insert(Note, { text: 'before' });
    await manager.transaction(async (inner) => inner.queryRunner!.release());
    await manager.queryRunner!.release();
    await manager.insert(Note, { text: 'after' });
    kept = this.session.queryRunner;
  }

  @Sse('ticks')
  ticks(): Observable<MessageEvent> {
    streams.begun += 1;
    return interval(5).pipe(
      map((data) => ({ data: String(data) })),
      finalize(() => void (streams.ended += 1)),
    );
  }
}

onEach(SERVERS, (database) => {
  let served: Served;
  let session: ScopedSession;
  const start = async (options?: ScopedSessionModuleOptions, more: ModuleMetadata = {}): Promise<void> => {
    served = await serve(database, {
      imports: [
        TypeOrmModule.forRoot(withNotes(database)),
        TypeOrmModule.forFeature([Note]),
        ScopedSessionModule.forRoot(options),
      ],
      controllers: [NotesController],
      providers: [RequestService],
      ...more,
    });
    session = served.app.get(ScopedSession);
  };
  const stored = async (): Promise<string[]> =>
    (await database.ask<Note>('SELECT text FROM note ORDER BY id')).map(({ text }) => text);
  const add = (text: string): Promise<unknown> =>
    session.execute('INSERT INTO note (text) VALUES (:text)', { text });

  describe('an application', () => {
    beforeEach(async () => {
      streams = { begun: 0, ended: 0 };
      await start();
    });

    it('5.D.6: @Transactional() on a REQUEST-scoped provider is in the transaction of the request', async () => {
      await served.http.post('/request-scoped?text=refused').expect(409);
      await served.http.post('/request-scoped?text=kept').expect(201);
      expect(await stored()).toEqual(['kept']);
    });

    it('5.C.3: a stream whose client goes is unsubscribed', async () => {
      const request = new AbortController();
      const response = await fetch(`${served.url}/ticks`, { signal: request.signal });
      await response.body!.getReader().read();
      request.abort();
      await waitUntil('the stream has ended', () => streams.ended === 1);
      expect(streams.begun).toBe(1);
    });

    it('5.E.6, 5.E.7: code that releases the runner it has found takes it from nobody, and nobody gets it again', async () => {
      await served.http.post('/releases').expect(201);
      expect(await stored()).toEqual(['before', 'after']);
      await expect(kept!.query("INSERT INTO note (text) VALUES ('stale')")).rejects.toThrow(
        SessionClosedError,
      );
      expect(await stored()).toEqual(['before', 'after']);
    });

    it('5.F.1: a tenant from a header is a value, whatever it says', async () => {
      const hostile = "x'; SELECT 'victim'; --";
      await served.http.get('/tenant').query({ tenant: hostile }).expect(200, { seen: hostile });
    });

    it('5.G.7, 5.G.8: a test’s session is that of its application, and a ROLLBACK that fails is nobody else’s', async () => {
      const other = await plainDataSource(database, { dropSchema: false });
      database.watch({ dataSource: other, close: () => other.destroy() });
      const test = withSession(served.app, async (own) => {
        refuse(await own.connection(), 'ROLLBACK');
        await add('undone');
        await other.getRepository(Note).insert({ text: 'plain' });
        throw new Error('The test has failed.');
      });
      await expect(test).rejects.toThrow('The test has failed.');
      await withSession(served.app, () => add('of the next test'));
      expect(await stored()).toEqual(['plain', 'of the next test']);
    });

    it('5.E.3, 5.E.4: a retry has a new transaction, and the last error is the one that is told', async () => {
      const fails =
        database.kind === 'mariadb'
          ? 'SELECT * FROM note FOR UPDATE NOWAIT'
          : "DO $$ BEGIN RAISE EXCEPTION 'Deadlock' USING ERRCODE = '40P01'; END $$";
      const holder = served.app.get(DataSource).createQueryRunner();
      await holder.startTransaction();
      await holder.query("INSERT INTO note (text) VALUES ('locked')");
      let attempts = 0;
      const work = (failures: number): Promise<unknown> =>
        session.run(
          async () => {
            attempts += 1;
            await add(`attempt ${attempts}`);
            if (attempts <= failures) await session.execute(fails);
          },
          { retry: { times: 2, delayMs: 1 } },
        );
      await work(1);
      expect(await stored()).toEqual(['attempt 2']);
      attempts = 2;
      const error: unknown = await work(99).catch((reason: unknown) => reason);
      expect(attempts).toBe(5);
      expect(isRetryable(error)).toBe(true);
      await holder.rollbackTransaction();
      await holder.release();
      expect(await stored()).toEqual(['attempt 2']);
    });
  });

  it('5.C.2: a request whose options throw is answered, and nothing is unhandled', async () => {
    await start({
      rollbackOn: () => {
        throw new Error('rollbackOn has failed.');
      },
    });
    await served.http.post('/request-scoped?text=kept').expect(500);
    expect(await stored()).toEqual([]);
  });

  it('5.B.6: a DataSource that is made again after a failed attempt is one, and joins', async () => {
    let attempts = 0;
    await start(undefined, {
      imports: [
        TypeOrmModule.forRootAsync({
          useFactory: () => ({ ...withNotes(database), retryAttempts: 3, retryDelay: 5 }),
          dataSourceFactory: async (options) => {
            const dataSource = await scopedDataSource(options);
            attempts += 1;
            if (attempts === 1) throw new Error('The database is not there yet.');
            return dataSource;
          },
        }),
        TypeOrmModule.forFeature([Note]),
        ScopedSessionModule.forRoot(),
      ],
    });
    expect(attempts).toBe(2);
    await served.http.post('/request-scoped?text=refused').expect(409);
    expect(await stored()).toEqual([]);
    expect(served.app.get(DataSource).isInitialized).toBe(true);
  });

  describe('5.G.5: under NODE_ENV=TEST', () => {
    const before = process.env['NODE_ENV'];
    beforeEach(() => void (process.env['NODE_ENV'] = 'TEST'));
    afterEach(() => void (process.env['NODE_ENV'] = before));

    it('transactions are transactions', async () => {
      await start();
      await served.http.post('/request-scoped?text=refused').expect(409);
      expect(await stored()).toEqual([]);
    });
  });
});
