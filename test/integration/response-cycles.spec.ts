/** Tracked objects that lead to each other are answers like any other: as JSON, through class-transformer, in a handler's own hands. */
import { setImmediate } from 'node:timers/promises';
import {
  type CallHandler,
  ClassSerializerInterceptor,
  Controller,
  type ExecutionContext,
  Get,
  type INestApplication,
  Injectable,
  type NestInterceptor,
  SerializeOptions,
  StreamableFile,
  UseInterceptors,
} from '@nestjs/common';
import { APP_INTERCEPTOR, Reflector } from '@nestjs/core';
import { instanceToPlain } from 'class-transformer';
import { Session } from 'nestjs-scoped-session';
import { type Observable, tap } from 'rxjs';
import { beforeEach, describe, expect, it } from 'vitest';
import { IDENTITY, IdentityMap, type IdentityRunner, trackingBuilder } from '../../src/unit-of-work/index.js';
import { Answers, loadWriter, PLAIN, SERIALIZED } from '../support/answers-with-cycles.js';
import { bookshop, Chapter, Writer } from '../support/bookshop.js';
import { onEach } from '../support/databases.js';
import { ByHand, Numbered } from '../support/own-serializers.js';
import { PLATFORMS, startApp, type TestApp, type TestAppOptions } from '../support/test-app.js';

const messageOf = (work: () => unknown): string => {
  try {
    return typeof work();
  } catch (error) {
    return (error as Error).message;
  }
};

@Controller('plain')
class PlainAnswers extends Answers {
  @Get('without')
  async without(@Session() session: Session): Promise<object> {
    const writer = await loadWriter(session);
    for (const one of [writer, ...writer.books]) delete (one as { toJSON?: unknown }).toJSON;
    return [messageOf(() => JSON.stringify(writer)), messageOf(() => instanceToPlain(writer))];
  }

  @Get('in-the-handler')
  async inTheHandler(@Session() session: Session): Promise<object> {
    const writer = await loadWriter(session);
    return { writer: JSON.stringify(writer), books: JSON.stringify(writer.books) };
  }

  @Get('lazy')
  async lazy(@Session() { queryRunner, dataSource }: Session): Promise<Chapter> {
    const runner: IdentityRunner = queryRunner;
    runner[IDENTITY] = new IdentityMap();
    const whole = await trackingBuilder(dataSource.createQueryBuilder(Chapter, 'chapter', runner))
      .where({ title: 'whole' })
      .getOneOrFail();
    for (const part of await whole.parts) part.whole = Promise.resolve(whole);
    // What was assigned is put into its place once it is there.
    await setImmediate();
    return whole;
  }

  @Get('file')
  async file(@Session() session: Session): Promise<StreamableFile> {
    return new StreamableFile(Buffer.from((await loadWriter(session)).name));
  }
}

@Controller('serialized')
@UseInterceptors(ClassSerializerInterceptor)
class SerializedAnswers extends Answers {}

const given = new Numbered(new Reflector());

@Controller('given')
class GivenAnswers {
  @Get()
  @UseInterceptors(given)
  writer(@Session() session: Session): Promise<Writer> {
    return loadWriter(session);
  }

  @Get('by-hand')
  @UseInterceptors(ByHand)
  byHand(@Session() session: Session): Promise<Writer> {
    return loadWriter(session);
  }

  @Get('grouped')
  @UseInterceptors(given)
  @SerializeOptions({ strategy: 'excludeAll' })
  grouped(@Session() session: Session): Promise<Writer[]> {
    return loadWriter(session).then(({ books: [book] }) => [book!.writer!]);
  }
}

/** What was handed on by everything that stands inside. */
let emitted: unknown;
let looks = 0;
@Injectable()
class Outermost implements NestInterceptor {
  intercept(_context: ExecutionContext, next: CallHandler): Observable<unknown> {
    return next.handle().pipe(tap((value) => (emitted = [value, looks])));
  }
}

@Controller('watched')
class WatchedAnswers {
  readonly #answer = new Proxy<object>(
    { kept: true },
    {
      ownKeys: (target) => {
        looks += 1;
        return Reflect.ownKeys(target);
      },
    },
  );

  @Get('without-session')
  withoutSession(): object {
    return this.#answer;
  }

  @Get('with-session')
  async withSession(@Session() session: Session): Promise<object> {
    await loadWriter(session);
    return this.#answer;
  }

  @Get('refusing')
  async refusing(@Session() session: Session): Promise<object> {
    await loadWriter(session);
    const ownKeys = (): never => {
      throw new Error('not to be looked at');
    };
    return new Proxy({}, { ownKeys });
  }
}

