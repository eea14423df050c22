/** Hooks of a transaction: when they are called, with which fate, and what happens when they fail. */
import { InvalidOptionError, SessionClosedError } from 'nestjs-scoped-session';
import { beforeEach, describe, expect, it } from 'vitest';
import { KINDS, onEach } from '../support/databases.js';
import { type Ours, ours, texts } from '../support/plain-and-ours.js';
import { signal } from '../support/wait-until.js';

onEach(KINDS, (database) => {
  let test: Ours;
  let calls: string[];
  const add = (text: string): Promise<unknown> =>
    test.session.execute('INSERT INTO note (text) VALUES (:text)', { text });
  /** Registers one of each kind, which note their calls under this name. */
  const watch = (name: string): void => {
    const { session } = test;
    session.afterCompletion((outcome) => void calls.push(`${name} completed: ${outcome}`));
    session.afterRollback(() => void calls.push(`${name} rolled back`));
    session.afterCommit(() => void calls.push(`${name} committed`));
    session.beforeCommit(() => void calls.push(`${name} before`));
  };
  const failing = async (): Promise<never> => {
    throw new Error('the work fails');
  };

  beforeEach(async () => {
    calls = [];
    test = await ours(database);
  });

  describe('of a unit of work', () => {
    it('are called once, one after the other: before the COMMIT, after it, and at last', async () => {
      await test.session.run(async () => {
        watch('a');
        watch('b');
        await add('x');
        expect(calls).toEqual([]);
      });
      expect(calls).toEqual([
        'a before',
        'b before',
        'a committed',
        'b committed',
        'a completed: committed',
        'b completed: committed',
      ]);
      await test.session.run(() => add('y'));
      expect(calls).toHaveLength(6);
    });

    it('are called when there was nothing to commit', async () => {
      await test.session.run(async () => watch('a'));
      expect(calls).toEqual(['a before', 'a committed', 'a completed: committed']);
    });

    it('hear of the ROLLBACK when the work fails, and it keeps its error', async () => {
      const work = test.session.run(async () => {
        watch('a');
        await add('x');
        await failing();
      });
      await expect(work).rejects.toThrow('the work fails');
      expect(calls).toEqual(['a rolled back', 'a completed: rolledBack']);
    });

    it('hear of the ROLLBACK that setRollbackOnly brings', async () => {
      await test.session.run(async (session) => {
        watch('a');
        await add('x');
        session.setRollbackOnly();
      });
      expect(calls).toEqual(['a rolled back', 'a completed: rolledBack']);
      expect(await texts(test.dataSource)).toEqual([]);
    });

    it('are waited for, each before the next', async () => {
      const gate = signal();
      const work = test.session.run(async (session) => {
        await add('x');
        session.afterCommit(async () => {
          await gate.promise;
          calls.push('slow');
        });
        session.afterCommit(() => void calls.push('next'));
      });
      gate.resolve();
      await work;
      expect(calls).toEqual(['slow', 'next']);
    });

    it('find the connection given back, and nobody’s scope around them', async () => {
      await test.session.run(async (session) => {
        await add('x');
        session.afterCommit(async () => {
          calls.push(`${test.session.sessionFactory.engine!.status().active} leased`);
          await test.session.run(() => add('by the hook'));
        });
        session.afterCompletion(() => void calls.push(String(test.session.registry.has())));
      });
      expect(calls).toEqual(['0 leased', 'false']);
      expect(test.warnings).toEqual([]);
      expect(await texts(test.dataSource)).toEqual(['x', 'by the hook']);
    });

    it('cannot use its session any more: what they ask of it fails, and the work stays committed', async () => {
      await test.session.run(async (session) => {
        await add('x');
        session.afterCommit(async () => {
          await session.execute("INSERT INTO note (text) VALUES ('late')");
        });
      });
      expect(test.warnings).toEqual([
        expect.stringMatching(/a hook of afterCommit failed.*SessionClosedError/s),
      ]);
      expect(await texts(test.dataSource)).toEqual(['x']);
    });
  });

  describe('that fail', () => {
    it('before the COMMIT: it is rolled back with their error', async () => {
      const work = test.session.run(async (session) => {
        await add('x');
        session.beforeCommit(failing);
        watch('a');
      });
      await expect(work).rejects.toThrow('the work fails');
      expect(calls).toEqual(['a rolled back', 'a completed: rolledBack']);
      expect(await texts(test.dataSource)).toEqual([]);
    });

    it('after it: they are reported, the others are called, and the work has succeeded', async () => {
      const result = await test.session.run(async (session) => {
        await add('x');
        session.afterCommit(failing);
        session.afterCommit(() => {
          throw new Error('at once');
        });
        watch('a');
        return 'done';
      });
      expect(result).toBe('done');
      expect(calls).toEqual(['a before', 'a committed', 'a completed: committed']);
      expect(test.warnings).toEqual([
        expect.stringContaining('a hook of afterCommit failed; the transaction is committed all the same'),
        expect.stringContaining('at once'),
      ]);
    });

    it('after a ROLLBACK: the error of the work is the one that is told', async () => {
      const work = test.session.run(async (session) => {
        session.afterRollback(() => {
          throw new Error('the hook');
        });
        await failing();
      });
      await expect(work).rejects.toThrow('the work fails');
      expect(test.warnings).toEqual([expect.stringContaining('the hook')]);
    });

    it('with an answer that no promise gives: something else than a function is refused at once', async () => {
      await test.session.run(async (session) => {
        expect(() => session.afterCommit('no' as never)).toThrow(InvalidOptionError);
      });
    });
  });

  describe('before the COMMIT', () => {
    it('may write, register further ones, and mark the transaction rollback-only', async () => {
      await test.session.run(async (session) => {
        session.beforeCommit(async () => {
          await add('by the first');
          session.beforeCommit(() => add('by the second').then(() => undefined));
        });
      });
      expect(await texts(test.dataSource)).toEqual(['by the first', 'by the second']);
      await test.session.run(async (session) => {
        await add('never');
        session.beforeCommit(() => session.setRollbackOnly());
        watch('a');
      });
      expect(calls).toContain('a completed: rolledBack');
      expect(await texts(test.dataSource)).toHaveLength(2);
    });

    it('cannot go on for ever', async () => {
      const work = test.session.run(async (session) => {
        const again = (): void => session.beforeCommit(again);
        again();
        await add('x');
      });
      await expect(work).rejects.toThrow('registered further ones 100 times');
      expect(await texts(test.dataSource)).toEqual([]);
    });
  });

  describe('that never end', () => {
    const never = (): Promise<never> => new Promise(() => undefined);

    it('are waited for as long as the unit of work may take, and the others are called', async () => {
      const impatient = await ours(database, {}, { settleTimeoutMs: 20 });
      const work = impatient.session.run(
        async (session) => {
          await session.execute("INSERT INTO note (text) VALUES ('x')");
          session.afterCommit(never);
          session.afterCompletion((outcome) => void calls.push(outcome));
        },
        { timeoutMs: 50 },
      );
      await work;
      expect(calls).toEqual(['committed']);
      expect(impatient.warnings).toEqual([
        expect.stringContaining('a hook of afterCommit is not waited for'),
      ]);
      expect(await texts(impatient.dataSource)).toEqual(['x']);
    });

    it('before the COMMIT: it is rolled back', async () => {
      const impatient = await ours(database, {}, { settleTimeoutMs: 20 });
      const work = impatient.session.run(
        async (session) => {
          await session.execute("INSERT INTO note (text) VALUES ('x')");
          session.beforeCommit(never);
        },
        { timeoutMs: 50 },
      );
      await expect(work).rejects.toMatchObject({ outcome: 'rolledBack' });
      expect(await texts(impatient.dataSource)).toEqual([]);
    });

    it('do not keep what was cut short from ending', async () => {
      const impatient = await ours(database, {}, { settleTimeoutMs: 20 });
      const work = impatient.session.run(
        async (session) => {
          session.afterRollback(never);
          await never();
        },
        { timeoutMs: 50 },
      );
      await expect(work).rejects.toMatchObject({ code: 'SS_ERR_SCOPE_TIMEOUT' });
      expect(impatient.warnings).toEqual([
        expect.stringContaining('a hook of afterRollback is not waited for'),
      ]);
    });
  });

  it('are refused after the end, for they would never be called', async () => {
    const late = await test.session.run(async (session) => session);
    expect(() => late.afterCommit(() => undefined)).toThrow(SessionClosedError);
    expect(() => late.beforeCommit(() => undefined)).toThrow(SessionClosedError);
  });
});
