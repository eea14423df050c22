/** Background tasks without Nest that start now: in which order, in which context, and with which options. */
import { AsyncLocalStorage } from 'node:async_hooks';
import { currentScope } from 'nestjs-scoped-session';
import { describe, expect, it } from 'vitest';
import { onEach, KINDS } from '../support/databases.js';
import { backgroundTasks } from '../support/background.js';
import { signal, waitUntil } from '../support/wait-until.js';

onEach(KINDS, (database) => {
  const test = backgroundTasks(database);

  describe('run', () => {
    it('commits the task by itself, whatever becomes of the work around it', async () => {
      const work = test.session.run(async () => {
        test.tasks.run(() => test.add('of the task'));
        throw new Error('of the work');
      });
      await expect(work).rejects.toThrow('of the work');
      await test.tasks.idle();
      expect(await test.stored()).toEqual(['of the task']);
    });

    it('starts it after the code that calls, which goes on first', async () => {
      const order: string[] = [];
      test.tasks.run(() => void order.push('task'));
      order.push('caller');
      await Promise.resolve();
      order.push('and what it awaits at once');
      await test.tasks.idle();
      expect(order).toEqual(['caller', 'and what it awaits at once', 'task']);
    });

    it('never throws what the task throws, at once or later, and reports it once', async () => {
      const atOnce = test.tasks.run(
        () => {
          throw new Error('at once');
        },
        { label: 'a' },
      );
      const later = test.tasks.run(() => Promise.reject(new Error('later')), { label: 'b' });
      expect(await atOnce.done).toMatchObject({ outcome: 'failed', error: { message: 'at once' } });
      expect(await later.done).toMatchObject({ outcome: 'failed', error: { message: 'later' } });
      expect(test.reported).toEqual(['a: at once', 'b: later']);
    });

    it('is named by its option, by its function, and by who started it', async () => {
      async function sendMail(): Promise<void> {
        // Somebody else does it.
      }
      const labels = await test.session.run(
        async () => [
          test.tasks.run(sendMail).label,
          test.tasks.run(() => undefined).label,
          test.tasks.run(sendMail, { label: 'mail' }).label,
        ],
        { label: 'POST /members' },
      );
      expect(labels).toEqual([
        'background task sendMail of POST /members',
        'background task of POST /members',
        'mail',
      ]);
      expect(test.tasks.run(sendMail).label).toBe('background task sendMail');
      await test.tasks.idle();
    });

    it('waits for its turn behind the only connection, and is not taken for a part of who holds it', async () => {
      const started = signal();
      await test.session.run(async () => {
        await test.add('of the work');
        test.tasks.run(async () => {
          started.resolve();
          await test.add('of the task');
        });
        await started.promise;
      });
      await test.tasks.idle();
      expect(test.reported).toEqual([]);
      expect(await test.stored()).toEqual(['of the work', 'of the task']);
    });

    it('starts tasks in their order, so many at a time, each with the asynchronous context of its caller', async () => {
      const own = test.tasksWith({ concurrency: 2 });
      const caller = new AsyncLocalStorage<string>();
      const gates = [signal(), signal(), signal()];
      const order: unknown[] = [];
      for (const [index, gate] of gates.entries()) {
        caller.run(`caller ${index}`, () =>
          own.run(async () => {
            order.push([index, caller.getStore(), currentScope()?.parent]);
            await gate.promise;
          }),
        );
      }
      await waitUntil('two have begun', () => order.length === 2);
      expect(own.status()).toEqual({ running: 2, waiting: 1, registered: 0 });
      gates[1]!.resolve();
      await waitUntil('the third has begun', () => order.length === 3);
      gates[0]!.resolve();
      gates[2]!.resolve();
      await own.idle();
      expect(order).toEqual([
        [0, 'caller 0', undefined],
        [1, 'caller 1', undefined],
        [2, 'caller 2', undefined],
      ]);
    });

    it('runs a task again as its retry says, each time in a new session', async () => {
      const sessions = new Set<unknown>();
      const task = test.tasks.run(
        async (session) => {
          sessions.add(session);
          await test.add('once');
          if (sessions.size < 3) throw new Error('not yet');
          return sessions.size;
        },
        { retry: { times: 5, on: () => true, delayMs: 0 } },
      );
      expect(await task.done).toEqual({ outcome: 'succeeded', value: 3 });
      expect([await test.stored(), test.reported]).toEqual([['once'], []]);
    });

    it('does not run a task again that has committed by hand', async () => {
      let attempts = 0;
      test.tasks.run(
        async (session) => {
          attempts += 1;
          await test.add(`attempt ${attempts}`);
          await session.commit();
          throw new Error('too late');
        },
        { label: 'twice', retry: { times: 5, on: () => true, delayMs: 0 } },
      );
      await test.tasks.idle();
      expect([attempts, await test.stored(), test.reported]).toEqual([1, ['attempt 1'], ['twice: too late']]);
    });

    it('takes its other options: read only, and a time limit', async () => {
      const limited = test.tasks.run(
        async () => {
          await test.add('never');
          await new Promise(() => undefined);
        },
        { label: 'hangs', timeoutMs: 20 },
      );
      const result = await limited.done;
      expect(result).toMatchObject({ outcome: 'failed', error: { code: 'SS_ERR_SCOPE_TIMEOUT' } });
      test.tasks.run(async (session) => session.flush(), { readOnly: true });
      await test.tasks.idle();
      expect([await test.stored(), test.reported]).toEqual([
        [],
        [expect.stringContaining('hangs: hangs used its session')],
      ]);
    });
  });
});
