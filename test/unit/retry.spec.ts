/** The loop that runs a unit of work again: how often, how long it waits, what it throws, and what it never repeats. */
import {
  CommitOutcomeUnknownError,
  InvalidOptionError,
  PoolTimeoutError,
  type RetryOptions,
} from 'nestjs-scoped-session';
import { QueryFailedError } from 'typeorm';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { type Counted, retryRule, withRetry } from '../../src/session/retry.js';

interface WithSuppressed extends Error {
  readonly suppressed?: unknown[];
}

const deadlock = (name = 'deadlock'): WithSuppressed =>
  new QueryFailedError('UPDATE a', [], Object.assign(new Error(name), { errno: 1213 }));
const unknown = (): CommitOutcomeUnknownError =>
  new CommitOutcomeUnknownError('lost', { outcome: 'unknown' });

let waits: number[];
let attempts: number;

beforeEach(() => {
  waits = [];
  attempts = 0;
});

/** Fails with these, one after the other, then answers. */
function run(errors: readonly unknown[], options: RetryOptions | undefined, random = 1): Promise<string> {
  const waiting = { random: () => random, wait: async (ms: number) => void waits.push(ms) };
  const attempt = async (): Promise<string> => {
    attempts += 1;
    if (attempts <= errors.length) throw errors[attempts - 1];
    return `attempt ${attempts}`;
  };
  return withRetry(attempt, options, waiting);
}

const thrownBy = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => undefined,
    (error: unknown) => error,
  );

describe('a unit of work', () => {
  it('runs once where nothing is said', async () => {
    const first = deadlock();
    expect(await thrownBy(run([first], undefined))).toBe(first);
    expect(attempts).toBe(1);
  });

  it('is not told where to count when nobody asks', async () => {
    const attempt = vi.fn(async (_counted?: Counted) => 1);
    await withRetry(attempt, undefined);
    expect(attempt.mock.calls).toEqual([[]]);
  });

  it('runs again until it succeeds', async () => {
    expect(await run([deadlock(), deadlock()], { times: 2 })).toBe('attempt 3');
  });

  it.each([0, 1, 3])('has %i further attempts when it is told so', async (times) => {
    const errors = Array.from({ length: 9 }, (_, index) => deadlock(`number ${index + 1}`));
    const error = (await thrownBy(run(errors, { times }))) as WithSuppressed;
    expect(attempts).toBe(times + 1);
    expect(error).toBe(errors[times]);
    expect(error.suppressed ?? []).toEqual(errors.slice(0, times));
  });

  it('does not attach an error to itself when every attempt throws the same', async () => {
    const same = deadlock();
    expect(await thrownBy(run([same, same, same], { times: 2 }))).toBe(same);
    expect(same.suppressed).toBeUndefined();
  });

  it.each([new Error('of the body'), 'a text', undefined, null, { code: 'ECONNRESET' }])(
    'is not run again for %j',
    async (thrown) => {
      expect(await thrownBy(run([thrown], { times: 3 }))).toBe(thrown);
      expect(attempts).toBe(1);
    },
  );

  it('ends at the first error that is for good, which is the one that is thrown', async () => {
    const [first, last] = [deadlock(), new Error('of the body') as WithSuppressed];
    expect(await thrownBy(run([first, last], { times: 5 }))).toBe(last);
    expect(last.suppressed).toEqual([first]);
    expect(attempts).toBe(2);
  });
});

