/** Units of work that are run again as a whole: each attempt has its own session, nothing is half stored, nothing twice. */
import {
  CommitOutcomeUnknownError,
  currentScope,
  isRetryable,
  PendingRollbackError,
  type RetryOptions,
  scopedSession,
  type SessionBase,
} from 'nestjs-scoped-session';
import { QueryFailedError } from 'typeorm';
import { beforeEach, describe, expect, it } from 'vitest';
import { KINDS, onEach, SERVERS } from '../support/databases.js';
import { Note } from '../support/note.js';
import {
  connectionId,
  kill,
  type Ours,
  ours,
  texts,
  loseAtCommit,
  loseIdle,
} from '../support/plain-and-ours.js';
import { signal } from '../support/wait-until.js';

const THREE: RetryOptions = { times: 3, delayMs: 1 };
const ALWAYS: RetryOptions = { ...THREE, on: () => true };
const INSERT = 'INSERT INTO note (text) VALUES (:text)';

type Execute = Pick<SessionBase, 'execute'>;
type Way = (fn: (session: Execute) => Promise<unknown>, retry: RetryOptions) => Promise<unknown>;

onEach(KINDS, (database) => {
  let test: Ours;
  let attempts: number;

  beforeEach(async () => {
    test = await ours(database, { poolSize: 4 });
    attempts = 0;
  });

  const WAYS: Readonly<Record<string, Way>> = {
    run: (fn, retry) => test.session.run(fn, { retry }),
    independently: (fn, retry) => test.session.independently(fn, { retry }),
    begin: (fn, retry) => test.session.sessionFactory.begin(fn, { retry }),
    'run with keys': (fn, retry) =>
      scopedSession(test.session.sessionFactory, () => 'the key').run(fn, { retry }),
  };

  describe.each(Object.entries(WAYS))('%s', (_name, way) => {
    it('gives each attempt a session of its own, and stores what the last one did', async () => {
      const sessions = new Set<unknown>();
      const scopes = new Set<unknown>();
      const answer = await way(async (session) => {
        attempts += 1;
        sessions.add(session);
        scopes.add(currentScope());
        await session.execute(INSERT, { text: `attempt ${attempts}` });
        if (attempts < 3) throw new Error('not yet');
        return 'done';
      }, ALWAYS);
      expect([answer, attempts, sessions.size]).toEqual(['done', 3, 3]);
      expect(scopes.size).toBe(scopes.has(undefined) ? 1 : 3);
      expect(await texts(test.dataSource)).toEqual(['attempt 3']);
    });

    it('runs once for an error of the work itself', async () => {
      const error = new Error('wrong password');
      const work = way(async (session) => {
        attempts += 1;
        await session.execute(INSERT, { text: 'lost' });
        throw error;
      }, THREE);
      await expect(work).rejects.toBe(error);
      expect(attempts).toBe(1);
      expect(await texts(test.dataSource)).toEqual([]);
    });

    it('is not run again once its session has committed', async () => {
      const work = way(async (session) => {
        attempts += 1;
        await session.execute(INSERT, { text: `kept of ${attempts}` });
        await (session as SessionBase).commit();
        await session.execute(INSERT, { text: 'lost' });
        throw new Error('too late');
      }, ALWAYS);
      await expect(work).rejects.toThrow('too late');
      expect(attempts).toBe(1);
      expect(await texts(test.dataSource)).toEqual(['kept of 1']);
    });

    it('is refused with options that cannot be right, before it runs', async () => {
      const refused = way(async () => (attempts += 1), { times: 3, dely: 1 } as unknown as RetryOptions);
      await expect(refused).rejects.toMatchObject({ code: 'SS_ERR_INVALID_OPTION' });
      await expect(way(async () => (attempts += 1), { times: 101 })).rejects.toThrow(/from 0 to 100/);
      expect(attempts).toBe(0);
    });
  });

  it('passes on the other options of every attempt', async () => {
    const seen: unknown[] = [];
    const work = test.session.sessionFactory.begin(
      async (session) => {
        seen.push(session.info['tenant']);
        session.info['tenant'] = 'changed';
        throw new Error('again');
      },
      { info: { tenant: 7 }, retry: { ...ALWAYS, times: 1 } },
    );
    await expect(work).rejects.toThrow('again');
    expect(seen).toEqual([7, 7]);
  });

  it('is not run again when another session of its scope has committed, or its own was replaced', async () => {
    const other = scopedSession(test.session.sessionFactory);
    const ways = [
      async () => {
        await other.execute(INSERT, { text: 'of the other' });
        await other.commit();
      },
      async () => {
        await test.session.remove();
        await test.session.execute(INSERT, { text: 'of the second' });
        await test.session.commit();
      },
    ];
    for (const commitSomething of ways) {
      const work = test.session.run(
        async () => {
          attempts += 1;
          await commitSomething();
          throw new Error('too late');
        },
        { retry: ALWAYS },
      );
      await expect(work).rejects.toThrow('too late');
    }
    expect(attempts).toBe(2);
    expect(await texts(test.dataSource)).toEqual(['of the other', 'of the second']);
  });

  it('is not run again when the session of its key was replaced', async () => {
    const session = scopedSession(test.session.sessionFactory, () => 'the key');
    const work = session.run(
      async () => {
        attempts += 1;
        await session.remove();
        await session.execute(INSERT, { text: 'of the second' });
        await session.commit();
        throw new Error('too late');
      },
      { retry: ALWAYS },
    );
    await expect(work).rejects.toThrow('too late');
    expect(attempts).toBe(1);
    expect(await texts(test.dataSource)).toEqual(['of the second']);
  });

  it('does not repeat work that took part in what its key had begun before', async () => {
    const session = scopedSession(test.session.sessionFactory, () => 'the key');
    await session.execute(INSERT, { text: 'before' });
    const work = session.run(
      async () => {
        attempts += 1;
        throw new Error('no');
      },
      { retry: ALWAYS },
    );
    await expect(work).rejects.toThrow('no');
    expect(attempts).toBe(1);
    expect(await texts(test.dataSource)).toEqual([]);
  });
});

