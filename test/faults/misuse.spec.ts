/** Programs that use a session wrongly, or all at once: they are told, and nobody else feels it. */
import { inspect } from 'node:util';
import { MessageChannel } from 'node:worker_threads';
import {
  currentScope,
  IllegalStateChangeError,
  PoolTimeoutError,
  SessionClosedError,
} from 'nestjs-scoped-session';
import { describe, expect, it } from 'vitest';
import { engineOf } from '../../src/engine/index.js';
import { ALL_KINDS, onEach, SERVERS } from '../support/databases.js';
import { ours, texts } from '../support/plain-and-ours.js';
import { signal } from '../support/wait-until.js';

onEach(ALL_KINDS, (database) => {
  const insert = 'INSERT INTO note (text) VALUES (:text)';

  it('F84: 50 statements at once on one session are sent in their order, and answered each with its own', async () => {
    const { session, dataSource } = await ours(database);
    const numbers = Array.from({ length: 50 }, (_, number) => number);
    await session.run(async () => {
      const answers = numbers.map(async (number) => {
        if (number % 2 === 0) await session.execute(insert, { text: `note ${number}` });
        return Number(await session.scalar('SELECT :number', { number: String(number) }));
      });
      expect(await Promise.all(answers)).toEqual(numbers);
    });
    const even = numbers.filter((number) => number % 2 === 0).map((number) => `note ${number}`);
    expect(await texts(dataSource)).toEqual(even);
  });

  it('F85: a commit waits for statements that nobody awaited, and what comes after it is in the next transaction', async () => {
    const { session, dataSource } = await ours(database);
    const own = session.sessionFactory.create();
    const first = own.execute(insert, { text: 'before' });
    const commit = own.commit();
    const second = own.execute(insert, { text: 'after' });
    await Promise.all([first, commit, second]);
    await own.rollback();
    expect(await texts(dataSource)).toEqual(['before']);
  });

  it('F85: two ends at once exclude each other', async () => {
    const { session, dataSource } = await ours(database);
    const own = session.sessionFactory.create();
    await own.execute(insert, { text: 'once' });
    const commits = await Promise.allSettled([own.commit(), own.commit(), own.rollback()]);
    expect(commits.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'rejected']);
    for (const commit of commits.slice(1))
      expect((commit as PromiseRejectedResult).reason).toBeInstanceOf(IllegalStateChangeError);
    expect(await texts(dataSource)).toEqual(['once']);
  });

  it('F90: closing twice, also during a statement, is no harm to whoever has the connection next', async () => {
    const { session, dataSource } = await ours(database, { poolSize: 1 });
    const own = session.sessionFactory.create();
    await own.execute(insert, { text: 'undone' });
    const statement = own.execute(insert, { text: 'undone as well' });
    await Promise.all([statement, own.close()]);
    await session.run(async () => {
      await session.execute(insert, { text: 'of the next' });
      await own.close();
      await own.invalidate();
      await own[Symbol.asyncDispose]();
      expect(engineOf(dataSource).status().active).toBe(1);
      await session.execute(insert, { text: 'of the next, too' });
    });
    expect(await texts(dataSource)).toEqual(['of the next', 'of the next, too']);
  });

  it('F86, F87: work that outlives its unit is refused, wherever it is at that moment', async () => {
    const { session, dataSource } = await ours(database);
    const ended = signal();
    const late: Promise<unknown>[] = [];
    await session.run(async (own) => {
      await session.execute(insert, { text: 'in time' });
      late.push(
        ended.promise.then(() => own.execute(insert, { text: 'late' })),
        ended.promise.then(() => session.execute(insert, { text: 'late' })),
        ended.promise.then(() => own.beginNested(() => own.execute(insert, { text: 'late' }))),
        ended.promise.then(() => own.commit()),
        ended.promise.then(() => own.queryRunner.query("INSERT INTO note (text) VALUES ('late')")),
      );
    });
    ended.resolve();
    for (const one of await Promise.allSettled(late))
      expect((one as PromiseRejectedResult).reason).toBeInstanceOf(SessionClosedError);
    expect(await texts(dataSource)).toEqual(['in time']);
  });

  it('F92: a session cannot be sent to another thread, and tells no secret when it is looked at', async () => {
    const { session } = await ours(database);
    const { port1, port2 } = new MessageChannel();
    const own = session.sessionFactory.create();
    await own.execute('SELECT :canary', { canary: 'canary-parameter' });
    for (const one of [own, session, engineOf(own.dataSource)]) {
      expect(() => port1.postMessage({ one, method: one.constructor })).toThrow('could not be cloned');
      expect(inspect(one, { depth: 1 })).not.toContain('canary');
    }
    port1.close();
    port2.close();
    await own.close();
  });
});

