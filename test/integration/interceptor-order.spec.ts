/** What stands inside the unit of work and what around it: middleware, guards, pipes, interceptors, by where they are registered. */
import {
  type CallHandler,
  type CanActivate,
  Controller,
  type ExecutionContext,
  Get,
  Injectable,
  type MiddlewareConsumer,
  Module,
  type NestInterceptor,
  type NestMiddleware,
  Param,
  type PipeTransform,
  Post,
  type Provider,
  Scope,
  UseGuards,
  UseInterceptors,
} from '@nestjs/common';
import { APP_GUARD, APP_INTERCEPTOR, APP_PIPE, ModuleRef } from '@nestjs/core';
import { Test } from '@nestjs/testing';
import { InjectRepository, TypeOrmModule } from '@nestjs/typeorm';
import {
  currentScope,
  InjectSession,
  ScopedSession,
  ScopedSessionModule,
  Session,
  SessionInterceptor,
} from 'nestjs-scoped-session';
import { catchError, map, mergeMap, type Observable, of } from 'rxjs';
import supertest from 'supertest';
import { DataSource, Repository } from 'typeorm';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { ActiveWork } from '../../src/nest/active-work.js';
import { appModule, Hearing, serve, type Served, withNotes } from '../support/boot.js';
import { useDatabase } from '../support/databases.js';
import { Note } from '../support/note.js';
import { PLATFORMS } from '../support/test-app.js';
import { waitUntil } from '../support/wait-until.js';

const database = useDatabase('mariadb');

/** What happened, in order; each with whether it was in a scope, and what another connection saw. */
const events: string[] = [];
const seenFromOutside = async (): Promise<number> => {
  const [row] = await database.ask<{ count: number }>('SELECT COUNT(*) AS count FROM note');
  return row!.count;
};
const note = async (who: string): Promise<void> => {
  const place = currentScope() === undefined ? 'outside' : 'inside';
  events.push(`${who}: ${place}, ${await seenFromOutside()} committed`);
};

abstract class Observing implements NestInterceptor {
  protected abstract readonly who: string;

  intercept(_context: ExecutionContext, next: CallHandler): Observable<unknown> {
    return next.handle().pipe(
      mergeMap(async (value) => {
        await note(this.who);
        return value as unknown;
      }),
    );
  }
}

@Injectable()
class InAppModule extends Observing {
  protected readonly who = 'AppModule';
}
@Injectable()
class InFeature extends Observing {
  protected readonly who = 'feature';
}
@Injectable()
class WithUseGlobal extends Observing {
  protected readonly who = 'useGlobalInterceptors';
}
@Injectable()
class OnController extends Observing {
  protected readonly who = 'controller';
}
@Injectable()
class OnHandler extends Observing {
  protected readonly who = 'handler';
}

@Injectable()
class FailingInterceptor implements NestInterceptor {
  intercept(_context: ExecutionContext, next: CallHandler): Observable<unknown> {
    return next.handle().pipe(
      map(() => {
        throw new Error('The value does not please.');
      }),
    );
  }
}

@Injectable()
class ReportingInterceptor implements NestInterceptor {
  constructor(@InjectRepository(Note) private readonly notes: Repository<Note>) {}

  intercept(_context: ExecutionContext, next: CallHandler): Observable<unknown> {
    return next.handle().pipe(
      catchError(async (error: unknown) => {
        await this.notes.insert({ text: 'a failure' });
        throw error;
      }),
    );
  }
}

@Injectable()
class AnsweringInterceptor implements NestInterceptor {
  intercept(): Observable<unknown> {
    return of('from the cache');
  }
}

/** Writes through the session, before the handler runs. */
@Injectable()
class WritingGuard implements CanActivate {
  constructor(private readonly session: ScopedSession) {}

  async canActivate(): Promise<boolean> {
    await this.session.execute('INSERT INTO note (text) VALUES (:text)', { text: 'by the guard' });
    return true;
  }
}

@Injectable()
class WritingPipe implements PipeTransform {
  constructor(private readonly session: ScopedSession) {}

  async transform(value: unknown): Promise<unknown> {
    await this.session.execute('INSERT INTO note (text) VALUES (:text)', {
      text: `by the pipe for ${String(value)}`,
    });
    return value;
  }
}