onEach(SERVERS, (database) => {
  let test: Ours;
  let attempts: number;
  const add = (text: string): Promise<unknown> => test.session.execute(INSERT, { text });
  const killOwn = async (): Promise<void> => kill(database, await connectionId(test.session));

  beforeEach(async () => {
    test = await ours(database, { poolSize: 4 });
    attempts = 0;
  });

  it('brings both sides of a deadlock to their end', async () => {
    await test.dataSource.getRepository(Note).insert([{ text: 'a' }, { text: 'b' }]);
    const bothHaveOne = [signal(), signal()] as const;
    const errors: unknown[] = [];
    const on = (error: unknown): boolean => {
      errors.push(error);
      return isRetryable(error);
    };
    const swap = async (session: Execute, first: string, second: string, mine: 0 | 1): Promise<void> => {
      attempts += 1;
      // By the primary key: a server that scans so small a table would wait for the other's new row, too.
      const touch = (text: string): Promise<unknown> =>
        session.execute('UPDATE note SET text = text WHERE id = :id', { id: text === 'a' ? 1 : 2 });
      await session.execute(INSERT, { text: `${first} before ${second}` });
      await touch(first);
      bothHaveOne[mine].resolve();
      await bothHaveOne[mine === 0 ? 1 : 0].promise;
      await touch(second);
    };
    await Promise.all([
      test.session.run((session) => swap(session, 'a', 'b', 0), { retry: { ...THREE, on } }),
      test.session.sessionFactory.begin((session) => swap(session, 'b', 'a', 1), { retry: { ...THREE, on } }),
    ]);
    expect(attempts).toBe(3);
    expect(errors).toHaveLength(1);
    expect(String(errors[0])).toMatch(/deadlock/i);
    expect((await texts(test.dataSource)).toSorted()).toEqual(['a', 'a before b', 'b', 'b before a']);
  });

  it('runs again after the connection was lost before COMMIT', async () => {
    await test.session.run(
      async () => {
        attempts += 1;
        await add('one');
        if (attempts === 1) await killOwn();
        await add('two');
      },
      { retry: THREE },
    );
    expect(attempts).toBe(2);
    expect(await texts(test.dataSource)).toEqual(['one', 'two']);
  });

  it('runs again after the connection was lost while nobody waited for an answer', async () => {
    await test.session.run(
      async () => {
        attempts += 1;
        await add('one');
        if (attempts === 1) await loseIdle(database, test.session);
      },
      { retry: THREE },
    );
    expect(attempts).toBe(2);
    expect(await texts(test.dataSource)).toEqual(['one']);
  });

  it('runs again though the work has swallowed what undid it', async () => {
    await test.session.run(
      async () => {
        attempts += 1;
        await add('one');
        if (attempts === 1) await killOwn();
        await add('two').catch(() => undefined);
      },
      { retry: THREE },
    );
    expect(attempts).toBe(2);
    expect(await texts(test.dataSource)).toEqual(['one', 'two']);
  });

  it('never runs again after the connection was lost at COMMIT', async () => {
    for (const retry of [THREE, ALWAYS]) {
      attempts = 0;
      const lost = async (): Promise<void> => {
        attempts += 1;
        await add('nobody knows');
        await loseAtCommit(test.session);
      };
      await expect(test.session.run(lost, { retry })).rejects.toThrow(CommitOutcomeUnknownError);
      expect(attempts).toBe(1);
    }
    expect(await texts(test.dataSource)).toEqual([]);
  });

  it('never runs again after a COMMIT by hand whose answer was lost, whatever is thrown then', async () => {
    const work = test.session.run(
      async () => {
        attempts += 1;
        await add('nobody knows');
        await loseAtCommit(test.session);
        await test.session.commit().catch(() => undefined);
        await test.session.rollback();
        throw new Error('something else');
      },
      { retry: ALWAYS },
    );
    await expect(work).rejects.toThrow('something else');
    expect(attempts).toBe(1);
  });

  it('does not repeat the work around one whose outcome is unknown', async () => {
    const work = test.session.run(
      async () => {
        attempts += 1;
        await add('around');
        await test.session
          .independently(async () => {
            await add('inside');
            await loseAtCommit(test.session);
          })
          .catch((cause: unknown) => {
            throw new Error('the inner work failed', { cause });
          });
      },
      { retry: ALWAYS },
    );
    await expect(work).rejects.toThrow('the inner work failed');
    expect(attempts).toBe(1);
    expect(await texts(test.dataSource)).toEqual([]);
  });

  it('tells the last error, and the earlier ones with it, when no attempt is left', async () => {
    const work = test.session.run(
      async () => {
        attempts += 1;
        await add('lost');
        await killOwn();
        await add(`fails in attempt ${attempts}`);
      },
      { retry: { times: 2, delayMs: 0 } },
    );
    const error = (await work.catch((reason: unknown) => reason)) as Error & { suppressed: unknown[] };
    expect(error).toBeInstanceOf(QueryFailedError);
    expect(attempts).toBe(3);
    expect(error.suppressed).toHaveLength(2);
    expect(new Set([error, ...error.suppressed]).size).toBe(3);
    expect(await texts(test.dataSource)).toEqual([]);
  });
});

