/** GraphQL operations that are cut short: the client has gone, the time is up, the application shuts down. */
import { request as sendRequest } from 'node:http';
import { Mutation, Query, Resolver } from '@nestjs/graphql';
import { InjectRepository } from '@nestjs/typeorm';
import { ScopedSession, SessionOptions } from 'nestjs-scoped-session';
import type { MercuriusPlugin } from 'mercurius';
import { Repository } from 'typeorm';
import { beforeEach, describe, expect, it } from 'vitest';
import { onEach } from '../support/databases.js';
import { GRAPHQL_DRIVERS, type GraphQLApp, serveGraphQL } from '../support/graphql-app.js';
import { Note } from '../support/note.js';
import { signal, waitUntil } from '../support/wait-until.js';

let gate = signal();
let arrived = signal();

@Resolver()
class WaitingResolver {
  constructor(
    @InjectRepository(Note) private readonly notes: Repository<Note>,
    private readonly session: ScopedSession,
  ) {}

  @Query(() => String)
  async one(): Promise<string> {
    return String(await this.session.scalar('SELECT 1'));
  }

  @Mutation(() => String, { nullable: true })
  async waits(): Promise<string> {
    await this.notes.insert({ text: 'before' });
    arrived.resolve();
    await gate.promise;
    await this.notes.insert({ text: 'after' });
    return 'done';
  }

  @Mutation(() => String, { nullable: true })
  async hangs(): Promise<never> {
    await this.notes.insert({ text: 'before' });
    arrived.resolve();
    return new Promise(() => undefined);
  }

  @Mutation(() => String, { nullable: true })
  @SessionOptions({ timeoutMs: 60 })
  async hangsShortly(): Promise<never> {
    return this.hangs();
  }
}

const SILENT = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

const breaksOff = async (): Promise<never> => {
  throw new Error('The hook has failed.');
};

/** Sends an operation, and goes away when the resolver has begun. */
async function leave({ url }: GraphQLApp, ...queries: string[]): Promise<void> {
  const headers = { 'content-type': 'application/json' };
  const sent = sendRequest(`${url}/graphql`, { method: 'POST', headers });
  const closed = new Promise((resolve) => sent.once('close', resolve));
  sent.once('error', () => undefined);
  const all = queries.map((query) => ({ query }));
  sent.end(JSON.stringify(all.length === 1 ? all[0] : all));
  await arrived.promise;
  sent.destroy();
  await closed;
}

onEach(['mariadb', 'sqljs'], (database) => {
  describe.each(GRAPHQL_DRIVERS)('%s', (driver) => {
    beforeEach(() => {
      gate = signal();
      arrived = signal();
    });
    const start = (session: object = {}): Promise<GraphQLApp> =>
      serveGraphQL(database, driver, { providers: [WaitingResolver], session });
    const ended = ({ liveScopes }: GraphQLApp): Promise<void> =>
      waitUntil('the operation has ended', () => liveScopes() === 0);

    it('a client that has gone changes nothing: the operation is finished and kept', async () => {
      const app = await start();
      await leave(app, 'mutation { waits }');
      gate.resolve();
      await ended(app);
      expect(await app.texts()).toEqual(['before', 'after']);
    });

    it.each([[['mutation { waits }']], [['mutation { waits }', '{ __typename }']]])(
      "onClientAbort: 'rollback' undoes what nobody waits for: %s",
      async (queries) => {
        const app = await start({ onClientAbort: 'rollback' });
        await leave(app, ...queries);
        await ended(app);
        gate.resolve();
        expect(await app.texts()).toEqual([]);
      },
    );

    it('an operation that takes too long is told so, and is rolled back, though its resolver hangs', async () => {
      const app = await start({ scopeTimeoutMs: 60 });
      const { data, errors } = await app.ask('mutation { hangs }');
      expect(data).toBeNull();
      expect(errors).toMatchObject([{ message: expect.stringContaining('scopeTimeoutMs'), path: ['hangs'] }]);
      expect(await app.texts()).toEqual([]);
    });

    it("timeoutMs of a resolver is its operation's", async () => {
      const app = await start();
      const { errors } = await app.ask('mutation { hangsShortly }');
      expect(errors?.[0]?.message).toContain('60 ms');
    });

    it('the shutdown waits for an operation that runs', async () => {
      const app = await start();
      const answer = app.ask('mutation { waits }');
      await arrived.promise;
      const closed = app.close();
      gate.resolve();
      expect(await answer).toEqual({ data: { waits: 'done' } });
      await closed;
    });

    it('the shutdown undoes an operation that hangs, and its client is told', async () => {
      const app = await start({ drainTimeoutMs: 50 });
      const answer = app.ask('mutation { hangs }');
      await arrived.promise;
      const closed = app.close();
      const { data, errors } = await answer;
      expect(data).toBeNull();
      expect(errors?.[0]?.message).toContain('drainTimeoutMs');
      await closed;
    });

    it("an operation that the application's own hooks break off leaves nothing behind", async () => {
      const app = await serveGraphQL(database, driver, {
        providers: [WaitingResolver],
        apollo: {
          logger: SILENT,
          plugins: [{ requestDidStart: async () => ({ executionDidStart: breaksOff }) }],
        },
      });
      const { graphql } = app.app.getHttpAdapter().getInstance() as { graphql?: MercuriusPlugin };
      graphql?.addHook('preExecution', breaksOff);
      const { errors } = await app.ask('mutation { waits }');
      expect(errors).toHaveLength(1);
      await ended(app);
      expect(await app.texts()).toEqual([]);
    });

    it('a request that is excluded has no unit of work, and using a session says so', async () => {
      const { ask } = await start({ exclude: ['/graphql'] });
      const { errors } = await ask('{ one }');
      expect(errors?.[0]?.message).toContain('outside a scope');
    });
  });
});
