/** Background tasks that are refused, errors that nobody waits for, and what is stopped. */
import {
  BackgroundQueueFullError,
  BackgroundTasks,
  DrainingError,
  InvalidOptionError,
  scopedSession,
} from 'nestjs-scoped-session';
import { describe, expect, it } from 'vitest';
import { onEach, KINDS } from '../support/databases.js';
import { backgroundTasks } from '../support/background.js';
import { signal } from '../support/wait-until.js';

onEach(KINDS, (database) => {
  const test = backgroundTasks(database);

  describe('what has no place', () => {
    it('is refused where it is asked for, and has a place again later', async () => {
      const own = test.tasksWith({ concurrency: 1, queueLimit: 1 });
      const gate = signal();
      own.run(() => gate.promise);
      own.run(() => undefined);
      expect(() => own.run(() => undefined, { label: 'mail' })).toThrow(BackgroundQueueFullError);
      const work = test.session.run(async () => {
        await test.add('x');
        own.afterCommit(() => undefined, { label: 'mail' });
      });
      await expect(work).rejects.toThrow(/mail was not accepted/);
      expect(await test.stored()).toEqual([]);
      gate.resolve();
      await own.idle();
      own.run(() => undefined);
      await own.idle();
    });

    it('is not what was registered before: it starts, however many came since', async () => {
      const own = test.tasksWith({ concurrency: 1, queueLimit: 1 });
      const gate = signal();
      const done: string[] = [];
      await test.session.run(async () => {
        own.afterCommit(() => void done.push('registered'));
        own.run(() => gate.promise);
        expect(() => own.run(() => undefined)).toThrow(BackgroundQueueFullError);
      });
      gate.resolve();
      await own.idle();
      expect(done).toEqual(['registered']);
    });
  });

  describe('is refused', () => {
    it.each([
      [null, 'must be an object'],
      [{ concurrency: 0 }, 'concurrency of BackgroundTasks must be an integer of 1'],
      [{ concurrency: 1.5 }, 'concurrency'],
      [{ queueLimit: -1 }, 'queueLimit'],
      [{ onError: 'no' }, 'onError'],
      [{ limit: 1 }, 'knows no option "limit"'],
    ])('%j, as options', (options, message) => {
      const make = (): unknown => new BackgroundTasks(test.session, options as never);
      expect(make).toThrow(InvalidOptionError);
      expect(make).toThrow(message);
    });

    it('a scoped session with keys, whose task would share the session of the key', () => {
      const keyed = scopedSession(test.session.sessionFactory, () => 'key');
      expect(() => new BackgroundTasks(keyed)).toThrow(/without a scope function/);
    });

    it('anything else than a function, and options that nobody knows, at once', () => {
      expect(() => test.tasks.run('no' as never)).toThrow(InvalidOptionError);
      expect(() => test.tasks.run(() => 1, { priority: 1 } as never)).toThrow(
        /BackgroundTasks\.run.*priority/,
      );
      expect(() => test.tasks.afterCommit(() => 1, { timeoutMs: 0 })).toThrow(InvalidOptionError);
      expect(test.tasks.status()).toEqual({ running: 0, waiting: 0, registered: 0 });
    });
  });

  describe('an error of a task', () => {
    it('is a warning of the process where nobody else is told', async () => {
      const heard = signal<Error & { detail?: string }>();
      process.once('warning', (warning) => heard.resolve(warning));
      const own = new BackgroundTasks(test.session);
      own.run(() => Promise.reject(new Error('of the task')), { label: 'mail' });
      const { name, message, detail } = await heard.promise;
      expect([name, message]).toEqual(['ScopedSessionWarning', 'mail failed: Error: of the task']);
      expect(detail).toContain('background-refusals.spec');
    });

    it('is seen also where onError fails itself', async () => {
      const messages: string[] = [];
      const both = signal();
      const hear = (warning: Error): void => {
        messages.push(warning.message);
        if (messages.length === 2) both.resolve();
      };
      process.on('warning', hear);
      const own = new BackgroundTasks(test.session, {
        onError: () => Promise.reject(new Error('of onError')),
      });
      own.run(() => Promise.reject(new Error('of the task')), { label: 'mail' });
      await both.promise;
      process.off('warning', hear);
      expect(messages).toEqual(['mail failed: Error: of the task', 'onError failed: Error: of onError']);
    });
  });

  it('stopped, it begins nothing more: what waits fails, what waits to run again does not, and nothing is accepted', async () => {
    const own = test.tasksWith({ concurrency: 1 });
    const failed = signal();
    const again = own.run(
      () => {
        failed.resolve();
        throw new Error('again');
      },
      { label: 'again', retry: { times: 1, on: () => true, delayMs: 60_000 } },
    );
    own.run(() => undefined, { label: 'waits' });
    await failed.promise;
    expect(own.stop(new Error('the end'))).toEqual(['waits']);
    await own.idle();
    expect(await again.done).toMatchObject({ outcome: 'failed' });
    expect(test.reported).toEqual(['waits: the end', 'again: the end']);
    expect(() => own.run(() => undefined)).toThrow(DrainingError);
  });
});
