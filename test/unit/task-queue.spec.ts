/** The queue of background tasks: their order, how many run, how many are accepted, and who hears that it is idle. */
import { BackgroundQueueFullError } from 'nestjs-scoped-session';
import { beforeEach, describe, expect, it } from 'vitest';
import { TaskQueue } from '../../src/background/task-queue.js';
import { SeededRandom } from '../support/seeded-random.js';
import { signal } from '../support/wait-until.js';

interface Entry {
  readonly label: string;
  finish(): void;
}

let started: Entry[];
let abandoned: string[];

beforeEach(() => {
  started = [];
  abandoned = [];
});

function add(queue: TaskQueue, label: string): void {
  queue.reserve(label);
  enqueue(queue, label);
}

function enqueue(queue: TaskQueue, label: string): void {
  const over = signal();
  const start = (): Promise<void> => {
    started.push({ label, finish: () => over.resolve() });
    return over.promise;
  };
  queue.add({ label, start, abandon: () => void abandoned.push(label) });
}

function isAccepted(queue: TaskQueue, label: string): boolean {
  try {
    queue.reserve(label);
    return true;
  } catch {
    return false;
  }
}

const labels = (): string[] => started.map(({ label }) => label);
/** Lets everything go on that waits for no one. */
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('a queue of tasks', () => {
  it('starts them in the order of their coming, so many at a time', async () => {
    const queue = new TaskQueue(() => ({ concurrency: 2, queueLimit: 10 }));
    for (const label of ['a', 'b', 'c', 'd']) add(queue, label);
    expect(labels()).toEqual(['a', 'b']);
    expect(queue.counters).toEqual({ running: 2, waiting: 2, registered: 0 });
    started[1]!.finish();
    await settle();
    expect(labels()).toEqual(['a', 'b', 'c']);
    started[0]!.finish();
    started[2]!.finish();
    await settle();
    expect(queue.counters).toEqual({ running: 1, waiting: 0, registered: 0 });
    started[3]!.finish();
    await queue.idle();
    expect(queue.counters).toEqual({ running: 0, waiting: 0, registered: 0 });
  });

  it('refuses the one that has no place, and counts those that have only registered', async () => {
    const queue = new TaskQueue(() => ({ concurrency: 1, queueLimit: 2 }));
    queue.reserve('registered');
    add(queue, 'runs');
    add(queue, 'waits');
    expect(() => queue.reserve('mail')).toThrow(BackgroundQueueFullError);
    expect(() => queue.reserve('mail')).toThrow(
      /mail was not accepted: 1 background tasks run, 1 wait, 1 are registered .* 1 \+ 2/,
    );
    queue.cancel();
    expect(() => queue.reserve('mail')).not.toThrow();
    expect(() => queue.reserve('one more')).toThrow(BackgroundQueueFullError);
    // A place that was given cannot be lost.
    enqueue(queue, 'mail');
    for (const index of [0, 1, 2]) {
      started[index]!.finish();
      await settle();
    }
    expect(labels()).toEqual(['runs', 'waits', 'mail']);
  });

  it('with no place to wait accepts as many as can run', () => {
    const queue = new TaskQueue(() => ({ concurrency: 1, queueLimit: 0 }));
    add(queue, 'a');
    expect(() => queue.reserve('b')).toThrow(BackgroundQueueFullError);
  });

  it('tells everybody who asked when it is idle, and not before', async () => {
    const queue = new TaskQueue(() => ({ concurrency: 1, queueLimit: 5 }));
    await queue.idle();
    add(queue, 'a');
    add(queue, 'b');
    const heard: string[] = [];
    const asked = ['one', 'two'].map((name) => queue.idle().then(() => heard.push(name)));
    started[0]!.finish();
    await settle();
    expect([heard, labels()]).toEqual([[], ['a', 'b']]);
    started[1]!.finish();
    await Promise.all(asked);
    expect(heard).toEqual(['one', 'two']);
  });

  it('abandons what waits, and waits for what runs', async () => {
    const queue = new TaskQueue(() => ({ concurrency: 1, queueLimit: 5 }));
    for (const label of ['a', 'b', 'c']) add(queue, label);
    expect(queue.abandonWaiting()).toEqual(['b', 'c']);
    expect(abandoned).toEqual(['b', 'c']);
    expect(queue.isIdle).toBe(false);
    started[0]!.finish();
    await queue.idle();
    expect(labels()).toEqual(['a']);
  });

  it('keeps to its limits whatever comes and goes', async () => {
    const random = new SeededRandom(20_261_121);
    const queue = new TaskQueue(() => ({ concurrency: 2, queueLimit: 1 }));
    const expected: string[] = [];
    const reserved: string[] = [];
    const answers: { readonly isAccepted: boolean; readonly hadPlace: boolean }[] = [];
    let finished = 0;
    for (let step = 0; step < 2_000; step += 1) {
      const kind = random.between(0, 3);
      const accepted = expected.length - finished + reserved.length;
      const label = String(step);
      if (kind === 0) {
        answers.push({ isAccepted: isAccepted(queue, label), hadPlace: accepted < 3 });
        if (accepted < 3) reserved.push(label);
      } else if (kind === 1 && reserved.length > 0) {
        const next = reserved.shift()!;
        expected.push(next);
        enqueue(queue, next);
      } else if (kind === 2 && reserved.length > 0) {
        reserved.pop();
        queue.cancel();
      } else if (started.length > finished) {
        started[finished]!.finish();
        finished += 1;
        await settle();
      }
      const { running, waiting, registered } = queue.counters;
      expect([running, waiting, registered]).toEqual([
        Math.min(2, expected.length - finished),
        Math.max(0, expected.length - finished - 2),
        reserved.length,
      ]);
    }
    expect(labels()).toEqual(expected.slice(0, labels().length));
    expect(answers.filter(({ isAccepted: was, hadPlace }) => was !== hadPlace)).toEqual([]);
    expect(answers.filter(({ hadPlace }) => !hadPlace).length).toBeGreaterThan(20);
    expect(finished).toBeGreaterThan(200);
  });
});
