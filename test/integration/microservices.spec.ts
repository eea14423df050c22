/** Messages over TCP: each is a unit of work, in a service of its own and beside HTTP in a hybrid application. */
import {
  type CanActivate,
  Controller,
  Get,
  type INestMicroservice,
  Injectable,
  Logger,
  UseGuards,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import {
  ClientTCP,
  EventPattern,
  MessagePattern,
  type MicroserviceOptions,
  Payload,
  RpcException,
  type TcpOptions,
  Transport,
} from '@nestjs/microservices';
import { InjectRepository, TypeOrmModule } from '@nestjs/typeorm';
import {
  NoActiveScopeError,
  ScopedSession,
  ScopedSessionModule,
  Session,
  SessionOptions,
} from 'nestjs-scoped-session';
import { concat, defer, from, lastValueFrom, map, mergeMap, type Observable, of, tap, toArray } from 'rxjs';
import { DataSource, Repository } from 'typeorm';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ActiveWork } from '../../src/nest/active-work.js';
import { appModule, Hearing, serve, type Served, withNotes } from '../support/boot.js';
import { onEach, type TestDatabase } from '../support/databases.js';
import { Note } from '../support/note.js';
import { freePort } from '../support/private-server.js';
import { signal, waitUntil } from '../support/wait-until.js';

let gate = signal();
let arrived = signal();
/** How a guard's use of the session came out. */
let guarded: unknown;

@Injectable()
class AskingGuard implements CanActivate {
  constructor(private readonly session: ScopedSession) {}

  canActivate(): boolean {
    try {
      guarded = this.session.info;
    } catch (error) {
      guarded = error;
    }
    return true;
  }
}

@Controller()
class NotesController {
  constructor(
    @InjectRepository(Note) private readonly notes: Repository<Note>,
    private readonly session: ScopedSession,
  ) {}

  @MessagePattern('create')
  async create(@Payload() text: string, @Session() session: Session): Promise<object> {
    await this.notes.insert({ text });
    await session.execute('INSERT INTO note (text) VALUES (:text)', { text: `${text}, again` });
    return { same: session === this.session.current() };
  }

  @MessagePattern('throws')
  async throws(@Payload() text: string): Promise<never> {
    await this.notes.insert({ text });
    throw new RpcException('not like this');
  }

  @MessagePattern('waits')
  async waits(@Payload() text: string): Promise<string> {
    await this.notes.insert({ text });
    arrived.resolve();
    await gate.promise;
    return 'done';
  }

  @MessagePattern('stream')
  stream(@Payload() text: string): Observable<string> {
    return concat(
      of('first'),
      from(gate.promise).pipe(
        mergeMap(async () => this.notes.insert({ text })),
        map(() => 'last'),
      ),
    );
  }

  @MessagePattern('failing-stream')
  failingStream(@Payload() text: string): Observable<string> {
    return concat(
      of('first'),
      defer(async () => {
        await this.notes.insert({ text });
        throw new RpcException('not to the end');
      }),
    );
  }

  @MessagePattern('guarded')
  @UseGuards(AskingGuard)
  guarded(): string {
    return 'done';
  }

  @MessagePattern('one')
  async one(@Session() session: Session): Promise<unknown> {
    return (await session.execute('SELECT text FROM note')).one();
  }

  @MessagePattern('never')
  @SessionOptions({ timeoutMs: 50 })
  async never(@Payload() text: string): Promise<never> {
    await this.notes.insert({ text });
    return new Promise(() => undefined);
  }

  @MessagePattern('plain')
  async plain(@Payload() text: string): Promise<never> {
    await this.notes.insert({ text });
    throw new RpcException('and yet it is stored');
  }

  @MessagePattern('via-service')
  async viaService(): Promise<unknown> {
    return this.session.scalar('SELECT 1');
  }

  @EventPattern('happened')
  async happened(@Payload() text: string): Promise<void> {
    await this.notes.insert({ text });
    arrived.resolve();
  }

  @EventPattern('failed')
  async failed(@Payload() text: string): Promise<void> {
    await this.notes.insert({ text });
    arrived.resolve();
    throw new RpcException('an event that fails');
  }

  @Get('count')
  async count(): Promise<object> {
    return { count: await this.notes.count() };
  }
}

const metadata = (database: TestDatabase): Parameters<typeof appModule>[0] => ({
  imports: [
    TypeOrmModule.forRoot(withNotes(database)),
    TypeOrmModule.forFeature([Note]),
    ScopedSessionModule.forRoot(),
  ],
  controllers: [NotesController],
  providers: [AskingGuard],
});

