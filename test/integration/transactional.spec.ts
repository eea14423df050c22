/** `@Transactional()` on providers and handlers: what joins a request, what opens its own, promises and Observables. */
import {
  ConflictException,
  Controller,
  Get,
  Header,
  HttpCode,
  Injectable,
  Param,
  ParseIntPipe,
  Post,
  Query,
  Scope,
  SetMetadata,
} from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import { ScopedSession, Session, Transactional } from 'nestjs-scoped-session';
import {
  concat,
  defer,
  firstValueFrom,
  from,
  lastValueFrom,
  Observable,
  take,
  throwError,
  toArray,
} from 'rxjs';
import { QueryFailedError, Repository } from 'typeorm';
import { beforeEach, describe, expect, it } from 'vitest';
import { onEach } from '../support/databases.js';
import { Note } from '../support/note.js';
import { texts } from '../support/plain-and-ours.js';
import { PLATFORMS, startApp, type TestApp } from '../support/test-app.js';

@Injectable()
class NotesService {
  attempts = 0;

  constructor(
    @InjectRepository(Note) protected readonly notes: Repository<Note>,
    protected readonly session: ScopedSession,
  ) {}

  @Transactional()
  async add(text: string, fails = false): Promise<string> {
    await this.notes.insert({ text });
    if (fails) throw new ConflictException(text);
    return text;
  }

  @Transactional({ propagation: 'NESTED' })
  async try(text: string, fails = false): Promise<string> {
    return this.add(text, fails);
  }

  @Transactional({ propagation: 'REQUIRES_NEW' })
  async keep(text: string): Promise<string> {
    return this.add(text);
  }

  @Transactional({ retry: { times: 2, delayMs: 0, on: () => true } })
  async again(text: string): Promise<number> {
    await this.notes.insert({ text });
    this.attempts += 1;
    if (this.attempts < 3) throw new Error('once more');
    return this.attempts;
  }