onEach(['mariadb', 'sqljs'], (database) => {
  describe.each(PLATFORMS)('%s', (platform) => {
    let test: TestApp;
    const start = async (options: Partial<TestAppOptions> = {}): Promise<void> => {
      const controllers = [PlainAnswers, SerializedAnswers, GivenAnswers, WatchedAnswers];
      const { entities } = bookshop;
      test = await startApp(database, { platform, controllers, entities, ...options });
      await bookshop.store(test.dataSource.manager);
    };
    const bodyOf = async (path: string): Promise<unknown> =>
      (await test.http.get(path).expect(200)).body as unknown;

    describe('with one interceptor on a controller', () => {
      beforeEach(() => start());

      it('nothing could be written of the graph itself', async () => {
        expect(await bodyOf('/plain/without')).toEqual([
          expect.stringContaining('circular structure'),
          'Maximum call stack size exceeded',
        ]);
      });

      it.each(Object.keys(PLAIN))('an answer is JSON: %s', async (path) => {
        expect(await bodyOf(`/plain/${path}`)).toEqual(PLAIN[path]);
      });

      it.each(Object.keys(SERIALIZED))('an answer goes through class-transformer: %s', async (path) => {
        expect(await bodyOf(`/serialized/${path}`)).toEqual(SERIALIZED[path]);
      });

      it('interceptors that were given as objects, and those of classes that extend it, have it cut as well', async () => {
        expect(await bodyOf('/given')).toEqual({ serialized: SERIALIZED['writer'] });
        expect(await bodyOf('/given/by-hand')).toEqual({ byHand: SERIALIZED['writer'] });
        expect(await bodyOf('/given/grouped')).toEqual({ serialized: [{}] });
      });

      it('a handler writes JSON itself', async () => {
        const body = (await bodyOf('/plain/in-the-handler')) as Record<string, string>;
        expect(JSON.parse(body['writer']!)).toEqual(PLAIN['writer']);
        expect(JSON.parse(body['books']!)).toEqual(PLAIN['books']);
      });

      it('lazy relations that were loaded are written as TypeORM keeps them', async () => {
        const part = (id: number): object => ({ id, title: `part ${id - 1}`, __has_whole__: true });
        expect(await bodyOf('/plain/lazy')).toEqual({
          id: 1,
          title: 'whole',
          __parts__: [part(2), part(3)],
          __has_parts__: true,
        });
      });

      it('a file is sent as it is', async () => {
        expect(await bodyOf('/plain/file')).toEqual(Buffer.from('ann'));
      });

      it('a shutdown takes back what was put on an interceptor', async () => {
        expect(Object.hasOwn(given, 'serialize')).toBe(true);
        await test.app.close();
        expect(Object.hasOwn(given, 'serialize')).toBe(false);
      });
    });

    it.each([
      [
        'useGlobalInterceptors',
        {
          configure: (app: INestApplication) =>
            void app.useGlobalInterceptors(new ClassSerializerInterceptor(app.get(Reflector))),
        },
      ],
      [
        'APP_INTERCEPTOR',
        { providers: [{ provide: APP_INTERCEPTOR, useClass: ClassSerializerInterceptor }] },
      ],
    ])('with %s all answers go through class-transformer', async (_where, options) => {
      await start(options);
      for (const [path, answer] of Object.entries(SERIALIZED))
        expect(await bodyOf(`/plain/${path}`)).toEqual(answer); // oxlint-disable-line no-await-in-loop
    });

    it('what stands around has the tree, and an answer without a session is not looked at', async () => {
      looks = 0;
      await start({ providers: [{ provide: APP_INTERCEPTOR, useClass: Outermost }] });
      await bodyOf('/plain/writer');
      const [tree] = emitted as [Writer];
      expect(tree).toBeInstanceOf(Writer);
      expect(Object.hasOwn(tree.books[0]!, 'writer')).toBe(false);
      await bodyOf('/watched/without-session');
      expect(emitted).toEqual([expect.anything(), 0]);
      const before = looks;
      await bodyOf('/watched/with-session');
      expect((emitted as [unknown, number])[1]).toBeGreaterThan(before);
      await test.http.get('/watched/refusing').expect(500);
    });
  });
});