onEach(['mariadb', 'sqljs'], (database) => {
  let client: ClientTCP;
  let dataSource: DataSource;

  const tcp = (port: number): TcpOptions => ({
    transport: Transport.TCP,
    options: { host: '127.0.0.1', port },
  });
  const useClient = async (port: number): Promise<void> => {
    client = new ClientTCP({ host: '127.0.0.1', port });
    await client.connect();
  };
  const ask = <T>(pattern: string, payload = ''): Promise<T> =>
    lastValueFrom(client.send<T>(pattern, payload));
  const stored = async (): Promise<string[]> =>
    database.kind === 'sqljs'
      ? (await dataSource.getRepository(Note).find({ order: { id: 'ASC' } })).map(({ text }) => text)
      : (await database.ask<{ text: string }>('SELECT text FROM note ORDER BY id')).map(({ text }) => text);

  beforeEach(() => {
    gate = signal();
    arrived = signal();
    guarded = undefined;
  });
  afterEach(() => client.close());

  describe('a microservice', () => {
    let service: INestMicroservice;
    let work: ActiveWork;
    const heard = new Hearing();
    const ended = (): Promise<void> => waitUntil('the scope has ended', () => work.count === 0);

    beforeEach(async () => {
      const port = await freePort();
      const options = { ...tcp(port), logger: heard, abortOnError: false };
      service = await NestFactory.createMicroservice<MicroserviceOptions>(
        appModule(metadata(database)),
        options,
      );
      work = service.get(ActiveWork, { strict: false });
      dataSource = service.get(DataSource);
      database.watch({
        dataSource,
        liveScopes: () => work.count,
        close: () => service.close().finally(() => Logger.overrideLogger(false)),
      });
      await service.listen();
      await useClient(port);
    });

    it('commits a message before it is answered', async () => {
      expect(await ask('create', 'a')).toEqual({ same: true });
      expect(await stored()).toEqual(['a', 'a, again']);
    });

    it('stores nothing of a message that fails, and answers with its error', async () => {
      await expect(ask('throws', 'a')).rejects.toMatchObject({ message: 'not like this' });
      expect(await stored()).toEqual([]);
    });

    it('lets the values of a stream leave one by one, the last after the COMMIT', async () => {
      const seen: string[] = [];
      const all = lastValueFrom(
        client.send<string>('stream', 'a').pipe(
          tap((value) => {
            seen.push(value);
            if (value === 'first') gate.resolve();
          }),
          toArray(),
        ),
      );
      expect(await all).toEqual(['first', 'last']);
      expect(seen).toEqual(['first', 'last']);
      expect(await stored()).toEqual(['a']);
    });

    it('rolls back a stream that fails after it has begun', async () => {
      await expect(ask('failing-stream', 'a')).rejects.toMatchObject({ message: 'not to the end' });
      await ended();
      expect(await stored()).toEqual([]);
    });

    it('commits events, and rolls back those that fail', async () => {
      client.emit('happened', 'kept');
      await arrived.promise;
      await ended();
      arrived = signal();
      client.emit('failed', 'lost');
      await arrived.promise;
      await ended();
      expect(await stored()).toEqual(['kept']);
    });

    it('tells the code of an error that the caller can act on', async () => {
      await expect(ask('one')).rejects.toMatchObject({ code: 'SS_ERR_NO_RESULT_FOUND', retryable: false });
    });

    it('cuts a message short that never ends', async () => {
      await expect(ask('never', 'a')).rejects.toMatchObject({ code: 'SS_ERR_SCOPE_TIMEOUT' });
      expect(await stored()).toEqual([]);
    });

    it('has guards outside, for no middleware runs there', async () => {
      expect(await ask('guarded')).toBe('done');
      expect(guarded).toBeInstanceOf(NoActiveScopeError);
    });

    if (database.kind !== 'sqljs') {
      it('finishes and keeps a message that runs while it closes, though Nest has hung up on its sender', async () => {
        const answer = ask('waits', 'a').catch(() => 'nobody is told');
        await arrived.promise;
        const closing = service.close();
        gate.resolve();
        await closing;
        expect(await answer).toBe('nobody is told');
        expect(await stored()).toEqual(['a']);
      });
    }
  });

  describe('a hybrid application', () => {
    let served: Served;

    const start = async (hybridOptions?: { inheritAppConfig: boolean }): Promise<void> => {
      const port = await freePort();
      served = await serve(database, metadata(database), 'express', async (app) => {
        app.connectMicroservice<MicroserviceOptions>(tcp(port), hybridOptions);
        await app.startAllMicroservices();
      });
      dataSource = served.app.get(DataSource);
      await useClient(port);
    };

    it('with inheritAppConfig: true serves messages as requests', async () => {
      await start({ inheritAppConfig: true });
      expect(await ask('create', 'a')).toEqual({ same: true });
      await expect(ask('throws', 'b')).rejects.toMatchObject({ message: 'not like this' });
      await served.http.get('/count').expect(200, { count: 2 });
      expect(await stored()).toEqual(['a', 'a, again']);
    });

    it.each(['create', 'via-service'])(
      'without it says what is missing when a session is used (%s)',
      async (pattern) => {
        await start();
        await expect(ask(pattern, 'a')).rejects.toMatchObject({ message: 'Internal server error' });
        const [message] = served.heard.of('error', 'was used outside a scope');
        expect(message).toContain('connectMicroservice(options, { inheritAppConfig: true })');
        expect(await stored()).toEqual([]);
      },
    );

    it('without it leaves repositories plain, and HTTP as it is', async () => {
      await start();
      await expect(ask('plain', 'a')).rejects.toMatchObject({ message: 'and yet it is stored' });
      await served.http.get('/count').expect(200, { count: 1 });
    });
  });
});
