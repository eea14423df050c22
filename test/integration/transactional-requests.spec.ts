/** `@Transactional()` around handlers: in guards, interceptors and filters, on odd methods, and what GETs, errors and hooks do. */
import {
  type ArgumentsHost,
  type CallHandler,
  type CanActivate,
  Catch,
  ConflictException,
  Controller,
  type ExceptionFilter,
  type ExecutionContext,
  Get,
  HttpException,
  Injectable,
  type NestInterceptor,
  NotFoundException,
  Param,
  Post,
  Scope,
  UseFilters,
  UseGuards,
  UseInterceptors,
} from '@nestjs/common';
import type { ServerResponse } from 'node:http';
import { ScopedSession, Session, Transactional } from 'nestjs-scoped-session';
import { from, mergeMap, type Observable } from 'rxjs';
import { beforeEach, describe, expect, it } from 'vitest';
import { onEach } from '../support/databases.js';
import { Note } from '../support/note.js';
import { texts } from '../support/plain-and-ours.js';
import { startApp, type TestApp } from '../support/test-app.js';

const REMARK = Symbol('remark');

abstract class Base {
  constructor(protected readonly session: ScopedSession) {}

  @Transactional()
  async add(text: string, suffix = ''): Promise<string> {
    await this.session.execute('INSERT INTO note (text) VALUES (:text)', { text: text + suffix });
    return text;
  }
}

@Injectable()
class Notes extends Base {
  constructor(session: ScopedSession) {
    super(session);
  }

  @Transactional()
  override async add(text: string, suffix = ''): Promise<string> {
    return super.add(text, `${suffix}!`);
  }

  @Transactional()
  async [REMARK](text: string): Promise<string> {
    return this.add(text);
  }

  @Transactional()
  static async none(): Promise<string> {
    return 'static';
  }
}

class MadeNotes extends Base {}

@Injectable()
class WritingGuard implements CanActivate {
  constructor(private readonly notes: Notes) {}

  @Transactional()
  async canActivate(context: ExecutionContext): Promise<boolean> {
    await this.notes.add('guard');
    return context.switchToHttp().getRequest<{ url: string }>().url !== '/guarded/no';
  }
}

@Injectable()
class WritingInterceptor implements NestInterceptor {
  constructor(private readonly notes: Notes) {}

  intercept(_: ExecutionContext, next: CallHandler): Observable<unknown> {
    return from(this.notes.add('interceptor')).pipe(mergeMap(() => next.handle()));
  }
}

@Catch(ConflictException)
@Injectable()
class WritingFilter implements ExceptionFilter {
  constructor(private readonly notes: Notes) {}

  @Transactional()
  async catch(error: HttpException, host: ArgumentsHost): Promise<void> {
    await this.notes.add('filter');
    host.switchToHttp().getResponse<ServerResponse>().writeHead(error.getStatus()).end();
  }
}

@Controller()
class NotesController {
  constructor(private readonly notes: Notes) {}

  @Post('guarded/:text')
  @UseGuards(WritingGuard)
  @UseInterceptors(WritingInterceptor)
  @UseFilters(WritingFilter)
  async guarded(@Param('text') text: string): Promise<void> {
    await this.notes.add(text);
    if (text === 'fails') throw new ConflictException();
  }

  @Post('missing/:text')
  async missing(@Param('text') text: string): Promise<void> {
    await this.notes.add(text);
    await this.fail();
  }

  @Post('swallowed')
  async swallowed(): Promise<void> {
    await this.notes.add('swallowed');
    await this.fail().catch(() => undefined);
    throw new NotFoundException('another one');
  }

  @Transactional()
  async fail(): Promise<void> {
    throw new NotFoundException();
  }

  @Post('mailed')
  mailed(@Session() session: Session): string {
    session.add(Object.assign(new Note(), { text: 'mailed' }));
    session.afterCommit(async () => {
      throw new Error('the mail server is down');
    });
    return 'mailed';
  }