onEach(['mariadb'], (database) => {
  it('runs again after it waited too long for a lock', async () => {
    const { session, dataSource } = await ours(database, { poolSize: 2 });
    await dataSource.getRepository(Note).insert({ text: 'locked' });
    const lock = (): Promise<unknown> => session.execute('SELECT id FROM note FOR UPDATE NOWAIT');
    const isLocked = signal();
    const wasRefused = signal();
    const holder = session.run(async () => {
      await lock();
      isLocked.resolve();
      await wasRefused.promise;
    });
    await isLocked.promise;
    const refused: unknown[] = [];
    const waiting = session.run(
      () =>
        lock().catch(async (error: unknown) => {
          refused.push(error);
          wasRefused.resolve();
          await holder;
          throw error;
        }),
      { retry: THREE },
    );
    await Promise.all([holder, waiting]);
    expect(refused).toMatchObject([{ driverError: { errno: 1205 } }]);
  });

  it('never runs again after a statement that has committed by itself and then failed', async () => {
    const { session, dataSource } = await ours(database, { poolSize: 2 });
    let attempts = 0;
    const work = session.run(
      async () => {
        attempts += 1;
        await session.execute(INSERT, { text: 'committed by the DDL' });
        await session.execute('CREATE TABLE note (id INT)').catch(() => undefined);
        await session.rollback();
        throw new Error('too late');
      },
      { retry: ALWAYS },
    );
    await expect(work).rejects.toThrow('too late');
    expect(attempts).toBe(1);
    expect(await texts(dataSource)).toEqual(['committed by the DDL']);
  });

  it('never runs again after a statement that commits by itself', async () => {
    const { session, dataSource } = await ours(database);
    let attempts = 0;
    const work = session.run(
      async () => {
        attempts += 1;
        await session.execute(INSERT, { text: 'committed by the DDL' });
        await session.execute('CREATE TABLE other (id INT)');
        await session.rollback();
        throw new Error('too late');
      },
      { retry: ALWAYS },
    );
    await expect(work).rejects.toThrow('too late');
    expect(attempts).toBe(1);
    await dataSource.query('DROP TABLE other');
    expect(await texts(dataSource)).toEqual(['committed by the DDL']);
  });
});

