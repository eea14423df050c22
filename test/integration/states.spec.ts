/** What a session accepts when its transaction is over, spoilt, lost or being ended: nothing is ever sent outside it. */
import {
  CommitOutcomeUnknownError,
  ConflictingTransactionOptionsError,
  IllegalStateChangeError,
  PendingRollbackError,
  PoolTimeoutError,
  SelfDeadlockError,
  runInScope,
  ScopeTimeoutError,
  SessionClosedError,
  UnfinishedWorkError,
} from 'nestjs-scoped-session';
import { type EntitySubscriberInterface, QueryFailedError } from 'typeorm';
import { beforeEach, describe, expect, it } from 'vitest';
import { engineOf } from '../../src/engine/index.js';
import { ALL_KINDS, onEach, SERVERS } from '../support/databases.js';
import { Note } from '../support/note.js';
import { connectionId, kill, type Ours, ours, texts, loseAtCommit } from '../support/plain-and-ours.js';
import { signal, waitUntil } from '../support/wait-until.js';

onEach(ALL_KINDS, (database) => {
  let test: Ours;
  const add = (text: string): Promise<unknown> =>
    test.session.execute('INSERT INTO note (text) VALUES (:text)', { text });

  beforeEach(async () => {
    test = await ours(database, { poolSize: 2 }, { settleTimeoutMs: 300 });
  });

  it('stores all of a unit of work, or nothing', async () => {
    await test.session.run(() => add('kept'));
    const failing = test.session.run(async () => {
      await add('lost');
      throw new Error('no');
    });
    await expect(failing).rejects.toThrow('no');
    expect(await texts(test.dataSource)).toEqual(['kept']);
  });

  it('rolls back what runInScope leaves open', async () => {
    await runInScope(() => add('lost'));
    expect(await texts(test.dataSource)).toEqual([]);
  });

  it('refuses siblings that go on after one of them failed the work (typeorm#5811)', async () => {
    const failed = signal();
    let sibling: Promise<unknown> | undefined;
    const work = test.session.run(async () => {
      sibling = failed.promise.then(() => add('by the sibling'));
      await add('first');
      await Promise.all([sibling, Promise.reject(new Error('one failed'))]);
    });
    await expect(work).rejects.toThrow('one failed');
    failed.resolve();
    await expect(sibling).rejects.toThrow(SessionClosedError);
    expect(await texts(test.dataSource)).toEqual([]);
  });

  it('refuses what outlived its unit of work, and names it', async () => {
    const ended = signal();
    let late: Promise<unknown> | undefined;
    await test.session.run(
      async () => {
        late = ended.promise.then(() => add('too late'));
      },
      { label: 'the nightly report' },
    );
    ended.resolve();
    await expect(late).rejects.toThrow(/The session of the nightly report has ended/);
  });

  it('leaves repositories plain, with one warning, in code that outlived a commit', async () => {
    const ended = signal();
    let late: Promise<unknown> | undefined;
    await test.session.run(async () => {
      await add('in time');
      late = ended.promise.then(() =>
        test.dataSource.getRepository(Note).insert([{ text: 'late' }, { text: 'later' }]),
      );
    });
    ended.resolve();
    await late;
    expect(await texts(test.dataSource)).toEqual(['in time', 'late', 'later']);
    expect(test.warnings).toHaveLength(1);
    expect(test.warnings[0]).toContain('outside every transaction now');
  });

  it('refuses repositories in code that outlived a rollback', async () => {
    const ended = signal();
    let late: Promise<unknown> | undefined;
    const work = test.session.run(async () => {
      await add('undone');
      late = ended.promise.then(() => test.dataSource.getRepository(Note).insert({ text: 'half' }));
      throw new Error('no');
    });
    await expect(work).rejects.toThrow('no');
    ended.resolve();
    await expect(late).rejects.toThrow(SessionClosedError);
    expect(await texts(test.dataSource)).toEqual([]);
  });

  it('rolls back when a statement that nobody awaited fails at the end', async () => {
    await test.session.run(() => add('there'));
    const work = test.session.run(async () => {
      await add('new');
      void add('there');
    });
    const error: unknown = await work.catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(UnfinishedWorkError);
    expect((error as Error).cause).toBeInstanceOf(QueryFailedError);
    expect(await texts(test.dataSource)).toEqual(['there']);
  });

  it('rolls back when work that nobody awaited comes too late', async () => {
    const beforeCommit = signal();
    test.dataSource.subscribers.push({
      // Between the last statement and the COMMIT, as slow subscribers are.
      beforeTransactionCommit: () => beforeCommit.promise,
    });
    let late: Promise<unknown> | undefined;
    const work = test.session.run(async () => {
      await add('in time');
      late = new Promise(setImmediate).then(() => add('too late'));
      late.then(
        () => beforeCommit.resolve(),
        () => beforeCommit.resolve(),
      );
    });
    await expect(work).rejects.toThrow(UnfinishedWorkError);
    await expect(late).rejects.toThrow(SessionClosedError);
    expect(await texts(test.dataSource)).toEqual([]);
  });

  it('cuts off what does not settle, and rolls back', async () => {
    const never = new Promise(() => undefined);
    const work = test.session.run(async () => {
      await add('undone');
      void test.session.beginNested(async () => never);
    });
    await expect(work).rejects.toThrow(UnfinishedWorkError);
    expect(await texts(test.dataSource)).toEqual([]);
  });

  it('lets commit, rollback and close exclude each other, and wait for statements', async () => {
    await test.session.run(async () => {
      const statement = add('first');
      const commit = test.session.commit();
      await expect(test.session.rollback()).rejects.toThrow(IllegalStateChangeError);
      await expect(test.session.commit()).rejects.toThrow('commit() is already in progress');
      await Promise.all([statement, commit]);
    });
    expect(await texts(test.dataSource)).toEqual(['first']);
  });

  it('leases per transaction, not per life', async () => {
    const engine = engineOf(test.dataSource);
    await test.session.run(async () => {
      await add('one');
      expect(engine.status().active).toBe(1);
      await test.session.commit();
      expect(engine.status().active).toBe(0);
      await add('two');
      expect(engine.status().active).toBe(1);
      await test.session.rollback();
      expect(engine.status().active).toBe(0);
    });
    expect(await texts(test.dataSource)).toEqual(['one']);
  });

  it('can be used again after close, reset and invalidate', async () => {
    const session = test.session.sessionFactory.create();
    for (const end of ['close', 'reset', 'invalidate'] as const) {
      await session.execute('INSERT INTO note (text) VALUES (:text)', { text: end });
      await session[end]();
      expect(session.inTransaction()).toBe(false);
    }
    expect(await session.scalars('SELECT text FROM note')).toEqual([]);
    await session.close();
  });

  it('rolls back where it is disposed of', async () => {
    const session = test.session.sessionFactory.create();
    await session.execute("INSERT INTO note (text) VALUES ('lost')");
    await session[Symbol.asyncDispose]();
    expect(await texts(test.dataSource)).toEqual([]);
  });

  it('refuses to commit what was marked rollback-only', async () => {
    const session = test.session.sessionFactory.create();
    await session.execute("INSERT INTO note (text) VALUES ('lost')");
    session.setRollbackOnly('a dry run');
    await expect(session.commit()).rejects.toThrow(/marked rollback-only: a dry run/);
    await session.rollback();
    await session.execute("INSERT INTO note (text) VALUES ('kept')");
    await session.commit();
    expect(await texts(test.dataSource)).toEqual(['kept']);
  });

  it('ends at its deadline, and tells whoever waits', async () => {
    const work = test.session.run(
      async () => {
        await add('undone');
        await new Promise(() => undefined);
      },
      { timeoutMs: 100, label: 'a slow job' },
    );
    await expect(work).rejects.toThrow(ScopeTimeoutError);
    await expect(work).rejects.toThrow(/a slow job used its session for longer than its 100 ms/);
    expect(await texts(test.dataSource)).toEqual([]);
  });

  it('keeps what was done independently when the work around fails', async () => {
    const work = test.session.run(async () => {
      // On SQLite there is one connection: what is independent comes before the first statement, or after a commit.
      await test.session.independently(() => add('counted'));
      await add('undone');
      throw new Error('wrong password');
    });
    await expect(work).rejects.toThrow('wrong password');
    expect(await texts(test.dataSource)).toEqual(['counted']);
  });

  it('takes the isolation that is asked for first, and refuses another later', async () => {
    await test.session.run(async () => {
      await test.dataSource.transaction('SERIALIZABLE', async (manager) =>
        manager.insert(Note, { text: 'a' }),
      );
      await test.dataSource.transaction('SERIALIZABLE', async (manager) =>
        manager.insert(Note, { text: 'b' }),
      );
      const other = test.dataSource.transaction('READ UNCOMMITTED', async () => 1);
      await expect(other).rejects.toThrow(ConflictingTransactionOptionsError);
      await expect(
        test.dataSource.transaction('CHAOS; DROP TABLE note' as never, async () => 1),
      ).rejects.toThrow('must be one of READ UNCOMMITTED');
    });
    expect(await texts(test.dataSource)).toEqual(['a', 'b']);
  });

  it('reports a subscriber that fails after the commit, and stays committed', async () => {
    test.dataSource.subscribers.push({
      afterTransactionCommit: () => {
        throw new Error('the subscriber is broken');
      },
    });
    await test.session.run(() => add('kept'));
    expect(await texts(test.dataSource)).toEqual(['kept']);
    expect(test.warnings.join()).toContain('the subscriber is broken');
  });

  it('lets subscribers send inside the transaction before its end, whichever it is', async () => {
    const subscriber: EntitySubscriberInterface = {
      beforeTransactionCommit: async ({ manager }) =>
        void (await manager.insert(Note, { text: 'before the commit' })),
      beforeTransactionRollback: async ({ manager }) =>
        void (await manager.insert(Note, { text: 'before the rollback' })),
    };
    test.dataSource.subscribers.push(subscriber);
    await test.session.run(() => add('kept'));
    const failing = test.session.run(async () => {
      await add('lost');
      throw new Error('no');
    });
    await expect(failing).rejects.toThrow('no');
    expect(await texts(test.dataSource)).toEqual(['kept', 'before the commit']);
  });
});

