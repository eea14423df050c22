/** The fields of a GraphQL mutation are stored together or not at all, and the response never says otherwise. */
import { HttpException } from '@nestjs/common';
import { describe, expect, it } from 'vitest';
import { onEach } from '../support/databases.js';
import { GRAPHQL_DRIVERS, type GraphQLApp, serveGraphQL } from '../support/graphql-app.js';
import { NOTES_PROVIDERS } from '../support/graphql-notes.js';
import { Note } from '../support/note.js';

onEach(['mariadb', 'sqljs', 'postgres'], (database) => {
  describe.each(GRAPHQL_DRIVERS)('%s', (driver) => {
    const start = async (more: object = {}, ...texts: string[]): Promise<GraphQLApp> => {
      const app = await serveGraphQL(database, driver, { providers: NOTES_PROVIDERS, ...more });
      if (texts.length > 0) await app.dataSource.getRepository(Note).insert(texts.map((text) => ({ text })));
      return app;
    };

    it('when one field fails the others are rolled back, and the response says so for each of them', async () => {
      const { ask, texts } = await start();
      const { data, errors } = await ask(
        'mutation { a: add(text: "a") { text } fails c: add(text: "c") { text } }',
      );
      expect(await texts()).toEqual([]);
      expect(data).toBeNull();
      expect(errors).toMatchObject([
        { message: 'This half has failed.', path: ['fails'] },
        { path: ['a'], extensions: { code: 'SS_ERR_ROLLED_BACK' } },
        { path: ['c'], extensions: { code: 'SS_ERR_ROLLED_BACK' } },
      ]);
    });

    it('a field that must not be null takes the others with it: they are named all the same', async () => {
      const { ask, texts } = await start();
      const { data, errors } = await ask('mutation { a: add(text: "a") { text } failsHard }');
      expect(await texts()).toEqual([]);
      expect(data).toBeNull();
      expect(errors?.map(({ path }) => path)).toEqual([['failsHard'], ['a']]);
    });

    it('an error of a field resolver below is one too', async () => {
      const { ask, texts } = await start();
      const { data, errors } = await ask('mutation { add(text: "a") { text broken } }');
      expect(await texts()).toEqual([]);
      expect(data).toBeNull();
      expect(errors).toMatchObject([{ path: ['add', 'broken'] }]);
    });

    it('a mutation that failed before it used a session keeps its data: nothing of it was undone', async () => {
      const { ask } = await start();
      expect(await ask('mutation { fails __typename }')).toMatchObject({
        data: { fails: null, __typename: 'Mutation' },
        errors: [{ path: ['fails'] }],
      });
    });

    it('the data of the other fields of a query stay: they were read so', async () => {
      const { ask } = await start({}, 'one');
      const { data, errors } = await ask('{ all { text } missing }');
      expect(data).toEqual({ all: [{ text: 'one' }], missing: null });
      expect(errors).toHaveLength(1);
    });

    it('changes that a mutation did not store itself are stored at its end, before the response', async () => {
      const { ask, texts } = await start({}, 'one');
      expect(await ask('mutation { rename(from: "one", to: "uno") }')).toEqual({ data: { rename: 'uno' } });
      expect(await texts()).toEqual(['uno']);
    });

    it('an end that fails is an error of the response, and there is no data', async () => {
      const { ask, texts } = await start({}, 'one', 'two');
      const { data, errors } = await ask(
        'mutation { add(text: "three") { text } rename(from: "one", to: "two") }',
      );
      expect(data).toBeNull();
      expect(errors).toHaveLength(1);
      expect(await texts()).toEqual(['one', 'two']);
    });

    it('the error of an end that failed is formatted by the application, as any other', async () => {
      const hidden = { message: 'hidden' };
      const { ask } = await start(
        {
          apollo: { formatError: () => hidden },
          mercurius: {
            errorFormatter: () => ({ statusCode: 200, response: { data: null, errors: [hidden] } }),
          },
        },
        'one',
        'two',
      );
      expect(await ask('mutation { rename(from: "one", to: "two") }')).toEqual({
        data: null,
        errors: [hidden],
      });
    });

    it('what a query changes on its way out is not stored, and a warning says so', async () => {
      const { ask, texts, heard } = await start({}, 'one');
      expect(await ask('{ masked { text } }')).toEqual({ data: { masked: [{ text: '***' }] } });
      expect(await texts()).toEqual(['one']);
      expect(heard.of('warn', 'changes of objects were not stored')).toHaveLength(1);
      expect(heard.of('warn', 'NotesResolver.masked')).toHaveLength(1);
    });

    it('rollbackOn is asked with the status and the error that the resolver threw; the gravest of several', async () => {
      const asked: [number | undefined, unknown][] = [];
      const rollbackOn = (status: number | undefined, error: unknown): boolean => {
        asked.push([status, error]);
        return (status ?? 0) >= 500;
      };
      const { ask, texts } = await start({ session: { rollbackOn } });
      const kept = await ask('mutation { add(text: "a") { text } notFound }');
      expect(kept).toMatchObject({
        data: { add: { text: 'a' }, notFound: null },
        errors: [{ path: ['notFound'] }],
      });
      expect(await texts()).toEqual(['a']);
      expect((await ask('mutation { add(text: "b") { text } notFound fails }')).data).toBeNull();
      expect(await texts()).toEqual(['a']);
      await ask('mutation { add(text: "c") { text } }');
      expect(asked).toEqual([
        [404, expect.any(HttpException)],
        [500, expect.objectContaining({ message: 'This half has failed.' })],
        [200, undefined],
      ]);
    });

    it("with commit: 'manual' what was not committed by hand is rolled back", async () => {
      const { ask, texts, heard } = await start({ session: { commit: 'manual' } });
      expect((await ask('mutation { add(text: "a") { text } }')).errors).toBeUndefined();
      expect(await texts()).toEqual([]);
      expect(heard.of('warn', "commit is 'manual'")).toHaveLength(1);
    });

    it('what was committed by hand before a failure is said to stay', async () => {
      const { ask, texts } = await start();
      const { data, errors } = await ask('mutation { add(text: "a") { text } commits fails }');
      expect(await texts()).toEqual(['a']);
      expect(data).toBeNull();
      expect(errors?.[1]?.message).toContain('but for what was committed by hand before');
    });
  });
});