describe('on', () => {
  it('widens', async () => {
    expect(await run([new Error('mine')], { times: 1, on: () => true })).toBe('attempt 2');
  });

  it('narrows, and is told the error and the number of the attempt', async () => {
    const on = vi.fn((_error: unknown, attempt: number) => attempt < 2);
    const errors = [deadlock('one'), deadlock('two')];
    expect(await thrownBy(run(errors, { times: 5, on }))).toBe(errors[1]);
    expect(on.mock.calls).toEqual([
      [errors[0], 1],
      [errors[1], 2],
    ]);
  });

  it('is not asked when there is no attempt left', async () => {
    const on = vi.fn(() => true);
    await thrownBy(run([deadlock(), deadlock()], { times: 1, on }));
    expect(on).toHaveBeenCalledTimes(1);
  });

  it.each<[string, () => unknown]>([
    ['itself', unknown],
    ['its cause', () => new Error('wrapped', { cause: new Error('twice', { cause: unknown() }) })],
    ['one of several', () => new AggregateError([new Error('harmless'), unknown()])],
    ['what followed it', () => Object.assign(deadlock(), { suppressed: [unknown()] })],
    ['one that only says so', () => Object.assign(new Error('another library'), { outcome: 'unknown' })],
  ])('cannot make an unknown outcome be run again: %s', async (_name, make) => {
    const on = vi.fn(() => true);
    const error = make();
    expect(await thrownBy(run([error], { times: 3, on }))).toBe(error);
    expect([attempts, on.mock.calls.length]).toEqual([1, 0]);
  });

  it('must answer: a promise of an answer is none', async () => {
    const on = (async () => true) as unknown as () => boolean;
    expect(await thrownBy(run([deadlock()], { times: 1, on }))).toBeInstanceOf(QueryFailedError);
    expect(attempts).toBe(1);
  });

  it('does not replace the first error when it fails itself', async () => {
    const [error, later] = [deadlock(), new Error('of on')];
    const on = (): boolean => {
      throw later;
    };
    expect(await thrownBy(run([error], { times: 1, on }))).toBe(error);
    expect(error.suppressed).toEqual([later]);
  });
});

describe('what was stored', () => {
  it.each([
    [0, 2],
    [1, 1],
  ])('by %i COMMITs allows %i attempts', async (commits, expected) => {
    const attempt = async (counted?: Counted): Promise<void> => {
      attempts += 1;
      const count = { commits: 0 };
      counted?.(count);
      // Only after it was told: the loop must look at the end.
      count.commits = commits;
      throw deadlock();
    };
    await thrownBy(withRetry(attempt, { times: 1, on: () => true, delayMs: 0 }));
    expect(attempts).toBe(expected);
  });
});

describe('the waits', () => {
  const failures = Array.from({ length: 12 }, () => new PoolTimeoutError('full'));

  it.each<[Omit<RetryOptions, 'times'>, number, readonly number[]]>([
    [{}, 1, [10, 20, 40, 80, 160, 320, 640, 1_000, 1_000]],
    [{}, 0.5, [5, 10, 20, 40, 80, 160, 320, 500, 500]],
    [{}, 0, [0, 0, 0]],
    [{ delayMs: 0 }, 1, [0, 0, 0]],
    [{ delayMs: 600 }, 1, [600, 1_000, 1_000]],
    [{ delayMs: 5_000 }, 1, [5_000, 5_000]],
  ])('of %j are the part %d of %j', async (options, random, expected) => {
    await run(failures.slice(0, expected.length), { times: expected.length, ...options }, random);
    expect(waits).toEqual(expected);
  });

  it('stay finite', async () => {
    const errors = Array.from({ length: 100 }, () => deadlock());
    expect(await run(errors, { times: 100 })).toBe('attempt 101');
    expect(Math.max(...waits)).toBe(1_000);
  });

  it('are real where nothing is injected', async () => {
    const attempt = vi.fn<() => Promise<number>>().mockRejectedValueOnce(deadlock()).mockResolvedValue(1);
    expect(await withRetry(attempt, { times: 1, delayMs: 1 })).toBe(1);
  });
});

describe('the option', () => {
  it('is copied and frozen', () => {
    const on = (): boolean => true;
    const read = retryRule({ times: 3, on, delayMs: undefined }, 'The option retry of run');
    expect(read).toEqual({ times: 3, on });
    expect(Object.isFrozen(read)).toBe(true);
  });

  it.each([
    [{}, /The option retry of run must say times/],
    [{ on: () => true }, /must say times/],
    [{ times: -1 }, /times of retry must be a whole number from 0 to 100, not -1/],
    [{ times: 101 }, /from 0 to 100/],
    [{ times: 1.5 }, /from 0 to 100/],
    [{ times: Infinity }, /from 0 to 100/],
    [{ times: '3' }, /from 0 to 100/],
    [{ times: 1, on: true }, /on of retry must be a function/],
    [{ times: 1, delayMs: -1 }, /delayMs of retry must be a whole number from 0 to 60000/],
    [{ times: 1, delayMs: 60_001 }, /from 0 to 60000/],
    [{ times: 1, delay: 1 }, /retry knows no option "delay". It knows: times, on, delayMs/],
    [3, /must be a plain object/],
    [null, /must be a plain object/],
    [[], /must be a plain object/],
  ])('is refused as %j', (value, cure) => {
    const read = (): unknown => retryRule(value, 'The option retry of run');
    expect(read).toThrow(InvalidOptionError);
    expect(read).toThrow(cure);
  });
});
