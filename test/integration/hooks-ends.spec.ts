/** Hooks and the ends of transactions: failed flushes, hooks that fail or hang, what is cut short, and retries. */
import { AsyncResource } from 'node:async_hooks';
import {
  PendingRollbackError,
  ScopeTimeoutError,
  TransactionClosedError,
  UnexpectedRollbackError,
} from 'nestjs-scoped-session';
import { beforeEach, describe, expect, it } from 'vitest';
import { KINDS, onEach } from '../support/databases.js';
import { Note } from '../support/note.js';
import { type Ours, ours, texts } from '../support/plain-and-ours.js';
import { signal } from '../support/wait-until.js';

let test: Ours;
let calls: string[];
const add = (text: string): Promise<unknown> =>
  test.session.execute('INSERT INTO note (text) VALUES (:text)', { text });
/** Registers one of each kind, which note their calls under this name. */
const watch = (name: string): void => {
  const { session } = test;
  session.beforeCommit(() => void calls.push(`${name} before`));
  session.afterCommit(() => void calls.push(`${name} committed`));
  session.afterRollback(() => void calls.push(`${name} rolled back`));
  session.afterCompletion((outcome) => void calls.push(`${name} completed: ${outcome}`));
};
const failing = async (): Promise<never> => {
  throw new Error('fails');
};
const note = (text: string): Note => Object.assign(new Note(), { text });

