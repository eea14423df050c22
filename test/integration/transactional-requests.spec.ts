/** `@Transactional()` around handlers: in guards, interceptors and filters, and what GETs, errors and hooks do. */
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
import { beforeEach, expect, it } from 'vitest';
import { onEach } from '../support/databases.js';
import { Note } from '../support/note.js';
import { texts } from '../support/plain-and-ours.js';
import { startApp, type TestApp } from '../support/test-app.js';

const nothing = (): void => undefined;
const QUIET = { log: nothing, error: nothing, warn: nothing };
@Injectable()
class Notes {
  constructor(private readonly session: ScopedSession) {}

  @Transactional()
  async add(text: string): Promise<void> {
    await this.session.execute('INSERT INTO note (text) VALUES (:text)', { text });
  }
}

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
class RequestController {
  constructor(private readonly notes: Notes) {}

  @Post(':text')
  @Transactional()
  async handle(@Param('text') text: string): Promise<void> {
    await this.notes.add(text);
  }
}

onEach(['mariadb', 'sqljs', 'postgres'], (database) => {
  let test: TestApp;
  let warnings: string[];
  const stored = (): Promise<string[]> => texts(test.dataSource);

  beforeEach(async () => {
    warnings = [];
    test = await startApp(database, {
      controllers: [NotesController, RequestController],
      providers: [Notes, WritingGuard, WritingInterceptor, WritingFilter],
      configure: (app) =>
        app.useLogger({ ...QUIET, warn: (text: unknown) => void warnings.push(String(text)) }),
      session: { rollbackOn: (status) => (status ?? 0) >= 400 && status !== 404 },
    });
  });

  it('guards and interceptors join it', async () => {
    await test.http.post('/guarded/no').expect(403);
    expect(await stored()).toEqual([]);
    await test.http.post('/guarded/a').expect(201);
    expect(await stored()).toEqual(['guard', 'interceptor', 'a']);
  });

  it('a filter comes after its end, and has a unit of work of its own', async () => {
    await test.http.post('/guarded/fails').expect(409);
    expect(await stored()).toEqual(['filter']);
  });

  it('a failure that rollbackOn lets pass is not taken for one that was caught', async () => {
    await test.http.post('/missing/a').expect(404);
    expect(await stored()).toEqual(['a']);
    await test.http.post('/swallowed').expect(404);
    expect(await stored()).toEqual(['a']);
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
    expect(warnings.filter((text) => text.includes('were not stored'))).toEqual([
      expect.stringMatching(/^NotesController\.seen: .* at its end: new Note/),
    ]);
    expect(await stored()).toEqual([]);
    await test.http.get('/counted').expect(200);
    expect(await stored()).toEqual(['counted']);
  });
});