onEach(['postgres'], (database) => {
  it('runs again after a serialization failure', async () => {
    const { session, dataSource } = await ours(database, { poolSize: 2 });
    await dataSource.getRepository(Note).insert({ text: 'seen' });
    let attempts = 0;
    await session.run(
      async () => {
        attempts += 1;
        await session.execute('SELECT text FROM note');
        if (attempts === 1) await database.ask("UPDATE note SET text = 'changed meanwhile'");
        await session.execute("UPDATE note SET text = text || ' and by us'");
      },
      { isolation: 'REPEATABLE READ', retry: THREE },
    );
    expect(attempts).toBe(2);
    expect(await texts(dataSource)).toEqual(['changed meanwhile and by us']);
  });

  it('may run again after a COMMIT that the server has refused: that is an answer', async () => {
    const { session, dataSource } = await ours(database);
    const { id } = await dataSource.getRepository(Note).save({ text: 'parent' });
    // A deferred constraint is checked at COMMIT.
    await dataSource.query(
      'CREATE TABLE child (parent INT REFERENCES note (id) DEFERRABLE INITIALLY DEFERRED)',
    );
    const parents = [id + 1, id];
    await session.run(() => session.query('INSERT INTO child VALUES ($1)', [parents.shift()]), {
      retry: ALWAYS,
    });
    expect(await dataSource.query('SELECT parent FROM child')).toEqual([{ parent: id }]);
    await dataSource.query('DROP TABLE child');
  });

  it('counts right though two count at once', async () => {
    const { session, dataSource } = await ours(database, { poolSize: 2 });
    const bothHaveRead = [signal(), signal()] as const;
    let attempts = 0;
    const count = (mine: 0 | 1): Promise<void> =>
      session.run(
        async () => {
          attempts += 1;
          const found = Number(await session.scalar('SELECT COUNT(*) FROM note'));
          bothHaveRead[mine].resolve();
          await bothHaveRead[mine === 0 ? 1 : 0].promise;
          await session.execute(INSERT, { text: `number ${found + 1}` });
        },
        { isolation: 'SERIALIZABLE', retry: THREE },
      );
    await Promise.all([count(0), count(1)]);
    expect(attempts).toBe(3);
    expect((await texts(dataSource)).toSorted()).toEqual(['number 1', 'number 2']);
  });

  it('asks about a transaction that the work has spoilt itself', async () => {
    const { session } = await ours(database);
    const asked: unknown[] = [];
    const work = session.run(
      async () => {
        await session.execute(INSERT, { text: 'twice' });
        await session.execute(INSERT, { text: 'twice' }).catch(() => undefined);
      },
      { retry: { times: 1, on: (error) => asked.push(error) > 99 } },
    );
    await expect(work).rejects.toThrow(PendingRollbackError);
    expect(asked).toHaveLength(1);
    expect(isRetryable(asked[0])).toBe(false);
  });
});
