/** With a GraphQL driver that nobody knows nothing would commit a session: it is refused, repositories are plain TypeORM. */
import {
  type CallHandler,
  type ExecutionContext,
  Injectable,
  type MiddlewareConsumer,
  Module,
  type NestMiddleware,
  type NestModule,
} from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import { InjectRepository, TypeOrmModule } from '@nestjs/typeorm';
import {
  ScopedSession,
  ScopedSessionModule,
  SessionInterceptor,
  UnsupportedContextError,
} from 'nestjs-scoped-session';
import { defer, lastValueFrom, type Observable } from 'rxjs';
import { DataSource, Repository } from 'typeorm';
import { describe, expect, it } from 'vitest';
import { serve, type Served, withNotes } from '../support/boot.js';
import { useDatabase } from '../support/databases.js';
import { Note } from '../support/note.js';
import { PLATFORMS } from '../support/test-app.js';

const database = useDatabase('sqljs');

@Injectable()
class Resolver {
  constructor(
    @InjectRepository(Note) private readonly notes: Repository<Note>,
    private readonly session: ScopedSession,
  ) {}

  async plain(): Promise<number> {
    await this.notes.insert({ text: 'plain' });
    return this.notes.count();
  }

  async viaSession(): Promise<unknown> {
    return this.session.scalar('SELECT 1');
  }

  async independently(): Promise<string> {
    await this.session.independently(async () => this.notes.insert({ text: 'of its own' }));
    return 'done';
  }

  async throws(): Promise<never> {
    await this.notes.insert({ text: 'plain' });
    throw new Error('The resolver has failed.');
  }
}

/** What a GraphQL driver does with a request: middleware of Nest around, one call of the interceptors per root field. */
@Injectable()
class GraphQlDriver implements NestMiddleware {
  constructor(
    private readonly moduleRef: ModuleRef,
    private readonly resolver: Resolver,
  ) {}

  use(request: { originalUrl?: string; url: string }, response: { end(body: string): void }): void {
    const [, field] = (request.originalUrl ?? request.url).slice(1).split('/');
    const run = (): Promise<unknown> => this.resolver[field as keyof Resolver]();
    void this.#field(run).then(
      (data) => response.end(JSON.stringify({ data })),
      (error: Error) =>
        response.end(JSON.stringify({ error: error.constructor.name, message: error.message })),
    );
  }

  async #field(run: () => Promise<unknown>): Promise<unknown> {
    const context = {
      getType: () => 'graphql',
      getClass: () => Resolver,
      getHandler: () => run,
      getArgs: () => [],
    } as unknown as ExecutionContext;
    const next: CallHandler = { handle: (): Observable<unknown> => defer(run) };
    const interceptor = this.moduleRef.get(SessionInterceptor, { strict: false });
    return lastValueFrom(interceptor.intercept(context, next));
  }
}

@Module({ imports: [TypeOrmModule.forFeature([Note])], providers: [Resolver] })
class GraphQlModule implements NestModule {
  configure(consumer: MiddlewareConsumer): void {
    consumer.apply(GraphQlDriver).forRoutes('graphql/{*path}');
  }
}

describe.each(PLATFORMS)('%s', (platform) => {
  const start = (): Promise<Served> =>
    serve(
      database,
      {
        imports: [TypeOrmModule.forRoot(withNotes(database)), ScopedSessionModule.forRoot(), GraphQlModule],
      },
      platform,
    );
  const ask = async (served: Served, field: string): Promise<Record<string, unknown>> => {
    const { text } = await served.http.get(`/graphql/${field}`).expect(200);
    return JSON.parse(text) as Record<string, unknown>;
  };
  const count = ({ app }: Served): Promise<number> => app.get(DataSource).getRepository(Note).count();

  it('a resolver that uses the session is told that it cannot, and what it can do', async () => {
    const served = await start();
    const { error, message } = await ask(served, 'viaSession');
    expect(error).toBe(UnsupportedContextError.name);
    expect(message).toContain('nothing there would commit it');
    expect(message).toContain('scopedSession.run(fn)');
  });

  it('repositories are plain TypeORM there: what they write is kept at once, also when the resolver fails', async () => {
    const served = await start();
    expect(await ask(served, 'plain')).toEqual({ data: 1 });
    expect(await count(served)).toBe(1);
    await served.app.get(DataSource).getRepository(Note).clear();
    expect(await ask(served, 'throws')).toMatchObject({ message: 'The resolver has failed.' });
    expect(await count(served)).toBe(1);
  });

  it('a unit of work of its own works there', async () => {
    const served = await start();
    expect(await ask(served, 'independently')).toEqual({ data: 'done' });
    expect(await count(served)).toBe(1);
  });

  it('leaves no unit of work behind', async () => {
    const served = await start();
    await ask(served, 'plain');
    await ask(served, 'viaSession');
    expect(served.heard.of('warn')).toEqual([]);
  });
});
