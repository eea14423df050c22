/** Handlers whose bodies are particular: rows, errors, bodies that are wrapped, refused, or thrown away. */
import { Readable, Transform } from 'node:stream';
import {
  type CallHandler,
  ConflictException,
  Controller,
  type ExecutionContext,
  Get,
  HttpCode,
  Injectable,
  type NestInterceptor,
  Param,
  Post,
  StreamableFile,
  UseInterceptors,
} from '@nestjs/common';
import { currentScope, ScopedSession, SessionOptions } from 'nestjs-scoped-session';
import { map, type Observable, of } from 'rxjs';
import { Note } from './note.js';
import { signal } from './wait-until.js';

/** What the bodies wait for, and what tells that a handler has come to its end. */
export const course = { gate: signal(), inserted: signal() };

@Injectable()
export class ThrowsAway implements NestInterceptor {
  intercept(_context: ExecutionContext, next: CallHandler): Observable<unknown> {
    return next.handle().pipe(map(() => ({ instead: true })));
  }
}

/** As Nest 11 does with whatever it does not stream. */
@Injectable()
export class WritesAsJson implements NestInterceptor {
  intercept(_context: ExecutionContext, next: CallHandler): Observable<unknown> {
    return next
      .handle()
      .pipe(map((body: object) => ({ json: JSON.stringify(body), keys: Object.keys(body) })));
  }
}

@Injectable()
export class Wraps implements NestInterceptor {
  intercept(_context: ExecutionContext, next: CallHandler): Observable<unknown> {
    return next.handle().pipe(map((data: unknown) => ({ data })));
  }
}

@Controller()
export class CasesController {
  constructor(private readonly session: ScopedSession) {}

  async #add(text: string): Promise<void> {
    await this.session.manager.insert(Note, { text });
  }

  @Post('rows')
  async rows(): Promise<StreamableFile> {
    await this.#add('a');
    await this.#add('b');
    const rows = await this.session.queryRunner.stream('SELECT text FROM note ORDER BY id');
    const asText = new Transform({
      writableObjectMode: true,
      transform: (row: { text: string }, _encoding, done) => {
        const give = (): void => done(null, `${row.text};`);
        void course.gate.promise.then(give);
      },
    });
    course.inserted.resolve();
    return new StreamableFile(rows.pipe(asText));
  }

  @Post('titled')
  async titled(): Promise<object> {
    await this.#add('by the handler');
    return { title: 'a', [Symbol.asyncIterator]: () => this.#failing() };
  }

  @Post('fails-at-once')
  async failsAtOnce(): Promise<unknown> {
    await this.#add('by the handler');
    return this.#failing();
  }

  async *#failing(): AsyncGenerator<string> {
    await this.#add('by the body');
    yield* [];
    throw new ConflictException();
  }

  async *#adding(text: string): AsyncGenerator<string> {
    yield 'first;';
    await course.gate.promise;
    await this.#add(text);
    yield `${currentScope()?.label};`;
  }

  @Post('body/:text')
  async body(@Param('text') text: string): Promise<unknown> {
    await this.#add(`${text}, by the handler`);
    return this.#adding(text);
  }

  @Post('holds-long')
  async holdsLong(): Promise<unknown> {
    return this.#holding();
  }

  async *#holding(): AsyncGenerator<string> {
    await this.#add('held');
    yield 'first;';
    await course.gate.promise;
    yield 'last';
  }

  @Post('refused')
  @HttpCode(422)
  async refused(): Promise<unknown> {
    return this.body('refused');
  }

  @Post('manual')
  @SessionOptions({ commit: 'manual' })
  async manual(): Promise<unknown> {
    await this.#add('by the handler');
    return this.#committing();
  }

  async *#committing(): AsyncGenerator<string> {
    await this.session.commit();
    yield 'committed;';
    await this.#add('dropped');
    yield 'not committed';
  }

  @Post('thrown-away')
  async thrownAway(): Promise<unknown> {
    return this.body('thrown away');
  }

  @Post('wrapped')
  @UseInterceptors(Wraps)
  async wrapped(): Promise<unknown> {
    return this.body('wrapped');
  }

  @Post('last-of-many')
  lastOfMany(): Observable<unknown> {
    return of('not this', this.#adding('last of many'));
  }

  @Get('buffer')
  async buffer(): Promise<StreamableFile> {
    await this.#add('with a buffer');
    return new StreamableFile(Buffer.from('whole'));
  }

  @Post('broken-file')
  async brokenFile(): Promise<StreamableFile> {
    await this.#add('by the handler');
    const broken = new Readable({ read: () => undefined });
    broken.destroy(new Error('The file cannot be read.'));
    return new StreamableFile(broken).setErrorHandler((_error, response) => {
      response.statusCode = 410;
      response.send('gone');
    });
  }
}
