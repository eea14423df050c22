/** Each GraphQL operation of a batch in one HTTP request is a unit of work of its own. */
import {
  Injectable,
  type MiddlewareConsumer,
  Module,
  type NestMiddleware,
  type NestModule,
} from '@nestjs/common';
import { Query, Resolver } from '@nestjs/graphql';
import { ScopedSession, UnsupportedContextError } from 'nestjs-scoped-session';
import { describe, expect, it } from 'vitest';
import { onEach } from '../support/databases.js';
import { GRAPHQL_DRIVERS, serveGraphQL } from '../support/graphql-app.js';
import { NOTES_PROVIDERS, Seen } from '../support/graphql-notes.js';
import { Note } from '../support/note.js';
import { signal, waitUntil } from '../support/wait-until.js';

/** Uses the session of the HTTP request itself, while the operations of its batch run. */
@Injectable()
class AroundTheBatch implements NestMiddleware {
  static during = signal();
  static outcome = signal<unknown>();

  constructor(private readonly session: ScopedSession) {}

  use(_request: unknown, _response: unknown, next: () => void): void {
    void AroundTheBatch.during.promise
      .then(async () => this.session.scalar('SELECT 1'))
      .then(AroundTheBatch.outcome.resolve, AroundTheBatch.outcome.resolve);
    next();
  }
}

@Resolver()
class MeetingResolver {
  @Query(() => String)
  async meets(): Promise<string> {
    AroundTheBatch.during.resolve();
    await AroundTheBatch.outcome.promise;
    return 'met';
  }
}

@Module({})
class AroundModule implements NestModule {
  configure(consumer: MiddlewareConsumer): void {
    consumer.apply(AroundTheBatch).forRoutes('{*path}');
  }
}

onEach(['mariadb', 'sqljs'], (database) => {
  describe.each(GRAPHQL_DRIVERS)('%s', (driver) => {
    it('one that fails undoes its own fields, and no other operation', async () => {
      const { askAll, texts, app } = await serveGraphQL(database, driver, { providers: NOTES_PROVIDERS });
      const answers = await askAll(
        'mutation { a: add(text: "a") { text length } }',
        'mutation { b: add(text: "b") { text } fails }',
        'mutation { c: addTracked(text: "c") { text loaded } }',
        '{ static }',
      );
      expect(answers).toMatchObject([
        { data: { a: { text: 'a', length: 1 } } },
        { data: null, errors: [{ path: ['fails'] }, { path: ['b'] }] },
        { data: { c: { text: 'c', loaded: 1 } } },
        { data: { static: 'no database' } },
      ]);
      expect((await texts()).toSorted()).toEqual(['a', 'c']);
      expect(app.get(Seen).sessions.size).toBeGreaterThanOrEqual(2);
    });

    it('an end that fails is the error of its own operation only', async () => {
      const { askAll, texts, dataSource } = await serveGraphQL(database, driver, {
        providers: NOTES_PROVIDERS,
      });
      await dataSource.getRepository(Note).insert([{ text: 'one' }, { text: 'two' }]);
      const [first, second] = await askAll(
        'mutation { rename(from: "one", to: "two") }',
        'mutation { add(text: "three") { text } }',
      );
      expect(first).toMatchObject({ data: null, errors: [{}] });
      expect(second).toEqual({ data: { add: { text: 'three' } } });
      expect(await texts()).toEqual(['one', 'two', 'three']);
    });

    it('a batch of one, and twelve at once, leave nothing behind', async () => {
      const { askAll, texts, liveScopes } = await serveGraphQL(database, driver, {
        providers: NOTES_PROVIDERS,
      });
      expect(await askAll('mutation { add(text: "alone") { text } }')).toEqual([
        { data: { add: { text: 'alone' } } },
      ]);
      const names = Array.from({ length: 12 }, (_, number) => `n${number}`);
      await askAll(...names.map((name) => `mutation { add(text: "${name}") { text } }`));
      expect((await texts()).toSorted()).toEqual(['alone', ...names].toSorted());
      await waitUntil('no scope is live', () => liveScopes() === 0);
    });

    it('code of the HTTP request that belongs to none of them is told so, instead of a session that nobody commits', async () => {
      AroundTheBatch.during = signal();
      AroundTheBatch.outcome = signal();
      const { askAll } = await serveGraphQL(database, driver, {
        providers: [...NOTES_PROVIDERS, MeetingResolver],
        imports: [AroundModule],
      });
      const answers = await askAll('{ meets }', '{ static }');
      expect(answers).toEqual([{ data: { meets: 'met' } }, { data: { static: 'no database' } }]);
      expect(await AroundTheBatch.outcome.promise).toBeInstanceOf(UnsupportedContextError);
    });
  });
});
