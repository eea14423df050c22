/** `@InjectSession()` (REQUEST-scoped, a handle that opens nothing) and `ScopedSession` (in singletons). */
import {
  type CanActivate,
  Controller,
  ForbiddenException,
  Get,
  Inject,
  Injectable,
  Param,
  Post,
  UseGuards,
} from '@nestjs/common';
import { ContextIdFactory, ModuleRef, REQUEST } from '@nestjs/core';
import { TypeOrmModule } from '@nestjs/typeorm';
import {
  getScopedSessionToken,
  getSessionToken,
  InjectScopedSession,
  InjectSession,
  NoActiveScopeError,
  ScopedSession,
  ScopedSessionModule,
  Session,
} from 'nestjs-scoped-session';
import { beforeEach, describe, expect, it, type MockInstance, vi } from 'vitest';
import { serve, type Served, withNotes } from '../support/boot.js';
import { onEach } from '../support/databases.js';
import { PLATFORMS } from '../support/test-app.js';
import { signal } from '../support/wait-until.js';

/** What REQUEST-scoped providers of a request were given. */
const handles: Session[] = [];
let constructed = 0;
let gate = signal();
let arrived = signal();

@Injectable()
class RequestService {
  constructor(
    @InjectSession() readonly session: Session,
    @Inject(REQUEST) readonly request: object,
  ) {
    handles.push(session);
  }

  async add(text: string): Promise<void> {
    await this.session.execute('INSERT INTO note (text) VALUES (:text)', { text });
  }
}

@Injectable()
class SingletonService {
  constructor(
    readonly session: ScopedSession,
    @InjectScopedSession() readonly again: ScopedSession,
  ) {}

  async count(): Promise<number> {
    return Number(await this.session.scalar('SELECT COUNT(*) FROM note'));
  }
}

@Injectable()
class RefusingGuard implements CanActivate {
  canActivate(): boolean {
    throw new ForbiddenException();
  }
}

@Controller()
class RequestController {
  constructor(
    private readonly notes: RequestService,
    private readonly singleton: SingletonService,
    @InjectSession() private readonly own: Session,
  ) {
    constructed += 1;
  }

  @Get('same')
  same(@Session() session: Session): object {
    session.info['mark'] = 'set in the handler';
    return {
      bySingleton: this.singleton.session.current() === session,
      byHandle: this.own.info === session.info,
      byService: this.notes.session.info === session.info,
      oneSingleton: this.singleton.session === this.singleton.again,
      mark: this.own.info['mark'],
      isOpen: session.inTransaction(),
    };
  }

  @Post('notes/:text')
  async create(@Param('text') text: string): Promise<object> {
    await this.notes.add(text);
    return { count: await this.singleton.count() };
  }

  @Post('fails/:text')
  async fails(@Param('text') text: string): Promise<void> {
    await this.notes.add(text);
    throw new ForbiddenException();
  }

  @Get('untouched')
  untouched(): string {
    return 'never looked at the session';
  }

  @Get('refused')
  @UseGuards(RefusingGuard)
  refused(): string {
    return 'never';
  }

  @Get('slow')
  async slow(): Promise<object> {
    this.own.info['who'] = 'slow';
    arrived.resolve();
    await gate.promise;
    return { who: this.own.info['who'] };
  }

  @Get('fast')
  fast(): object {
    return { who: this.own.info['who'] ?? 'nobody' };
  }
}

/** A singleton controller beside it, which must stay one. */
@Controller('singleton')
class SingletonController {
  static constructed = 0;

  constructor(
    private readonly singleton: SingletonService,
    private readonly moduleRef: ModuleRef,
  ) {
    SingletonController.constructed += 1;
  }

  @Get('count')
  async count(): Promise<object> {
    return { count: await this.singleton.count() };
  }

  @Get('resolved')
  async resolved(@Session() session: Session): Promise<object> {
    const handle = await this.moduleRef.resolve<ScopedSession>(getSessionToken(), ContextIdFactory.create(), {
      strict: false,
    });
    return { same: handle.current() === session };
  }
}