  @Get('seen')
  seen(@Session() session: Session): string {
    session.beforeCommit(() => session.add(Object.assign(new Note(), { text: 'seen' })));
    return 'seen';
  }

  @Get('counted')
  counted(@Session() session: Session): string {
    session.beforeCommit(async () => {
      session.add(Object.assign(new Note(), { text: 'counted' }));
      await session.flush();
    });
    return 'counted';
  }
}

@Controller({ path: 'scoped', scope: Scope.REQUEST })
class RequestController extends Base {
  constructor(session: ScopedSession) {
    super(session);
  }

  @Post(':text')
  @Transactional()
  async handle(@Param('text') text: string): Promise<void> {
    await this.add(text);
  }
}

onEach(['mariadb', 'sqljs', 'postgres'], (database) => {
  let test: TestApp;
  let notes: Notes;
  const stored = (): Promise<string[]> => texts(test.dataSource);

  beforeEach(async () => {
    const made = { provide: 'MADE', useFactory: (s: ScopedSession) => new MadeNotes(s), inject: [ScopedSession] };
    test = await startApp(database, {
      controllers: [NotesController, RequestController],
      providers: [Notes, WritingGuard, WritingInterceptor, WritingFilter, made],
      session: { rollbackOn: (status) => (status ?? 0) >= 400 && status !== 404 },
    });
    notes = test.app.get(Notes);
  });

  describe('in a request', () => {
    it('guards and interceptors join it', async () => {
      await test.http.post('/guarded/no').expect(403);
      expect(await stored()).toEqual([]);
      await test.http.post('/guarded/a').expect(201);
      expect(await stored()).toEqual(['guard!', 'interceptor!', 'a!']);
    });

    it('a filter comes after its end, and has a unit of work of its own', async () => {
      await test.http.post('/guarded/fails').expect(409);
      expect(await stored()).toEqual(['filter!']);
    });

    it('a failure that rollbackOn lets pass is not taken for one that was caught', async () => {
      await test.http.post('/missing/a').expect(404);
      expect(await stored()).toEqual(['a!']);
      await test.http.post('/swallowed').expect(404);
      expect(await stored()).toEqual(['a!']);
    });

    it('controllers may be REQUEST-scoped', async () => {
      await test.http.post('/scoped/a').expect(201);
      expect(await stored()).toEqual(['a']);
    });

    it('a hook of afterCommit that throws never turns it into a 500', async () => {
      await test.http.post('/mailed').expect(201, 'mailed');
      expect(await stored()).toEqual(['mailed']);
    });

    it('what a hook of beforeCommit adds in a GET is stored where it flushes', async () => {
      await test.http.get('/seen').expect(200);
      expect(await stored()).toEqual([]);
      await test.http.get('/counted').expect(200);
      expect(await stored()).toEqual(['counted']);
    });
  });

  describe('on a method', () => {
    it('that overrides a decorated one, of an abstract class, with a symbol for a name, or static', async () => {
      await notes.add('a');
      await notes[REMARK]('b');
      await test.app.get<MadeNotes>('MADE').add('c');
      expect(await Notes.none()).toBe('static');
      expect(await stored()).toEqual(['a!', 'b!', 'c']);
      // oxlint-disable-next-line typescript/unbound-method -- only looked at
      expect([Notes.prototype.add.length, Notes.prototype[REMARK].name]).toEqual([1, '[remark]']);
    });

    it('that was taken off its object says so', async () => {
      const { add } = notes;
      await expect(add('a')).rejects.toThrow(/Notes\.add was called on an object of which no application/);
    });

    it('that is a generator is refused when its class is loaded', () => {
      const decorate = Transactional() as unknown as MethodDecorator;
      expect(() => {
        class Streams {
          @decorate
          async *all(): AsyncGenerator<number> {
            yield 1;
          }
        }
        return Streams;
      }).toThrow(/@Transactional\(\).*generator/);
    });
  });
});
