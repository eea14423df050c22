/** Faults at BEGIN, COMMIT and ROLLBACK: what is told is what is known, and nothing is ever done a second time. */
import { Controller, Post } from '@nestjs/common';
import {
  CommitOutcomeUnknownError,
  ConnectionUnavailableError,
  currentScope,
  type Scope,
  ScopedSession,
  ScopeTimeoutError,
  StatementTimeoutError,
  UnfinishedWorkError,
} from 'nestjs-scoped-session';
import { QueryFailedError } from 'typeorm';
import { describe, expect, it } from 'vitest';
import { engineOf } from '../../src/engine/index.js';
import { onEach, SERVERS } from '../support/databases.js';
import { throughProxy } from '../support/faulty-database.js';
import { Ledger } from '../support/ledger.js';
import { Note } from '../support/note.js';
import { type Ours, ours, texts } from '../support/plain-and-ours.js';
import { PLATFORMS, startApp } from '../support/test-app.js';
import { waitUntil } from '../support/wait-until.js';

onEach(SERVERS, (shared) => {
  const database = throughProxy(shared);
  const store = ({ session }: Ours, text: string, timeoutMs?: number): Promise<unknown> =>
    session.run(() => session.execute('INSERT INTO note (text) VALUES (:text)', { text }), {
      ...(timeoutMs !== undefined && { timeoutMs }),
    });

  const failure = (work: Promise<unknown>): Promise<unknown> =>
    work.then(
      () => undefined,
      (error: unknown) => error,
    );

  const UNKNOWN = { code: 'SS_ERR_COMMIT_OUTCOME_UNKNOWN', outcome: 'unknown', retryable: false };

  describe('a connection that is cut', () => {
    it('F46: at BEGIN fails the unit of work before anything was done, and takes no place in the pool', async () => {
      const test = await ours(database, { poolSize: 1 });
      void database.proxy.cutBefore('START TRANSACTION');
      const error = await failure(store(test, 'never'));
      expect(error).toBeInstanceOf(ConnectionUnavailableError);
      expect((error as Error).cause).toBeInstanceOf(QueryFailedError);
      expect(engineOf(test.dataSource).status()).toMatchObject({ active: 0, waiting: 0 });
      await store(test, 'the next');
      expect(await texts(test.dataSource)).toEqual(['the next']);
    });

    it('F14: before the server saw COMMIT leaves the outcome unknown; nothing is stored', async () => {
      const test = await ours(database, { poolSize: 1 });
      void database.proxy.cutBefore('COMMIT');
      const error = await failure(store(test, 'not stored'));
      expect(error).toMatchObject(UNKNOWN);
      expect(error).toBeInstanceOf(CommitOutcomeUnknownError);
      await store(test, 'the next');
      expect(await texts(test.dataSource)).toEqual(['the next']);
    });

    it('F15: after COMMIT, before its answer, leaves the outcome unknown; it is stored, once', async () => {
      const test = await ours(database, { poolSize: 1 });
      let works = 0;
      const cut = database.proxy.cutAfter('COMMIT');
      const work = test.session.run(async () => {
        works += 1;
        await test.session.execute("INSERT INTO note (text) VALUES ('stored')");
      });
      expect(await failure(work)).toMatchObject(UNKNOWN);
      await cut;
      expect(works, 'nobody did it again').toBe(1);
      await store(test, 'the next');
      expect(await texts(test.dataSource)).toEqual(['stored', 'the next']);
    });

    it('F15: one that commits by hand is told the same, and its session goes on after a rollback', async () => {
      const test = await ours(database, { poolSize: 1 });
      const session = test.session.sessionFactory.create();
      await session.execute("INSERT INTO note (text) VALUES ('stored')");
      void database.proxy.cutAfter('COMMIT');
      expect(await failure(session.commit())).toMatchObject(UNKNOWN);
      expect(session.isActive).toBe(false);
      await session.rollback();
      await session.execute("INSERT INTO note (text) VALUES ('the next')");
      await session.commit();
      expect(await texts(test.dataSource)).toEqual(['stored', 'the next']);
    });

    it('F15: tells the same through manager.transaction()', async () => {
      const test = await ours(database, { poolSize: 1 });
      void database.proxy.cutAfter('COMMIT');
      const work = test.session.run(() =>
        test.dataSource.transaction((manager) => manager.insert(Note, { text: 'stored' })),
      );
      expect(await failure(work)).toMatchObject(UNKNOWN);
      expect(await texts(test.dataSource)).toEqual(['stored']);
    });

    it('F42: at ROLLBACK hides nothing: the first error is told, and nothing is stored', async () => {
      const test = await ours(database, { poolSize: 1 });
      void database.proxy.cutBefore('ROLLBACK');
      const work = test.session.run(async () => {
        await test.session.execute("INSERT INTO note (text) VALUES ('undone')");
        throw new Error('the first error');
      });
      await expect(work).rejects.toThrow('the first error');
      await store(test, 'the next');
      expect(await texts(test.dataSource)).toEqual(['the next']);
    });

    it('F14, F15: at any COMMIT under load loses no money', async () => {
      const test = await ours(database, { poolSize: 4 });
      const ledger = await Ledger.open(database, test.session);
      for (let cuts = 0; cuts < 6; cuts += 1) {
        const cut = cuts % 2 === 0 ? database.proxy.cutBefore('COMMIT') : database.proxy.cutAfter('COMMIT');
        await Promise.all([cut, ...Array.from({ length: 8 }, () => ledger.transfer())]);
      }
      const told = [...ledger.told.values()];
      expect(told.filter((one) => one === 'unknown')).toHaveLength(6);
      expect(told.filter((one) => one === 'ok')).toHaveLength(42);
      expect(await ledger.wrong()).toEqual([]);
    });
  });

  describe('a network that swallows everything', () => {
    it('F13: at COMMIT leaves the outcome unknown when the time is up; the connection is given up', async () => {
      const test = await ours(database, { poolSize: 1 }, { settleTimeoutMs: 100 });
      const swallowed = database.proxy.once('COMMIT', () => database.proxy.blackHole());
      const error = await failure(store(test, 'nobody knows', 200));
      expect(error).toMatchObject(UNKNOWN);
      expect((error as Error).cause).toBeInstanceOf(ScopeTimeoutError);
      await swallowed;
      expect(engineOf(test.dataSource).status()).toMatchObject({ active: 0, total: 0 });
      await database.proxy.heal();
      // What was on its way arrives now, or never: both were said to be possible.
      await store(test, 'the next');
      expect(await texts(test.dataSource)).toContain('the next');
    });

    it('F13: after COMMIT leaves the outcome unknown; it is stored, once', async () => {
      const test = await ours(database, { poolSize: 1 }, { settleTimeoutMs: 100 });
      void database.proxy.blackHoleAfter('COMMIT');
      expect(await failure(store(test, 'stored', 200))).toMatchObject(UNKNOWN);
      await database.proxy.heal();
      expect(await texts(test.dataSource)).toEqual(['stored']);
    });

    it('F13: ends with the statement’s time too, where it has one: unknown, as ever', async () => {
      const test = await ours(database, { poolSize: 1 });
      engineOf(test.dataSource).configure({ statementTimeoutMs: 200 });
      void database.proxy.blackHoleAfter('COMMIT');
      const error = await failure(store(test, 'stored', 10_000));
      expect(error).toMatchObject(UNKNOWN);
      expect((error as Error).cause).toBeInstanceOf(StatementTimeoutError);
      await database.proxy.heal();
      expect(await texts(test.dataSource)).toEqual(['stored']);
    });

    it('F13: at a COMMIT by hand leaves the outcome unknown when the unit of work’s own time is up', async () => {
      const test = await ours(database, { poolSize: 1 });
      let committing: Promise<void> | undefined;
      let scope: Scope | undefined;
      const work = test.session.run(
        async () => {
          scope = currentScope();
          await test.session.execute("INSERT INTO note (text) VALUES ('stored')");
          void database.proxy.blackHoleAfter('COMMIT');
          committing = test.session.commit();
          await committing;
        },
        { timeoutMs: 200 },
      );
      const error = await failure(work);
      expect(error).toMatchObject(UNKNOWN);
      expect((error as Error).cause).toBeInstanceOf(ScopeTimeoutError);
      expect(await failure(committing!)).toMatchObject(UNKNOWN);
      expect(scope!.outcome).toBe('unknown');
      await database.proxy.heal();
      expect(await texts(test.dataSource)).toEqual(['stored']);
    });

    it('F13: at a COMMIT by hand that nobody awaited leaves the outcome unknown', async () => {
      const test = await ours(database, { poolSize: 1 }, { settleTimeoutMs: 100 });
      let committing: Promise<void> | undefined;
      const work = test.session.run(async () => {
        await test.session.execute("INSERT INTO note (text) VALUES ('stored')");
        const swallowed = database.proxy.blackHoleAfter('COMMIT');
        committing = test.session.commit();
        committing.catch(() => undefined);
        await swallowed;
      });
      const error = await failure(work);
      expect(error).toMatchObject(UNKNOWN);
      expect((error as Error).cause).toBeInstanceOf(UnfinishedWorkError);
      expect(await failure(committing!)).toMatchObject(UNKNOWN);
      await database.proxy.heal();
      expect(await texts(test.dataSource)).toEqual(['stored']);
    });
  });

  @Controller()
  class NotesController {
    constructor(private readonly session: ScopedSession) {}

    @Post()
    async store(): Promise<string> {
      await this.session.manager.insert(Note, {
        text: `note ${Number(await this.session.scalar('SELECT COUNT(*) FROM note'))}`,
      });
      return 'the handler is content';
    }
  }

  describe.each(PLATFORMS)('a client over %s', (platform) => {
    const start = (session = {}): ReturnType<typeof startApp> =>
      startApp(database, { platform, controllers: [NotesController], dataSource: { poolSize: 1 }, session });

    it.each(['cutBefore', 'cutAfter'] as const)(
      'F14, F15: is told 500, never 2xx: %s COMMIT',
      async (fault) => {
        const { http } = await start();
        void database.proxy[fault]('COMMIT');
        const { status, text } = await http.post('/');
        expect(status).toBe(500);
        expect(text).not.toContain('COMMIT');
        await http.post('/').expect(201);
        const stored = await database.ask('SELECT text FROM note');
        expect(stored).toHaveLength(fault === 'cutAfter' ? 2 : 1);
      },
    );

    it('F13: is told 500 when its time is up, and the next one is served', async () => {
      const { http } = await start({ scopeTimeoutMs: 300, settleTimeoutMs: 100 });
      void database.proxy.blackHoleAfter('COMMIT');
      await http.post('/').expect(500);
      await database.proxy.heal();
      await http.post('/').expect(201);
      expect(await database.ask('SELECT text FROM note')).toHaveLength(2);
    });

    it('F73: an application that shuts down does not wait for a COMMIT that is never answered', async () => {
      const { http, app, liveScopes } = await start({ drainTimeoutMs: 100 });
      const swallowed = database.proxy.blackHoleAfter('COMMIT');
      const answer = http.post('/').then(({ status }) => status);
      await swallowed;
      await waitUntil('it is under way', () => liveScopes() === 1);
      await app.close();
      expect(liveScopes()).toBe(0);
      expect(await answer).toBe(500);
    });
  });
});
