/** Work that nobody may be waiting for: the end waits for it, and Node hears of no rejection that the end tells of. */
import { describe, expect, it } from 'vitest';
import { PendingWork } from '../../src/session/pending-work.js';
import { StatementQueue } from '../../src/session/statement-queue.js';
import { quiet } from '../support/quiet.js';
import { signal } from '../support/wait-until.js';

const nextTurns = async (): Promise<void> => {
  for (let turn = 0; turn < 3; turn += 1) await new Promise((resolve) => setImmediate(resolve));
};

/** What the end of a unit of work does. */
function settleAll(pending: PendingWork, queue: Parameters<PendingWork['settled']>[0]): Promise<void> {
  pending.settle();
  return pending.settled(queue);
}

describe('pending work', () => {
  it('is empty until it is told to wait for something, and again after it', async () => {
    const pending = new PendingWork();
    expect(pending.isEmpty).toBe(true);
    const [read, failing] = [signal(), signal()];
    pending.waitFor(read.promise);
    pending.waitFor(failing.promise);
    expect(pending.isEmpty).toBe(false);
    read.resolve();
    await nextTurns();
    expect(pending.isEmpty).toBe(false);
    failing.reject(new Error('of a stream'));
    await nextTurns();
    expect(pending.isEmpty).toBe(true);
    expect(quiet.drain()).toEqual([]);
  });

  it('returns what the work returns, and throws what it throws', async () => {
    const pending = new PendingWork();
    await expect(pending.promised(async () => 7)).resolves.toBe(7);
    const failure = new Error('of the statement');
    await expect(pending.promised(() => Promise.reject(failure))).rejects.toBe(failure);
  });

  it('is settled at once when nothing was asked for', async () => {
    await expect(settleAll(new PendingWork(), new StatementQueue())).resolves.toBeUndefined();
  });

  it('is settled when the queue is idle and what is being read has been read', async () => {
    const pending = new PendingWork();
    const queue = new StatementQueue();
    const [statement, reading] = [signal(), signal()];
    const order: string[] = [];
    void queue.run(() => statement.promise.then(() => void order.push('statement')));
    pending.waitFor(reading.promise.then(() => void order.push('reading')));
    const settled = settleAll(pending, queue).then(() => order.push('settled'));
    statement.resolve();
    await nextTurns();
    expect(order).toEqual(['statement']);
    reading.resolve();
    await settled;
    expect(order).toEqual(['statement', 'reading', 'settled']);
  });

  it('waits for what unawaited code asks for when it goes on', async () => {
    const pending = new PendingWork();
    const queue = new StatementQueue();
    const order: string[] = [];
    void (async () => {
      await queue.run(async () => void order.push('first'));
      // The driver's answer takes a turn of the event loop.
      await queue.run(() => new Promise((resolve) => setImmediate(() => resolve(order.push('second')))));
      await queue.run(async () => void order.push('third'));
    })();
    await settleAll(pending, queue);
    expect(order).toEqual(['first', 'second', 'third']);
  });

  it('waits for what unawaited code asks for only after some promises of its own', async () => {
    const pending = new PendingWork();
    const queue = new StatementQueue();
    const order: string[] = [];
    void (async () => {
      await queue.run(async () => void order.push('first'));
      for (let turn = 0; turn < 50; turn += 1) await Promise.resolve();
      await queue.run(async () => void order.push('second'));
    })();
    await settleAll(pending, queue);
    expect(order).toEqual(['first', 'second']);
  });

  it('keeps Node quiet about what failed before or while the end waited, and remembers the first failure', async () => {
    const pending = new PendingWork();
    const queue = new StatementQueue();
    const [first, second] = [new Error('first'), new Error('second')];
    const gate = signal();
    const ask = (failure: Error): void =>
      void pending.promised(() =>
        queue.run(async () => {
          await gate.promise;
          pending.failed(failure);
          throw failure;
        }),
      );
    ask(first);
    const settling = settleAll(pending, queue);
    ask(second);
    gate.resolve();
    await settling;
    await nextTurns();
    expect(pending.failedUnseen).toEqual({ error: first });
    expect(quiet.drain()).toEqual([]);
  });

  it('does not remember a failure from before the end: somebody was waiting for it', () => {
    const pending = new PendingWork();
    pending.failed(new Error('of an awaited statement'));
    expect(pending.failedUnseen).toBeUndefined();
  });

  it('leaves a rejection that nobody handles to Node while the work still runs', async () => {
    const pending = new PendingWork();
    const failure = new Error('nobody handles this');
    void pending.promised(() => Promise.reject(failure));
    const listeners = process.listeners('unhandledRejection');
    // The test runner would take it for its own.
    process.removeAllListeners('unhandledRejection');
    const heard: unknown[] = [];
    process.on('unhandledRejection', (reason) => heard.push(reason));
    try {
      await nextTurns();
    } finally {
      process.removeAllListeners('unhandledRejection');
      for (const listener of listeners) process.on('unhandledRejection', listener);
    }
    expect(heard).toEqual([failure]);
  });
});