onEach(SERVERS, (database) => {
  let test: Ours;
  const add = (text: string): Promise<unknown> =>
    test.session.execute('INSERT INTO note (text) VALUES (:text)', { text });

  beforeEach(async () => {
    test = await ours(database, { poolSize: 2 });
  });

  describe('when the connection is lost', () => {
    it('accepts nothing but a rollback, and then begins anew', async () => {
      await test.session.run(async () => {
        await add('lost with the connection');
        await kill(database, await connectionId(test.session));
        await expect(add('fails')).rejects.toThrow(QueryFailedError);
        await expect(add('refused')).rejects.toThrow(PendingRollbackError);
        expect(test.session.isActive).toBe(false);
        await expect(test.session.commit()).rejects.toThrow(/its connection was lost/);
        await test.session.rollback();
        expect(test.session.isActive).toBe(true);
        await add('kept');
      });
      expect(await texts(test.dataSource)).toEqual(['kept']);
    });

    it('fails the unit of work though its error was swallowed', async () => {
      const work = test.session.run(async () => {
        await add('lost');
        await kill(database, await connectionId(test.session));
        await add('fails').catch(() => undefined);
      });
      await expect(work).rejects.toThrow(PendingRollbackError);
      expect(await texts(test.dataSource)).toEqual([]);
    });

    it('says that the outcome is unknown when it happens at COMMIT', async () => {
      const work = test.session.run(async () => {
        await add('nobody knows');
        await loseAtCommit(test.session);
      });
      const error: unknown = await work.catch((reason: unknown) => reason);
      expect(error).toBeInstanceOf(CommitOutcomeUnknownError);
      expect(error).toMatchObject({ outcome: 'unknown', retryable: false });
      expect(await texts(test.dataSource)).toEqual([]);
    });

    it('is rolled back without an error when it happens before a ROLLBACK', async () => {
      await test.session.run(async () => {
        await add('lost');
        await kill(database, await connectionId(test.session));
        await test.session.rollback();
      });
      expect(await texts(test.dataSource)).toEqual([]);
    });
  });

  it('accepts nothing but a rollback after a deadlock, also inside a savepoint', async () => {
    await test.session.run(async () => {
      await add('a');
      await add('b');
    });
    const caught: [isDeadlock: boolean, isRefused: boolean][] = [];
    const bothHaveOne = [signal(), signal()] as const;
    const swap = (first: string, second: string, mine: 0 | 1): Promise<void> =>
      test.session.run(async () => {
        const touch = (text: string): Promise<unknown> =>
          test.session.execute('UPDATE note SET text = text WHERE text = :text', { text });
        await touch(first);
        bothHaveOne[mine].resolve();
        await bothHaveOne[mine === 0 ? 1 : 0].promise;
        await test.session
          .beginNested(() => touch(second))
          .catch(async (error: Error) => {
            // InnoDB has rolled the whole transaction back, savepoint and all; PostgreSQL goes back to the savepoint.
            const afterwards = await add(`after the deadlock of ${first}`).catch((reason: unknown) => reason);
            caught.push([/deadlock/i.test(error.message), afterwards instanceof PendingRollbackError]);
            throw error;
          });
      });
    const outcomes = await Promise.allSettled([swap('a', 'b', 0), swap('b', 'a', 1)]);
    expect(outcomes.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected']);
    expect(caught).toEqual([[true, database.kind === 'mariadb']]);
    expect(await texts(test.dataSource)).toEqual(['a', 'b']);
  });

  it('hands a connection back that arrives after the deadline or after the end', async () => {
    const engine = engineOf(test.dataSource);
    const held = signal();
    const holders = [1, 2].map((n) =>
      test.session.run(
        async () => {
          await add(`holder ${n}`);
          await held.promise;
        },
        { label: `holder ${n}` },
      ),
    );
    await waitUntil('both are held', () => engine.status().active === 2);
    const tooLate = test.session.run(() => add('too late'), { label: 'the late one' });
    const abandoned = test.session.run(() => add('abandoned'), { timeoutMs: 50 });
    await expect(abandoned).rejects.toThrow(ScopeTimeoutError);
    await expect(tooLate).rejects.toThrow(PoolTimeoutError);
    await expect(tooLate).rejects.toThrow(
      /the late one got no connection within \d+ ms \(limit=2, total=2, active=2/,
    );
    await expect(tooLate).rejects.toThrow(/Longest holder: holder [12], \d+ ms/);
    held.resolve();
    await Promise.all(holders);
    await waitUntil('all are back', () => engine.status().active === 0);
    await test.session.run(() => add('next'));
    expect((await texts(test.dataSource)).at(-1)).toBe('next');
  });

  it('says that a unit of work waits for itself', async () => {
    const work = test.session.run(
      async () => {
        await add('one');
        await test.session.independently(async () => {
          await add('two');
          // Two connections, and both are ours: the third can never come.
          await test.session.independently(() => add('three'));
        });
      },
      { label: 'greedy' },
    );
    await expect(work).rejects.toThrow(SelfDeadlockError);
    expect(await texts(test.dataSource)).toEqual([]);
  });

  it('warns once of a query runner of its own beside a session that has written', async () => {
    await test.session.run(async () => {
      const before = test.dataSource.createQueryRunner();
      await before.release();
      expect(test.warnings).toEqual([]);
      await add('written');
      for (let n = 0; n < 2; n += 1) await test.dataSource.createQueryRunner().release();
    });
    expect(test.warnings).toHaveLength(1);
    expect(test.warnings[0]).toContain('takes a second connection');
    expect(test.warnings[0]).toContain('states.spec.ts');
  });
});

onEach(['mariadb'], (database) => {
  it('accepts nothing but a rollback after a statement that commits by itself', async () => {
    const test = await ours(database);
    const { session } = test;
    const work = session.run(async () => {
      await session.execute("INSERT INTO note (text) VALUES ('committed by the DDL')");
      await session.execute('CREATE TABLE other (id INT)');
      await expect(session.execute("INSERT INTO note (text) VALUES ('x')")).rejects.toThrow(
        PendingRollbackError,
      );
      await session.execute('SELECT 1');
    });
    await expect(work).rejects.toThrow(/ended the transaction on the server \(DDL, or COMMIT\)/);
    await test.dataSource.query('DROP TABLE other');
    expect(await texts(test.dataSource)).toEqual(['committed by the DDL']);
  });

  it('sees through a COMMIT that is sent by hand', async () => {
    const { session, dataSource } = await ours(database);
    const work = session.run(async () => {
      await session.execute("INSERT INTO note (text) VALUES ('by hand')");
      await session.query('COMMIT');
      await session.execute("INSERT INTO note (text) VALUES ('would autocommit')");
    });
    await expect(work).rejects.toThrow(PendingRollbackError);
    expect(await texts(dataSource)).toEqual(['by hand']);
  });
});
