/** Hooks of transactions that are ended by hand, and of savepoints. */
import { beforeEach, describe, expect, it } from 'vitest';
import { KINDS, onEach } from '../support/databases.js';
import { type Ours, ours, texts } from '../support/plain-and-ours.js';

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

  describe('of a transaction that is ended by hand', () => {
    it('belong to it and not to the next one, and may use the session', async () => {
      await test.session.run(async (session) => {
        watch('first');
        await add('x');
        session.afterCommit(() => add('by the hook').then(() => undefined));
        await session.commit();
        expect(calls).toEqual(['first before', 'first committed', 'first completed: committed']);
        calls = [];
        watch('second');
        await session.rollback();
        expect(calls).toEqual(['second rolled back', 'second completed: rolledBack']);
      });
      expect(calls).toHaveLength(2);
      expect(await texts(test.dataSource)).toEqual(['x']);
    });

    it('hear of close, invalidate and remove as of a ROLLBACK', async () => {
      await test.session.run(async (session) => {
        for (const end of [() => session.close(), () => session.invalidate(), () => test.session.remove()]) {
          calls = [];
          watch('a');
          await add('x');
          await end();
          expect(calls).toEqual(['a rolled back', 'a completed: rolledBack']);
        }
      });
    });
  });

  describe('behind a savepoint', () => {
    it('hear of its ROLLBACK when it comes, and of nothing else', async () => {
      await test.session.run(async (session) => {
        watch('outer');
        const nested = session.beginNested(async () => {
          watch('inner');
          await add('x');
          await failing();
        });
        await expect(nested).rejects.toThrow('the work fails');
        expect(calls).toEqual(['inner rolled back', 'inner completed: rolledBack']);
        calls = [];
      });
      expect(calls).toEqual(['outer before', 'outer committed', 'outer completed: committed']);
    });

    it('share the fate of what is around it once it was kept', async () => {
      await test.session.run(async (session) => {
        await session.beginNested(async () => watch('kept'));
        const outer = session.beginNested(async () => {
          await session.beginNested(async () => watch('inner'));
          expect(calls).toEqual([]);
          await failing();
        });
        await expect(outer).rejects.toThrow('the work fails');
        expect(calls).toEqual(['inner rolled back', 'inner completed: rolledBack']);
        calls = [];
      });
      expect(calls).toEqual(['kept before', 'kept committed', 'kept completed: committed']);
    });

    it('know their own one when siblings wait for each other', async () => {
      await test.session.run(async (session) => {
        const good = session.beginNested(async () => {
          await add('x');
          watch('good');
        });
        watch('around');
        const bad = session.beginNested(async () => {
          watch('bad');
          await failing();
        });
        await Promise.allSettled([good, bad]);
        expect(calls).toEqual(['bad rolled back', 'bad completed: rolledBack']);
        calls = [];
      });
      expect(calls.filter((call) => call.endsWith('committed') && !call.includes(':'))).toEqual([
        'around committed',
        'good committed',
      ]);
    });

    it('of a handle are called with it, and may use the session', async () => {
      await test.session.run(async (session) => {
        const savepoint = await session.beginNested();
        session.afterRollback(() => add('instead').then(() => undefined));
        await add('x');
        await savepoint.rollback();
      });
      expect(await texts(test.dataSource)).toEqual(['instead']);
    });
  });
});
