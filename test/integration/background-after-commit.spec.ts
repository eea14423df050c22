/** Background tasks that wait for the COMMIT of the unit of work that has registered them. */
import { NoActiveScopeError, runInScope, SessionClosedError } from 'nestjs-scoped-session';
import { describe, expect, it } from 'vitest';
import { onEach, KINDS } from '../support/databases.js';
import { backgroundTasks } from '../support/background.js';
import { signal } from '../support/wait-until.js';

onEach(KINDS, (database) => {
  const test = backgroundTasks(database);

  describe('afterCommit', () => {
    it('starts after the COMMIT, and sees what was committed', async () => {
      const seen: unknown[] = [];
      await test.session.run(async () => {
        await test.add('of the work');
        test.tasks.afterCommit(async (session) => {
          seen.push(await session.scalar('SELECT text FROM note'));
          await test.add('of the task');
        });
        expect(test.tasks.status()).toEqual({ running: 0, waiting: 0, registered: 1 });
      });
      await test.tasks.idle();
      expect([seen, await test.stored()]).toEqual([['of the work'], ['of the work', 'of the task']]);
    });

    it('starts where nothing was written, and where no session was used', async () => {
      const done: string[] = [];
      await test.session.run(async (session) => {
        await session.scalar('SELECT 1');
        test.tasks.afterCommit(() => void done.push('read'));
      });
      await test.session.run(async () => void test.tasks.afterCommit(() => void done.push('nothing')));
      await test.tasks.idle();
      expect(done).toEqual(['read', 'nothing']);
    });

    it('never starts after a rollback, and says so: of work that throws, is marked, or cannot be committed', async () => {
      const done: string[] = [];
      const outcomes: Promise<unknown>[] = [];
      const register = (name: string): void =>
        void outcomes.push(test.tasks.afterCommit(() => void done.push(name)).done);
      const failing = test.session.run(async () => {
        register('throws');
        await test.add('x');
        throw new Error('of the work');
      });
      await expect(failing).rejects.toThrow('of the work');
      await test.session.run(async (session) => {
        register('marked');
        session.setRollbackOnly();
      });
      const refused = test.session.run(async (session) => {
        register('refused');
        session.beforeCommit(() => {
          throw new Error('not like this');
        });
      });
      await expect(refused).rejects.toThrow('not like this');
      await runInScope(async () => {
        await test.add('x');
        register('runInScope commits nothing');
      });
      expect(await Promise.all(outcomes)).toEqual(Array.from({ length: 4 }, () => ({ outcome: 'dropped' })));
      expect([done, test.reported, test.tasks.status()]).toEqual([
        [],
        [],
        { running: 0, waiting: 0, registered: 0 },
      ]);
    });

    it('shares the fate of the savepoint around it', async () => {
      const done: string[] = [];
      await test.session.run(async (session) => {
        const undone = session.beginNested(async () => {
          test.tasks.afterCommit(() => void done.push('undone'));
          throw new Error('of the savepoint');
        });
        await expect(undone).rejects.toThrow('of the savepoint');
        await session.beginNested(async () => void test.tasks.afterCommit(() => void done.push('kept')));
      });
      await test.tasks.idle();
      expect(done).toEqual(['kept']);
    });

    it('starts at a commit by hand', async () => {
      const started = signal();
      await test.session.run(async (session) => {
        await test.add('first');
        test.tasks.afterCommit(() => started.resolve());
        await session.commit();
        await started.promise;
      });
      await test.tasks.idle();
    });

    it('of a task waits for the COMMIT of that task', async () => {
      const seen: unknown[] = [];
      test.tasks.run(async () => {
        await test.add('of the task');
        test.tasks.afterCommit(async (session) =>
          seen.push(await session.scalar('SELECT COUNT(*) FROM note')),
        );
      });
      await test.tasks.idle();
      await test.tasks.idle();
      expect(seen.map(Number)).toEqual([1]);
    });

    it('outside of every unit of work is refused, and the error names what to do', () => {
      const outside = (): unknown => test.tasks.afterCommit(() => undefined);
      expect(outside).toThrow(NoActiveScopeError);
      expect(outside).toThrow(
        /BackgroundTasks\.afterCommit\(fn\) was used outside.*BackgroundTasks\.run\(fn\)/,
      );
      expect(test.tasks.status().registered).toBe(0);
    });

    it('after the end of the unit of work is refused', async () => {
      const gate = signal();
      const late = await test.session.run(async () => ({
        result: gate.promise.then(() => test.tasks.afterCommit(() => undefined)),
      }));
      gate.resolve();
      await expect(late.result).rejects.toThrow(SessionClosedError);
      expect(test.tasks.status().registered).toBe(0);
    });
  });
});
