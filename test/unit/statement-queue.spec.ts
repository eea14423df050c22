/** The statement queue: one at a time, in the order asked, whatever fails. */
import { describe, expect, it } from 'vitest';
import { StatementQueue } from '../../src/session/statement-queue.js';
import { signal } from '../support/wait-until.js';

describe('the queue', () => {
  it('runs at once when nothing runs, and is idle again after it', async () => {
    const queue = new StatementQueue();
    expect(queue.isIdle).toBe(true);
    let hasRun = false;
    const running = queue.run(async () => {
      hasRun = true;
      return 'answer';
    });
    expect(hasRun).toBe(true);
    expect(queue.isIdle).toBe(false);
    await expect(running).resolves.toBe('answer');
    expect(queue.isIdle).toBe(true);
  });

  it('runs one at a time, in the order asked', async () => {
    const queue = new StatementQueue();
    const order: string[] = [];
    const use = (name: string, turns: number): Promise<void> =>
      queue.run(async () => {
        order.push(`${name} begins`);
        for (let turn = 0; turn < turns; turn += 1) await Promise.resolve();
        order.push(`${name} ends`);
      });
    await Promise.all([use('slow', 20), use('quick', 0), use('middle', 5)]);
    expect(order).toEqual([
      'slow begins',
      'slow ends',
      'quick begins',
      'quick ends',
      'middle begins',
      'middle ends',
    ]);
  });

  it('lets nobody slip in while a turn is handed over', async () => {
    const queue = new StatementQueue();
    const order: string[] = [];
    const first = queue.run(async () => void order.push('first'));
    const second = queue.run(async () => {
      order.push('second begins');
      await Promise.resolve();
      order.push('second ends');
    });
    const asked = first.then(() =>
      queue.run(async () => void order.push('asked by the first when it was over')),
    );
    await Promise.all([second, asked]);
    expect(order).toEqual(['first', 'second begins', 'second ends', 'asked by the first when it was over']);
  });

  it('goes on after a failure, which its caller alone hears of', async () => {
    const queue = new StatementQueue();
    const failure = new Error('of the statement');
    const failing = queue.run(() => Promise.reject(failure));
    const throwing = queue.run(() => {
      throw failure;
    });
    const next = queue.run(async () => 'goes on');
    await expect(failing).rejects.toBe(failure);
    await expect(throwing).rejects.toBe(failure);
    await expect(next).resolves.toBe('goes on');
    expect(queue.isIdle).toBe(true);
  });

  it('becomes idle at once when it is', async () => {
    await expect(new StatementQueue().idle()).resolves.toBeUndefined();
  });

  it('becomes idle when everything asked for has ended, also what was asked for meanwhile', async () => {
    const queue = new StatementQueue();
    const order: string[] = [];
    const gate = signal();
    void queue.run(() => gate.promise.then(() => void order.push('running')));
    void queue
      .run(async () => void order.push('waiting'))
      .then(() => queue.run(async () => void order.push('asked for meanwhile')));
    const idle = queue.idle().then(() => {
      expect(queue.isIdle).toBe(true);
      order.push('idle');
    });
    gate.resolve();
    await idle;
    expect(order).toEqual(['running', 'waiting', 'asked for meanwhile', 'idle']);
  });
});