onEach(SERVERS, (database) => {
  describe('a pool that is exhausted', () => {
    it('F96: 200 units of work on one connection are served in their order', async () => {
      const { session, dataSource } = await ours(database, { poolSize: 1 });
      engineOf(dataSource).configure({ poolTimeoutMs: 15_000 });
      const served: number[] = [];
      const numbers = Array.from({ length: 200 }, (_, number) => number);
      await Promise.all(
        numbers.map((number) =>
          session.run(async () => {
            await session.scalar('SELECT 1');
            served.push(number);
          }),
        ),
      );
      expect(served).toEqual(numbers);
    });

    it('F58, F96: those who wait too long are told who holds it, and leave no place taken', async () => {
      const { session, dataSource } = await ours(database, { poolSize: 2 });
      engineOf(dataSource).configure({ poolTimeoutMs: 100 });
      const held = signal();
      const holders = [1, 2].map((number) =>
        session.run(
          async () => {
            await session.scalar('SELECT 1');
            await held.promise;
          },
          { label: `holder ${number}` },
        ),
      );
      const late = await Promise.allSettled(
        Array.from({ length: 20 }, () => session.run(() => session.scalar('SELECT 1'))),
      );
      for (const one of late) {
        expect((one as PromiseRejectedResult).reason).toBeInstanceOf(PoolTimeoutError);
        expect((one as PromiseRejectedResult).reason).toMatchObject({
          retryable: true,
          message: expect.stringContaining('Longest holder: holder 1') as string,
        });
      }
      held.resolve();
      await Promise.all(holders);
      expect(Number(await session.run(() => session.scalar('SELECT 1')))).toBe(1);
    });

    it('F58: units of work that each want a second connection do not wait for each other for ever', async () => {
      const { session, dataSource } = await ours(database, { poolSize: 3 });
      engineOf(dataSource).configure({ poolTimeoutMs: 100 });
      const works = await Promise.allSettled(
        Array.from({ length: 3 }, () =>
          session.run(async () => {
            await session.scalar('SELECT 1');
            await session.independently(() => session.scalar('SELECT 2'));
          }),
        ),
      );
      const failed = works.filter(({ status }) => status === 'rejected');
      expect(failed.length).toBeGreaterThan(0);
      for (const one of failed)
        expect((one as PromiseRejectedResult).reason).toBeInstanceOf(PoolTimeoutError);
    });
  });
});

onEach(['mariadb'], (database) => {
  it('F89: rows of a stream arrive in the scope that asked for them, though another one made the connection', async () => {
    const { session } = await ours(database, { poolSize: 1 });
    await session.run(() => session.scalar('SELECT 1'));
    await session.run(async () => {
      const scope = currentScope();
      const seen: unknown[] = [];
      const rows = await session.queryRunner.stream('SELECT 1 UNION ALL SELECT 2');
      await new Promise<void>((resolve, reject) => {
        rows
          .on('data', () => seen.push(currentScope() === scope))
          .on('end', () => resolve())
          .on('error', reject);
      });
      expect(seen).toEqual([true, true]);
      for await (const _row of await session.queryRunner.stream('SELECT 1'))
        seen.push(currentScope() === scope);
      expect(seen).toEqual([true, true, true]);
    });
  });

  it('F121: many rows are streamed, and others are served meanwhile', async () => {
    const { session } = await ours(database, { poolSize: 2 });
    await session.run(async () => {
      const rows = await session.queryRunner.stream('SELECT seq FROM seq_1_to_100000');
      let count = 0;
      let meanwhile = 0;
      for await (const _row of rows) {
        count += 1;
        if (count === 10) meanwhile = Number(await session.independently(() => session.scalar('SELECT 7')));
      }
      expect(meanwhile).toBe(7);
      expect(count).toBe(100_000);
    });
  });

  it('F121: a statement behind a stream that is still read is refused, where plain TypeORM waits for ever', async () => {
    const { session } = await ours(database, { poolSize: 1 });
    await session.run(async () => {
      const rows = await session.queryRunner.stream('SELECT seq FROM seq_1_to_100000');
      let refusal: unknown;
      for await (const _row of rows)
        refusal ??= await session.scalar('SELECT 1').catch((error: unknown) => error);
      expect(refusal).toMatchObject({ code: 'SS_ERR_ILLEGAL_STATE_CHANGE' });
      expect(Number(await session.scalar('SELECT 7'))).toBe(7);
    });
  });

  it('F121: a stream that is left in the middle does not keep the end of its unit of work', async () => {
    const { session } = await ours(database, { poolSize: 1 }, { settleTimeoutMs: 2_000 });
    await session.run(async () => {
      const rows = await session.queryRunner.stream('SELECT seq FROM seq_1_to_100000');
      for await (const _row of rows) break;
    });
    expect(Number(await session.run(() => session.scalar('SELECT 7')))).toBe(7);
  });
});
