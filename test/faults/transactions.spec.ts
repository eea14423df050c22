/** Programs that go on after something failed in their transaction, or forget it: nothing is stored that is half. */
import {
  IllegalStateChangeError,
  PendingRollbackError,
  runInScope,
  type ScopedSession,
  SessionClosedError,
} from 'nestjs-scoped-session';
import { type EntitySubscriberInterface, QueryFailedError } from 'typeorm';
import { describe, expect, it } from 'vitest';
import { engineOf } from '../../src/engine/index.js';
import { KINDS, onEach, SERVERS } from '../support/databases.js';
import { ours, texts } from '../support/plain-and-ours.js';
import { signal } from '../support/wait-until.js';

const add = (session: Pick<ScopedSession, 'execute'>, text: string): Promise<unknown> =>
  session.execute('INSERT INTO note (text) VALUES (:text)', { text });

onEach(KINDS, (database) => {
  it('F41: a session that was left with an open transaction is rolled back when its scope ends', async () => {
    const { session, dataSource } = await ours(database, { poolSize: 1 });
    await runInScope(() => add(session, 'forgotten'));
    expect(engineOf(dataSource).status().active).toBe(0);
    await session.run(() => add(session, 'of the next'));
    expect(await texts(dataSource)).toEqual(['of the next']);
  });

  it('F53: work that was marked as failed is not stored by an outer part that goes on', async () => {
    const { session, dataSource } = await ours(database);
    const inner = async (): Promise<void> => {
      await add(session, 'of the inner part');
      session.setRollbackOnly('the inner part failed');
    };
    const work = session.run(async () => {
      await add(session, 'of the outer part');
      await inner();
      await session.commit();
    });
    await expect(work).rejects.toMatchObject({ code: 'SS_ERR_PENDING_ROLLBACK', outcome: 'rolledBack' });
    expect(await texts(dataSource)).toEqual([]);
  });

  it('F54: a part behind a savepoint is undone, and the rest is kept', async () => {
    const { session, dataSource } = await ours(database);
    await session.run(async () => {
      await add(session, 'kept');
      const part = session.beginNested(async () => {
        await add(session, 'undone');
        await add(session, 'kept');
      });
      await expect(part).rejects.toThrow(QueryFailedError);
      await add(session, 'kept as well');
    });
    expect(await texts(dataSource)).toEqual(['kept', 'kept as well']);
  });

  it('F56: three parts at once take turns, and only the one that fails is undone', async () => {
    const { session, dataSource } = await ours(database);
    const parts = await session.run(() =>
      Promise.allSettled(
        ['one', 'two', 'three'].map((text) =>
          session.beginNested(async () => {
            await add(session, text);
            await add(session, `${text}, again`);
            if (text === 'two') throw new Error('the second fails');
          }),
        ),
      ),
    );
    expect(parts.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect(await texts(dataSource)).toEqual(['one', 'one, again', 'three', 'three, again']);
  });

  it('F57: what a sibling sends after the rollback is refused, and stored by nobody', async () => {
    const { session, dataSource } = await ours(database);
    const rolledBack = signal();
    let late: Promise<unknown> | undefined;
    const work = session.run((own) => {
      late = rolledBack.promise.then(() => add(own, 'late'));
      late.catch(() => undefined);
      return Promise.all([late, add(own, 'undone').then(() => Promise.reject(new Error('one fails')))]);
    });
    await expect(work).rejects.toThrow('one fails');
    rolledBack.resolve();
    await expect(late).rejects.toThrow(SessionClosedError);
    expect(await texts(dataSource)).toEqual([]);
  });

  describe('a subscriber', () => {
    it('F50: that throws before the COMMIT has it rolled back, and its error is told', async () => {
      const { session, dataSource } = await ours(database);
      const subscriber: EntitySubscriberInterface = {
        beforeTransactionCommit: () => Promise.reject(new Error('not today')),
      };
      dataSource.subscribers.push(subscriber);
      await expect(session.run(() => add(session, 'never'))).rejects.toThrow('not today');
      dataSource.subscribers.pop();
      expect(await texts(dataSource)).toEqual([]);
    });

    it('F52: that uses the session after the COMMIT is refused; what was committed stays', async () => {
      const { session, dataSource, warnings } = await ours(database);
      let used: Promise<unknown> | undefined;
      dataSource.subscribers.push({
        afterTransactionCommit: () => (used = add(session, 'too late')) as never,
      });
      await session.run(() => add(session, 'committed'));
      dataSource.subscribers.pop();
      await expect(used).rejects.toThrow(SessionClosedError);
      expect(warnings).toHaveLength(1);
      expect(await texts(dataSource)).toEqual(['committed']);
    });
  });

  it('F85: a part cannot end the whole that waits for it', async () => {
    const { session, dataSource } = await ours(database);
    await session.run(async () => {
      const part = session.beginNested(() => session.commit());
      await expect(part).rejects.toThrow(IllegalStateChangeError);
      await add(session, 'kept');
    });
    expect(await texts(dataSource)).toEqual(['kept']);
  });
});

onEach(['mariadb'], (database) => {
  it('F48: DDL inside a transaction commits it: what follows is refused, and the outcome is told as unknown', async () => {
    const { session, dataSource } = await ours(database);
    const error: unknown = await session
      .run(async () => {
        await add(session, 'committed by the DDL');
        await session.execute('CREATE TABLE made_inside (id INT)');
        await add(session, 'would be committed by itself');
      })
      .catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(PendingRollbackError);
    expect(error).toMatchObject({ outcome: 'unknown', retryable: false });
    expect(await texts(dataSource)).toEqual(['committed by the DDL']);
    await database.ask('DROP TABLE made_inside');
  });
});

onEach(SERVERS, (database) => {
  it('F34: a deadlock that is swallowed costs the whole unit of work, whatever it sends after it', async () => {
    const test = await ours(database, { poolSize: 2 });
    for (const text of ['a', 'b']) await test.dataSource.query(`INSERT INTO note (text) VALUES ('${text}')`);
    const lock = (text: string): Promise<unknown> =>
      test.session.execute('SELECT id FROM note WHERE text = :text FOR UPDATE', { text });
    const [first, second] = [signal(), signal()];
    const swallowed: unknown[] = [];
    const work = (own: string, other: string, mine: typeof first, others: typeof first): Promise<unknown> =>
      test.session.run(async () => {
        await add(test.session, `by ${own}`);
        await lock(own);
        mine.resolve();
        await others.promise;
        await lock(other).catch((error: unknown) => swallowed.push(error));
        await add(test.session, `by ${own}, too`);
      });
    const works = await Promise.allSettled([work('a', 'b', first, second), work('b', 'a', second, first)]);
    expect(swallowed).toHaveLength(1);
    const failed = works.filter(({ status }) => status === 'rejected');
    expect(failed).toHaveLength(1);
    expect((failed[0] as PromiseRejectedResult).reason).toMatchObject({
      code: 'SS_ERR_PENDING_ROLLBACK',
      outcome: 'rolledBack',
      cause: swallowed[0],
    });
    const stored = (await texts(test.dataSource)).slice(2).map((text) => text.slice(0, 4));
    expect(stored).toHaveLength(2);
    expect(new Set(stored).size).toBe(1);
  });
});