onEach(['mariadb', 'sqljs'], (database) => {
  describe.each(PLATFORMS)('%s', (platform) => {
    let served: Served;
    let taken: MockInstance;

    beforeEach(async () => {
      handles.length = 0;
      constructed = 0;
      SingletonController.constructed = 0;
      gate = signal();
      arrived = signal();
      served = await serve(
        database,
        {
          imports: [TypeOrmModule.forRoot(withNotes(database)), ScopedSessionModule.forRoot()],
          controllers: [RequestController, SingletonController],
          providers: [RequestService, SingletonService, RefusingGuard],
        },
        platform,
      );
      taken = vi.spyOn(served.app.get(ScopedSession).sessionFactory.engine!, 'acquire');
    });

    it('handle, singleton and handler have the same session', async () => {
      const { body } = await served.http.get('/same').expect(200);
      expect(body).toEqual({
        bySingleton: true,
        byHandle: true,
        byService: true,
        oneSingleton: true,
        mark: 'set in the handler',
        isOpen: false,
      });
    });

    it('a handle that is made opens nothing, not even before a guard that refuses', async () => {
      await served.http.get('/untouched').expect(200);
      await served.http.get('/refused').expect(403);
      expect(constructed).toBe(2);
      expect(handles).toHaveLength(2);
      expect(taken).not.toHaveBeenCalled();
    });

    it('each request has a handle, and a controller, of its own', async () => {
      await served.http.get('/untouched').expect(200);
      await served.http.get('/untouched').expect(200);
      expect(constructed).toBe(2);
      expect(handles[0]).not.toBe(handles[1]);
      expect(handles[0]).toBeInstanceOf(ScopedSession);
      expect(handles[0]).not.toBe(served.app.get(ScopedSession));
    });

    it('commits and rolls back what went through the handle', async () => {
      await served.http.post('/notes/kept').expect(201, { count: 1 });
      await served.http.post('/fails/lost').expect(403);
      await served.http.get('/singleton/count').expect(200, { count: 1 });
    });

    it('two requests at a time never share a session (nest#17007)', async () => {
      const slow = served.http.get('/slow').then(({ body }) => body as unknown);
      await arrived.promise;
      await served.http.get('/fast').expect(200, { who: 'nobody' });
      gate.resolve();
      expect(await slow).toEqual({ who: 'slow' });
    });

    it('leaves controllers singletons that do not inject it', async () => {
      await served.http.get('/singleton/count').expect(200);
      await served.http.get('/singleton/count').expect(200);
      expect(SingletonController.constructed).toBe(1);
    });

    it('a handle that is resolved by hand is of the request in which it is used', async () => {
      await served.http.get('/singleton/resolved').expect(200, { same: true });
    });

    it('a handle that outlives its request refuses outside, and names the cure', async () => {
      await served.http.post('/notes/a').expect(201);
      const [handle] = handles;
      expect(() => handle!.info).toThrow(NoActiveScopeError);
      expect(() => handle!.info).toThrow('scopedSession.run(fn)');
    });

    it('a handle can be looked at without a session', async () => {
      await served.http.get('/untouched').expect(200);
      const [handle] = handles;
      expect(JSON.stringify(handle)).toBe('{}');
      expect(await Promise.resolve(handle)).toBe(handle);
      expect(Object.keys(handle!)).toEqual([]);
    });
  });
});

describe('tokens', () => {
  it('contain the database’s name, and are none for the default one', () => {
    expect(getScopedSessionToken()).toBe(ScopedSession);
    expect(getScopedSessionToken('default')).toBe(ScopedSession);
    expect(getScopedSessionToken('ledger')).toBe('ledger_ScopedSession');
    expect(getSessionToken()).toBe('Session');
    expect(getSessionToken('default')).toBe('Session');
    expect(getSessionToken('ledger')).toBe('ledger_Session');
  });
});