@Injectable({ scope: Scope.REQUEST })
class RequestInterceptor implements NestInterceptor {
  constructor(@InjectSession() private readonly session: Session) {}

  intercept(_context: ExecutionContext, next: CallHandler): Observable<unknown> {
    return next
      .handle()
      .pipe(map((value) => ({ value: value as unknown, isOpen: this.session.inTransaction() })));
  }
}

@Injectable()
class NotesMiddleware implements NestMiddleware {
  constructor(private readonly session: ScopedSession) {}

  use(_request: unknown, _response: unknown, next: () => void): void {
    events.push(`middleware: ${currentScope() === undefined ? 'outside' : 'inside'}`);
    this.session.info['middleware'] = 'was here';
    next();
  }
}

@Controller()
@UseInterceptors(OnController)
class NotesController {
  static constructed = 0;

  constructor(
    @InjectRepository(Note) private readonly notes: Repository<Note>,
    private readonly session: ScopedSession,
  ) {
    NotesController.constructed += 1;
  }

  @Post('notes/:text')
  @UseInterceptors(OnHandler)
  async create(@Param('text') text: string): Promise<string> {
    await this.notes.insert({ text });
    await note('the handler itself');
    return 'done';
  }

  @Post('inner-failure')
  @UseInterceptors(FailingInterceptor)
  async innerFailure(): Promise<string> {
    await this.notes.insert({ text: 'a' });
    return 'done';
  }

  @Post('guarded/:text')
  @UseGuards(WritingGuard)
  async guarded(@Param('text') text: string): Promise<object> {
    await this.notes.insert({ text });
    return { count: await this.notes.count(), outside: await seenFromOutside() };
  }

  @Get('middleware')
  middleware(): object {
    return { middleware: this.session.info['middleware'] };
  }

  @Get('open')
  async open(): Promise<string> {
    await this.notes.count();
    return 'open';
  }
}

const ours = [WritingGuard, WritingPipe, OnController, OnHandler, InFeature];
const imports = (): NonNullable<Parameters<typeof serve>[1]['imports']> => [
  TypeOrmModule.forRoot(withNotes(database)),
  TypeOrmModule.forFeature([Note]),
  ScopedSessionModule.forRoot(),
];

beforeEach(() => {
  events.length = 0;
  NotesController.constructed = 0;
});