onEach(KINDS, (database) => {
  beforeEach(async () => {
    calls = [];
    test = await ours(database);
  });

  describe('a hook of beforeCommit', () => {
    it('that threw at a commit() by hand keeps the end from committing, although its error was caught', async () => {
      const work = test.session.run(async (session) => {
        await add('refused');
        session.beforeCommit(failing);
        await session.commit().catch(() => undefined);
      });
      await expect(work).rejects.toBeInstanceOf(UnexpectedRollbackError);
      expect(await texts(test.dataSource)).toEqual([]);
    });

    it('that threw is mended by rollback()', async () => {
      await test.session.run(async (session) => {
        await add('refused');
        session.beforeCommit(failing);
        await expect(session.commit()).rejects.toThrow('fails');
        await session.rollback();
        await add('after');
      });
      expect(await texts(test.dataSource)).toEqual(['after']);
    });

    it('in which a part fails that has joined keeps nothing, although it catches the error', async () => {
      const work = test.session.run(async (session) => {
        await add('x');
        session.beforeCommit(() => test.session.transactional(failing).catch(() => undefined));
      });
      await expect(work).rejects.toBeInstanceOf(UnexpectedRollbackError);
      expect(await texts(test.dataSource)).toEqual([]);
    });

    it('adds and changes objects, behind savepoints too', async () => {
      await test.session.run(async (session) => {
        session.beforeCommit(async () => {
          session.add(note('added'));
          await session
            .beginNested(async () => {
              session.add(note('nested'));
              throw new Error('fails');
            })
            .catch(() => undefined);
          await test.session.transactional(() => session.add(note('joined')), { propagation: 'MANDATORY' });
        });
      });
      expect((await texts(test.dataSource)).toSorted()).toEqual(['added', 'joined']);
    });

    it('that never ends is not waited for longer than the unit of work may take', async () => {
      test = await ours(database, {}, { settleTimeoutMs: 100 });
      const work = test.session.run(
        async (session) => {
          await add('x');
          session.beforeCommit(() => new Promise(() => undefined));
          watch('a');
        },
        { timeoutMs: 200 },
      );
      await expect(work).rejects.toMatchObject({
        code: 'SS_ERR_SCOPE_ABORTED',
        outcome: 'rolledBack',
      });
      expect(calls).toEqual(['a rolled back', 'a completed: rolledBack']);
      expect(await texts(test.dataSource)).toEqual([]);
    });
  });

  it('a hook of afterCommit that never ends is not waited for longer than the unit of work may take', async () => {
    test = await ours(database, {}, { settleTimeoutMs: 100 });
    const work = test.session.run(
      async (session) => {
        await add('x');
        session.afterCommit(() => new Promise(() => undefined));
        watch('a');
        return 'done';
      },
      { timeoutMs: 200 },
    );
    expect(await work).toBe('done');
    expect(calls).toEqual(['a before', 'a committed', 'a completed: committed']);
    expect(test.warnings).toEqual([expect.stringContaining('a hook of afterCommit')]);
    expect(await texts(test.dataSource)).toEqual(['x']);
  });

  it('hooks cannot be registered in the block of a savepoint that has ended', async () => {
    await test.session.run(async (session) => {
      let late = (): void => undefined;
      const block = session.beginNested(async () => {
        late = AsyncResource.bind(() => session.afterCommit(() => void calls.push('never')));
        await failing();
      });
      await expect(block).rejects.toThrow('fails');
      expect(late).toThrow(TransactionClosedError);
    });
    expect(calls).toEqual([]);
  });

  it('are told of the ROLLBACK after a flush that failed, each once', async () => {
    const work = test.session.run(async (session) => {
      watch('a');
      await add('x');
      session.add(note('x'));
    });
    await expect(work).rejects.toBeInstanceOf(Error);
    expect(calls).toEqual(['a rolled back', 'a completed: rolledBack']);
  });

  it('behind a savepoint whose flush failed hear of it when its block ends', async () => {
    await test.session.run(async (session) => {
      watch('outer');
      await add('x');
      const block = session.beginNested(async () => {
        watch('inner');
        session.add(note('x'));
        await session.flush().catch(() => undefined);
        expect(calls).toEqual([]);
      });
      await expect(block).rejects.toBeInstanceOf(PendingRollbackError);
      expect(calls).toEqual(['inner rolled back', 'inner completed: rolledBack']);
      calls = [];
    });
    expect(calls).toEqual(['outer before', 'outer committed', 'outer completed: committed']);
    expect(await texts(test.dataSource)).toEqual(['x']);
  });

  it('of each attempt are called once', async () => {
    let attempt = 0;
    await test.session.run(
      async () => {
        attempt += 1;
        watch(`${attempt}`);
        await add('x');
        if (attempt === 1) await failing();
      },
      { retry: { times: 1, delayMs: 0, on: () => true } },
    );
    expect(calls).toEqual([
      '1 rolled back',
      '1 completed: rolledBack',
      '2 before',
      '2 committed',
      '2 completed: committed',
    ]);
  });

  it('of sessionFactory.begin(fn) are called, and of a timeout as of a ROLLBACK', async () => {
    await test.session.sessionFactory.begin(async (session) => {
      session.afterCommit(() => void calls.push('committed'));
    });
    expect(calls).toEqual(['committed']);
    calls = [];
    const gate = signal();
    const work = test.session.run(
      async () => {
        await add('x');
        watch('a');
        await gate.promise;
      },
      { timeoutMs: 100 },
    );
    await expect(work).rejects.toBeInstanceOf(ScopeTimeoutError);
    gate.resolve();
    await test.session.run(() => undefined);
    expect(calls).toEqual(['a rolled back', 'a completed: rolledBack']);
  });

  it('cost no more when there are many', async () => {
    let count = 0;
    await test.session.run(async (session) => {
      for (let number = 0; number < 50_000; number += 1) session.afterCommit(() => void (count += 1));
    });
    expect(count).toBe(50_000);
  });

  it('a part that ends the savepoint around it and fails is the whole’s failure, whatever is rolled back later', async () => {
    const work = test.session.run(async (session) => {
      const savepoint = await session.beginNested();
      await test.session
        .transactional(async () => {
          await add('half');
          await savepoint.commit();
          await failing();
        })
        .catch(() => undefined);
      await session.beginNested(failing).catch(() => undefined);
    });
    await expect(work).rejects.toBeInstanceOf(UnexpectedRollbackError);
    expect(await texts(test.dataSource)).toEqual([]);
  });
});