  @Transactional()
  observe(...all: string[]): Observable<string> {
    return concat(...all.map((text) => this.#insert(text)));
  }

  @Transactional({ propagation: 'NESTED' })
  observeNested(text: string): Observable<string> {
    return concat(
      this.#insert(text),
      throwError(() => new ConflictException(text)),
    );
  }

  @Transactional({ retry: { times: 2, delayMs: 0, on: () => true } })
  observeAgain(text: string): Observable<string> {
    this.attempts += 1;
    const failing = throwError(() => new Error('once more'));
    return this.attempts < 3 ? concat(this.#insert(text), failing) : this.#insert(text);
  }

  @Transactional()
  undeclared(text: string): unknown extends never ? never : Promise<string> {
    return this.#insert(text) as unknown as Promise<string>;
  }

  #insert(text: string): Observable<string> {
    return defer(() => from(this.notes.insert({ text }).then(() => text)));
  }
}

@Injectable({ scope: Scope.REQUEST })
class RequestService {
  constructor(@InjectRepository(Note) private readonly notes: Repository<Note>) {}

  @Transactional({ propagation: 'MANDATORY' })
  async add(text: string): Promise<void> {
    await this.notes.insert({ text });
  }
}

const Marked = (): MethodDecorator => SetMetadata('marked', true);

@Controller()
class NotesController {
  constructor(
    private readonly service: NotesService,
    private readonly request: RequestService,
  ) {}

  @Post('join/:text')
  async join(@Param('text') text: string): Promise<void> {
    await this.service.add(text);
    await this.request.add(`${text}, by the request's`);
  }

  @Post('swallow/:text')
  async swallow(@Param('text') text: string): Promise<string> {
    await this.service.add(text, true).catch(() => undefined);
    return 'fine, I think';
  }

  @Post('try/:text')
  async try(@Param('text') text: string): Promise<string> {
    await this.service.try(text, true).catch(() => undefined);
    return this.service.add(`${text}, instead`);
  }

  @Post('keep/:text')
  async keep(@Param('text') text: string): Promise<void> {
    await this.service.keep(text);
    throw new ConflictException();
  }

  @Post('handler/:number')
  @HttpCode(202)
  @Transactional()
  @Header('X-Kind', 'transactional')
  @Marked()
  async handler(
    @Param('number', ParseIntPipe) number: number,
    @Query('text') text: string,
    @Session() session: Session,
  ): Promise<object> {
    await session.execute('INSERT INTO note (text) VALUES (:text)', { text });
    return { number, text };
  }

  @Get('observed/:text')
  observed(@Param('text') text: string): Observable<string> {
    return this.service.observe(text, `${text}, last`);
  }

  @Post('observed-nested/:text')
  async observedNested(@Param('text') text: string): Promise<string> {
    await lastValueFrom(this.service.observeNested(text)).catch(() => undefined);
    return this.service.add(`${text}, instead`);
  }
}

onEach(['mariadb', 'sqljs', 'postgres'], (database) => {
  describe.each(database.kind === 'mariadb' ? PLATFORMS : (['express'] as const))('%s', (platform) => {
    let test: TestApp;
    let service: NotesService;
    const stored = (): Promise<string[]> => texts(test.dataSource);

    beforeEach(async () => {
      test = await startApp(database, {
        platform,
        controllers: [NotesController],
        providers: [NotesService, RequestService],
      });
      service = test.app.get(NotesService);
    });

    describe('in a request', () => {
      it('joins it, also in REQUEST-scoped providers', async () => {
        await test.http.post('/join/a').expect(201);
        expect(await stored()).toEqual(['a', "a, by the request's"]);
      });

      it('fails it when its error is caught', async () => {
        await test.http.post('/swallow/a').expect(500);
        expect(await stored()).toEqual([]);
      });

      it('has a savepoint of its own when it is NESTED', async () => {
        await test.http.post('/try/a').expect(201, 'a, instead');
        expect(await stored()).toEqual(['a, instead']);
      });

      if (database.kind !== 'sqljs') {
        it('is kept when it REQUIRES_NEW and the request fails', async () => {
          await test.http.post('/keep/a').expect(409);
          expect(await stored()).toEqual(['a']);
        });
      }

      it('keeps what other decorators have said of a handler, whether they stand above it or below', async () => {
        const response = await test.http.post('/handler/7?text=a').expect(202, { number: 7, text: 'a' });
        expect(response.headers['x-kind']).toBe('transactional');
        await test.http.post('/handler/seven?text=b').expect(400);
        // oxlint-disable-next-line typescript/unbound-method -- only looked at
        const { handler } = NotesController.prototype;
        expect([handler.name, handler.length]).toEqual(['handler', 3]);
        expect(Reflect.getMetadata('marked', handler)).toBe(true);
        expect(await stored()).toEqual(['a']);
      });
    });

    describe('outside of every unit of work', () => {
      it('opens one, and commits it', async () => {
        expect(await service.add('a')).toBe('a');
        await expect(service.add('b', true)).rejects.toBeInstanceOf(ConflictException);
        expect(await stored()).toEqual(['a']);
        expect(test.liveScopes()).toBe(0);
      });

      it('runs again as it is told', async () => {
        expect(await service.again('a')).toBe(3);
        expect(await stored()).toEqual(['a']);
      });
    });

    describe('on methods that return an Observable', () => {
      it('commits before the last value, for each subscription', async () => {
        const notes = service.observe('a', 'b');
        expect(await stored()).toEqual([]);
        const seen: unknown[] = [];
        await lastValueFrom(notes.pipe(toArray())).then((values) => seen.push(values));
        expect(seen).toEqual([['a', 'b']]);
        expect(await stored()).toEqual(['a', 'b']);
        // The rows are unique: the second subscription is a unit of work of its own, which fails.
        await expect(lastValueFrom(notes)).rejects.toBeInstanceOf(QueryFailedError);
        expect(test.liveScopes()).toBe(0);
      });

      it('is answered by a handler after the COMMIT', async () => {
        await test.http.get('/observed/a').expect(200, 'a, last');
        expect(await stored()).toEqual(['a', 'a, last']);
      });

      it('has a savepoint when it is NESTED', async () => {
        await test.http.post('/observed-nested/a').expect(201, 'a, instead');
        expect(await stored()).toEqual(['a, instead']);
      });

      it('gives no value twice when it runs again', async () => {
        expect(await lastValueFrom(service.observeAgain('a').pipe(toArray()))).toEqual(['a']);
        expect(service.attempts).toBe(3);
        expect(await stored()).toEqual(['a']);
      });

      it('keeps a single value that is taken, and rolls back when nobody waits for the rest', async () => {
        expect(await firstValueFrom(service.observe('a'))).toBe('a');
        await lastValueFrom(service.observe('b', 'c', 'd').pipe(take(1)));
        await test.session.run(() => undefined);
        expect(await stored()).toEqual(['a']);
      });

      it('refuses one that does not declare it', async () => {
        await expect(service.undeclared('a')).rejects.toThrow(
          /NotesService\.undeclared.*Declare its return type/,
        );
        expect(await stored()).toEqual([]);
      });
    });
  });
});