describe.each(PLATFORMS)('%s', (platform) => {
  const start = (
    providers: Provider[] = [],
    more: { imports?: ReturnType<typeof imports>; configure?: Parameters<typeof serve>[3] } = {},
  ): Promise<Served> =>
    serve(
      database,
      {
        imports: [...imports(), ...(more.imports ?? [])],
        controllers: [NotesController],
        providers: [...ours, ...providers],
      },
      platform,
      more.configure,
    );

  it('interceptors of AppModule are around the unit of work, all others inside', async () => {
    class FeatureModule {}
    Module({ providers: [{ provide: APP_INTERCEPTOR, useClass: InFeature }] })(FeatureModule);
    const { http } = await start([{ provide: APP_INTERCEPTOR, useClass: InAppModule }], {
      imports: [FeatureModule],
      configure: (app) => app.useGlobalInterceptors(new WithUseGlobal()),
    });
    await http.post('/notes/a').expect(201, 'done');
    expect(events).toEqual([
      'the handler itself: inside, 0 committed',
      'handler: inside, 0 committed',
      'controller: inside, 0 committed',
      'useGlobalInterceptors: inside, 0 committed',
      'feature: inside, 0 committed',
      'AppModule: outside, 1 committed',
    ]);
  });

  it('an error of an interceptor inside rolls back', async () => {
    const { http } = await start();
    await http.post('/inner-failure').expect(500);
    expect(await seenFromOutside()).toBe(0);
  });

  it('an error of an interceptor of AppModule comes after the COMMIT, as its place says', async () => {
    const { http } = await start([{ provide: APP_INTERCEPTOR, useClass: FailingInterceptor }]);
    await http.post('/notes/a').expect(500);
    expect(await seenFromOutside()).toBe(1);
  });

  it('an interceptor of AppModule may write of a failure: that is not part of what is undone', async () => {
    const { http } = await start([{ provide: APP_INTERCEPTOR, useClass: ReportingInterceptor }]);
    await http.post('/inner-failure').expect(500);
    expect(await database.ask('SELECT text FROM note')).toEqual([{ text: 'a failure' }]);
  });

  it('an interceptor that answers instead of the handler needs no connection', async () => {
    const { app, http } = await start([{ provide: APP_INTERCEPTOR, useClass: AnsweringInterceptor }]);
    const acquired = vi.spyOn(app.get(ScopedSession).sessionFactory.engine!, 'acquire');
    await http.post('/notes/a').expect(201, 'from the cache');
    expect(acquired).not.toHaveBeenCalled();
  });

  it('guards are inside, the one of a route and the global one', async () => {
    const { http } = await start();
    await http.post('/guarded/a').expect(201, { count: 2, outside: 0 });
    expect(await seenFromOutside()).toBe(2);
    await (
      await start([{ provide: APP_GUARD, useClass: WritingGuard }])
    ).http
      .post('/inner-failure')
      .expect(500);
    expect(await seenFromOutside()).toBe(0);
  });

  it('pipes are inside', async () => {
    const { http } = await start([{ provide: APP_PIPE, useClass: WritingPipe }]);
    await http.post('/guarded/a').expect(201, { count: 3, outside: 0 });
    expect(await seenFromOutside()).toBe(3);
  });

  it.each(['before', 'after'])('middleware of modules that are imported %s ours is inside', async (place) => {
    @Module({})
    class FeatureModule {
      configure(consumer: MiddlewareConsumer): void {
        consumer.apply(NotesMiddleware).forRoutes('{*path}');
      }
    }
    const metadata = {
      imports: place === 'before' ? [FeatureModule, ...imports()] : [...imports(), FeatureModule],
      controllers: [NotesController],
      providers: ours,
    };
    const { http } = await serve(database, metadata, platform);
    await http.get('/middleware').expect(200, { middleware: 'was here' });
    expect(events[0]).toBe('middleware: inside');
  });

  it('a REQUEST-scoped interceptor of AppModule is inside, for Nest asks those last', async () => {
    const { http } = await start([{ provide: APP_INTERCEPTOR, useClass: RequestInterceptor }]);
    await http.get('/open').expect(200, { value: 'open', isOpen: true });
  });

  it('controllers stay singletons', async () => {
    const { http, app } = await start();
    await http.get('/open').expect(200);
    await http.get('/open').expect(200);
    expect(NotesController.constructed).toBe(1);
    expect(app.get(ModuleRef).introspect(NotesController)).toEqual({ scope: 0 });
    expect(app.get(ModuleRef).introspect(SessionInterceptor)).toEqual({ scope: 0 });
  });

  it('two databases have one interceptor and one middleware', async () => {
    const { http, liveScopes } = await start([], {
      imports: [
        TypeOrmModule.forRoot(withNotes(database, { name: 'ledger', dropSchema: false, synchronize: false })),
        ScopedSessionModule.forRoot({ name: 'ledger' }),
      ],
    });
    const intercepted = vi.spyOn(SessionInterceptor.prototype, 'intercept');
    const opened = vi.spyOn(ActiveWork.prototype, 'open');
    await http.post('/notes/a').expect(201);
    expect(intercepted).toHaveBeenCalledTimes(1);
    expect(opened).toHaveBeenCalledTimes(1);
    expect(liveScopes()).toBe(0);
    vi.restoreAllMocks();
  });
});

describe('overrideProvider(SessionInterceptor)', () => {
  it('puts another in its place: nobody commits, and the lost writes are told', async () => {
    const heard = new Hearing();
    const AppModule = appModule({ imports: imports(), controllers: [NotesController], providers: ours });
    const module = await Test.createTestingModule({ imports: [AppModule] })
      .setLogger(heard)
      .overrideProvider(SessionInterceptor)
      .useValue({ intercept: (_context: unknown, next: CallHandler) => next.handle() })
      .compile();
    const app = module.createNestApplication();
    await app.init();
    const work = app.get(ActiveWork, { strict: false });
    database.watch({
      dataSource: app.get(DataSource),
      liveScopes: () => work.count,
      close: () => app.close(),
    });
    await supertest(app.getHttpServer()).post('/notes/a').expect(201, 'done');
    await waitUntil('the scope has ended', () => work.count === 0);
    expect(await seenFromOutside()).toBe(0);
    expect(
      heard.of('warn', 'writes were rolled back, for they were made where no interceptor commits'),
    ).toHaveLength(1);
  });
});
