/** A GraphQL operation is one unit of work with one session, wherever in it the session is used. */
import { engineOf } from '../../src/engine/index.js';
import { describe, expect, it } from 'vitest';
import { onEach } from '../support/databases.js';
import { GRAPHQL_DRIVERS, type GraphQLApp, serveGraphQL } from '../support/graphql-app.js';
import { NOTES_PROVIDERS, Seen } from '../support/graphql-notes.js';
import { Note } from '../support/note.js';
import { StatementRecorder } from '../support/statement-recorder.js';

onEach(['mariadb', 'sqljs', 'postgres'], (database) => {
  describe.each(GRAPHQL_DRIVERS)('%s', (driver) => {
    const start = async (
      more: object = {},
      ...texts: string[]
    ): Promise<GraphQLApp & { seen: Seen; recorder: StatementRecorder }> => {
      const recorder = new StatementRecorder();
      const app = await serveGraphQL(database, driver, {
        providers: NOTES_PROVIDERS,
        dataSource: { logger: recorder },
        ...more,
      });
      if (texts.length > 0) await app.dataSource.getRepository(Note).insert(texts.map((text) => ({ text })));
      recorder.take();
      return { ...app, seen: app.app.get(Seen), recorder };
    };

    it('F80: parallel root fields, field resolvers, loaders, guards, pipes and parameters share one session', async () => {
      const { ask, seen, recorder } = await start({}, 'one', 'two');
      const answer = await ask(`{
        all { text length loaded loadedSoon }
        tracked { text length }
        counted(text: "one")
        again: counted(text: "none")
      }`);
      expect(answer).toEqual({
        data: {
          all: [
            { text: 'one', length: 3, loaded: 3, loadedSoon: 3 },
            { text: 'two', length: 3, loaded: 3, loadedSoon: 3 },
          ],
          tracked: [
            { text: 'one', length: 3 },
            { text: 'two', length: 3 },
          ],
          counted: 1,
          again: 0,
        },
      });
      expect(seen.sessions.size).toBe(1);
      expect(new Set(seen.places)).toEqual(
        new Set([
          'guard',
          'pipe',
          'root by repository',
          'root by parameter',
          'root by scoped session',
          'field resolver',
          'loader of 2',
        ]),
      );
      const begun = recorder.take().filter(({ sql }) => /^(START TRANSACTION|BEGIN)/.test(sql));
      expect(begun).toHaveLength(1);
    });

    it('what a mutation stored is there for others when the client has its answer', async () => {
      const { ask, texts } = await start();
      const { data, errors } = await ask(
        'mutation { a: add(text: "a") { text } addTracked(text: "b") { text length } }',
      );
      expect(errors).toBeUndefined();
      expect(data).toEqual({ a: { text: 'a' }, addTracked: { text: 'b', length: 1 } });
      expect(await texts()).toEqual(['a', 'b']);
    });

    it('an operation that asks for nothing of the database opens nothing, nor does one that is refused', async () => {
      const { ask, recorder, app, dataSource } = await start();
      expect(await ask('{ static }')).toEqual({ data: { static: 'no database' } });
      expect((await ask('{ __schema { queryType { name } } __typename }')).errors).toBeUndefined();
      expect((await ask('{ all { ')).errors).toHaveLength(1);
      expect((await ask('{ unknown }')).errors).toHaveLength(1);
      expect((await ask('query Q($text: String!) { counted(text: $text) }')).errors).toHaveLength(1);
      expect(recorder.take()).toEqual([]);
      expect(engineOf(dataSource).status().active).toBe(0);
      expect(app.get(Seen).places).toEqual([]);
    });

    it('the operation that is named is the one that counts, of several in a document', async () => {
      const { http, texts } = await start({}, 'one');
      const query = 'mutation M { add(text: "two") { text } } query Q { masked { text } missing }';
      const { body } = (await http.post('/graphql').send({ query, operationName: 'Q' })) as {
        body: Record<string, unknown>;
      };
      expect(body['data']).toEqual({ masked: [{ text: '***' }], missing: null });
      await http.post('/graphql').send({ query, operationName: 'M' }).expect(200);
      expect(await texts()).toEqual(['one', 'two']);
    });

    it('a query by GET is one too', async () => {
      const { http } = await start({}, 'one');
      const { body } = await http
        .get('/graphql')
        .set('apollo-require-preflight', 'true')
        .query({ query: '{ all { text } }' });
      expect(body).toEqual({ data: { all: [{ text: 'one' }] } });
    });

    it('twenty operations at once on a pool of three never meet', async () => {
      const { ask, texts, seen } = await start({ session: { poolSize: database.kind === 'sqljs' ? 1 : 3 } });
      const numbers = Array.from({ length: 20 }, (_, number) => number);
      const answers = await Promise.all(
        numbers.map((number) =>
          number % 4 === 3
            ? ask(`mutation { add(text: "n${number}") { text length } fails }`)
            : ask(
                `mutation { add(text: "n${number}") { text length } addTracked(text: "m${number}") { text } }`,
              ),
        ),
      );
      for (const [number, { data }] of answers.entries()) {
        const add = { text: `n${number}`, length: `n${number}`.length };
        expect(data).toEqual(number % 4 === 3 ? null : { add, addTracked: { text: `m${number}` } });
      }
      const kept = numbers
        .filter((number) => number % 4 !== 3)
        .flatMap((number) => [`m${number}`, `n${number}`]);
      expect((await texts()).toSorted()).toEqual(kept.toSorted());
      expect(seen.sessions.size).toBe(20);
    });

    it('the interceptor may run for each field as well: it only takes part', async () => {
      const enhanced = { fieldResolverEnhancers: ['interceptors'] };
      const { ask, seen, texts } = await start({ apollo: enhanced, mercurius: enhanced });
      const answer = await ask('mutation { add(text: "a") { text length } b: add(text: "bb") { length } }');
      expect(answer).toEqual({ data: { add: { text: 'a', length: 1 }, b: { length: 2 } } });
      expect(seen.sessions.size).toBe(1);
      expect(await texts()).toEqual(['a', 'bb']);
    });
  });
});
