/** The pool's rules, with connections that only write down what is done to them. */
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { ENGINE_DEFAULTS, type EngineSettings } from '../../src/engine/engine-options.js';
import { readOptions } from '../../src/engine/option-rules.js';
import { POOL_RULES } from '../../src/engine/pool-options.js';
import { ConnectionPool } from '../../src/engine/pool.js';
import type { PhysicalConnection, PooledConnection } from '../../src/engine/pooled-connection.js';

class Physical implements PhysicalConnection {
  restedMs = 0;
  readonly done: string[] = [];
  lose: () => void = () => undefined;
  answersPing = true;

  constructor(readonly raw: number) {}

  async ping(): Promise<void> {
    this.done.push('ping');
    if (!this.answersPing) throw new Error('dead');
  }

  async reset(): Promise<void> {
    this.done.push('reset');
  }

  levelSql(isolation: string): string {
    return `level ${isolation}`;
  }

  async run(sql: string): Promise<void> {
    this.done.push(sql);
    if (sql === 'fail') throw new Error('refused');
  }

  onLost(lost: () => void): void {
    this.lose = lost;
  }

  close(): void {
    this.done.push('close');
  }

  handBack(): void {
    this.done.push('handBack');
  }
}

let opened: Physical[];
let settings: EngineSettings;
let pool: ConnectionPool;
let openNext: () => Promise<Physical>;

const patience = (timeoutMs = 60_000) => ({ timeoutMs, timedOut: () => new Error('too late') });
const obtain = (timeoutMs?: number): Promise<PooledConnection> =>
  Promise.resolve(pool.obtain(patience(timeoutMs)));
const numbers = (connections: readonly PooledConnection[]): unknown[] => connections.map(({ raw }) => raw);
const take = async (count: number): Promise<PooledConnection[]> => {
  const taken = [];
  // One after the other, so that they are opened in order. oxlint-disable-next-line no-await-in-loop
  for (let n = 0; n < count; n += 1) taken.push(await obtain());
  return taken;
};

beforeEach(() => {
  opened = [];
  settings = { ...ENGINE_DEFAULTS, poolSize: 2, maxOverflow: 1, poolPrePing: false };
  openNext = async () => {
    const physical = new Physical(opened.length + 1);
    opened.push(physical);
    return physical;
  };
  pool = new ConnectionPool(
    () => openNext(),
    () => settings,
  );
});

describe('a pool', () => {
  it('POOL-01: opens nothing before it is asked', () => {
    expect(opened).toEqual([]);
    expect(pool.counters()).toEqual({ limit: 3, total: 0, idle: 0, active: 0, waiting: 0 });
  });

  it('POOL-02: lends the overflow too, and counts it', async () => {
    await take(3);
    expect(pool.counters()).toEqual({ limit: 3, total: 3, idle: 0, active: 3, waiting: 0 });
  });

  it('closes the overflow when it comes back', async () => {
    const taken = await take(3);
    for (const connection of taken) await connection.giveBack();
    expect(pool.counters()).toMatchObject({ total: 2, idle: 2 });
    expect(opened.filter(({ done }) => done.includes('close'))).toHaveLength(1);
  });

  it('POOL-03: lets one more wait, until its deadline', async () => {
    await take(3);
    await expect(obtain(1)).rejects.toThrow('too late');
    expect(pool.counters().waiting).toBe(0);
  });

  it('POOL-06: serves those who wait in the order of their coming, and nobody before them', async () => {
    settings = { ...settings, poolSize: 1, maxOverflow: 0 };
    const [held] = await take(1);
    const order: number[] = [];
    const waiting = [1, 2, 3].map(async (number) => {
      const connection = await obtain();
      order.push(number);
      await connection.giveBack();
    });
    await held!.giveBack();
    const last = obtain().then((connection) => {
      order.push(4);
      return connection.giveBack();
    });
    await Promise.all([...waiting, last]);
    expect(order).toEqual([1, 2, 3, 4]);
    expect(opened).toHaveLength(1);
  });

  it('does not lose a connection to one who has given up', async () => {
    settings = { ...settings, poolSize: 1, maxOverflow: 0 };
    const [held] = await take(1);
    await expect(obtain(1)).rejects.toThrow('too late');
    await held!.giveBack();
    expect(numbers(await take(1))).toEqual([1]);
  });

  it('takes back what is opened after the deadline of the one who asked', async () => {
    let arrive: (physical: Physical) => void = () => undefined;
    openNext = () => new Promise((resolve) => (arrive = resolve));
    await expect(obtain(1)).rejects.toThrow('too late');
    arrive(new Physical(9));
    await vi.waitFor(() => expect(pool.counters().idle).toBe(1));
    expect(numbers(await take(1))).toEqual([9]);
  });

  it('POOL-07: with a deadline of 0 nobody waits for others, but what may be opened is opened', async () => {
    vi.useFakeTimers();
    try {
      let arrive: (physical: Physical) => void = () => undefined;
      openNext = () => new Promise((resolve) => (arrive = resolve));
      const first = obtain(0);
      await vi.advanceTimersByTimeAsync(500);
      arrive(new Physical(1));
      expect((await first).raw).toBe(1);
      settings = { ...settings, poolSize: 1, maxOverflow: 0 };
      const second = obtain(0).catch((error: Error) => error.message);
      await vi.advanceTimersByTimeAsync(1);
      expect(await second).toBe('too late');
    } finally {
      vi.useRealTimers();
    }
  });

  it('POOL-09: has a limit, always (deviation)', () => {
    expect(() => readOptions('createEngine', { poolSize: 0 }, POOL_RULES)).toThrow('poolSize');
    expect(() => readOptions('createEngine', { maxOverflow: -1 }, POOL_RULES)).toThrow('maxOverflow');
  });

  it('POOL-10: lends in the order of coming back; with poolUseLifo the last one first', async () => {
    for (const connection of await take(2)) await connection.giveBack();
    const [first] = await take(1);
    expect(first!.raw).toBe(1);
    await first!.giveBack();
    settings = { ...settings, poolUseLifo: true };
    expect(numbers(await take(2))).toEqual([1, 2]);
  });

  it('POOL-14: never opens more than its limit', async () => {
    settings = { ...settings, poolSize: 3, maxOverflow: 5 };
    let most = 0;
    const task = async (): Promise<void> => {
      const connection = await obtain();
      most = Math.max(most, pool.counters().total);
      await new Promise((resolve) => setImmediate(resolve));
      await connection.giveBack();
    };
    await Promise.all(Array.from({ length: 40 }, task));
    expect(most).toBe(8);
    expect(pool.counters()).toMatchObject({ total: 3, idle: 3, waiting: 0 });
  });

  it('POOL-16, 17: replaces a connection that is too old when it is asked for again, not while it is lent', async () => {
    const now = vi.spyOn(performance, 'now').mockReturnValue(0);
    settings = { ...settings, poolRecycleMs: 1_000 };
    const [held] = await take(1);
    now.mockReturnValue(1_001);
    expect(opened[0]!.done).toEqual([]);
    await held!.giveBack();
    expect(numbers(await take(1))).toEqual([2]);
    expect(opened[0]!.done).toEqual(['close']);
    now.mockRestore();
  });

  it('POOL-19: keeps a connection that is exactly as old as it may become', async () => {
    const now = vi.spyOn(performance, 'now').mockReturnValue(0);
    const random = vi.spyOn(Math, 'random').mockReturnValue(0);
    settings = { ...settings, poolRecycleMs: 1_000 };
    await (await take(1))[0]!.giveBack();
    now.mockReturnValue(1_000);
    const [same] = await take(1);
    expect(same!.raw).toBe(1);
    await same!.giveBack();
    now.mockReturnValue(1_000.001);
    expect(numbers(await take(1))).toEqual([2]);
    for (const spy of [now, random]) spy.mockRestore();
  });

  it('POOL-17: spreads the replacing over the last tenth of the time', async () => {
    settings = { ...settings, poolRecycleMs: 1_000 };
    const now = vi.spyOn(performance, 'now').mockReturnValue(0);
    const random = vi.spyOn(Math, 'random').mockReturnValueOnce(0).mockReturnValueOnce(0.999);
    const taken = await take(2);
    expect(taken.map(({ expiresAt }) => Math.round(expiresAt))).toEqual([1_000, 900]);
    for (const spy of [now, random]) spy.mockRestore();
  });

  it('POOL-18: keeps a connection for ever when nothing is recycled', async () => {
    const [held] = await take(1);
    expect(held!.expiresAt).toBe(Infinity);
  });

  it('POOL-20: asks a connection that rested whether it lives, and never a new one', async () => {
    settings = { ...settings, poolPrePing: 'ifIdle' };
    const [held] = await take(1);
    await held!.giveBack();
    await (await take(1))[0]!.giveBack();
    expect(opened[0]!.done).toEqual([]);
    held!.usedAt -= 501;
    await take(1);
    expect(opened[0]!.done).toEqual(['ping']);
  });

  it('asks each time when it is told to', async () => {
    settings = { ...settings, poolPrePing: 'always' };
    const [held] = await take(1);
    await held!.giveBack();
    await take(1);
    expect(opened[0]!.done).toEqual(['ping']);
  });

  it('replaces all that rest when one of them is dead', async () => {
    settings = { ...settings, poolPrePing: 'always' };
    for (const connection of await take(2)) await connection.giveBack();
    opened[0]!.answersPing = false;
    expect(numbers(await take(1))).toEqual([3]);
    expect(opened.map(({ done }) => done.at(-1))).toEqual(['close', 'close', undefined]);
    expect(pool.counters()).toMatchObject({ total: 1, active: 1 });
  });

  it('forgets a connection that ends while it rests, and serves who waits with a new one', async () => {
    const [held] = await take(1);
    await held!.giveBack();
    opened[0]!.lose();
    expect(pool.counters().total).toBe(0);
    expect(numbers(await take(1))).toEqual([2]);
  });

  it('does not take back a connection that has ended while it was lent', async () => {
    const [held] = await take(1);
    opened[0]!.lose();
    await held!.giveBack();
    expect(pool.counters().total).toBe(0);
  });

  it('POOL-27: replaces every connection of before after invalidate()', async () => {
    const [first, second] = await take(2);
    await first!.giveBack();
    pool.invalidate();
    expect(opened[0]!.done).toEqual(['close']);
    expect(pool.counters()).toMatchObject({ total: 1, idle: 0 });
    await second!.giveBack();
    expect(opened[1]!.done).toEqual(['close']);
    expect(numbers(await take(1))).toEqual([3]);
  });

  it.each([
    ['rollback', []],
    ['reset', ['reset', 'SET a = 1']],
    ['destroy', ['close']],
  ] as const)('POOL-22, 23: with resetOnReturn %s', async (resetOnReturn, done) => {
    settings = { ...settings, resetOnReturn, initSql: ['SET a = 1'] };
    const [held] = await take(1);
    await held!.giveBack();
    expect(opened[0]!.done).toEqual(['SET a = 1', ...done]);
  });

  it('does not wait for ever for a reset that is not answered', async () => {
    settings = { ...settings, resetOnReturn: 'reset' };
    const [held] = await take(1);
    opened[0]!.reset = () => new Promise(() => undefined);
    vi.useFakeTimers();
    try {
      const back = held!.giveBack();
      await vi.advanceTimersByTimeAsync(1_000);
      await back;
    } finally {
      vi.useRealTimers();
    }
    expect(opened[0]!.done).toEqual(['close']);
    expect(pool.counters().total).toBe(0);
  });

  it('gives a place free that a connection takes which is never opened', async () => {
    settings = { ...settings, poolSize: 1, maxOverflow: 0 };
    openNext = () => new Promise(() => undefined);
    vi.useFakeTimers();
    try {
      const first = obtain(60_000).catch((error: unknown) => error);
      await vi.advanceTimersByTimeAsync(10_000);
      expect(await first).toMatchObject({ code: 'ETIMEDOUT' });
    } finally {
      vi.useRealTimers();
    }
    expect(pool.counters().total).toBe(0);
  });

  it('closes a connection that is opened when nobody waits for it any more', async () => {
    const late = new Physical(0);
    let arrive: (physical: Physical) => void = () => undefined;
    openNext = () => new Promise((resolve) => (arrive = resolve));
    vi.useFakeTimers();
    try {
      const first = obtain(60_000).catch((error: unknown) => error);
      await vi.advanceTimersByTimeAsync(10_000);
      await first;
    } finally {
      vi.useRealTimers();
    }
    arrive(late);
    await new Promise((resolve) => setImmediate(resolve));
    expect(late.done).toEqual(['close']);
  });

  it('asks a connection that the driver has had at rest, and replaces a dead one', async () => {
    settings = { ...settings, poolPrePing: 'ifIdle' };
    const [dead, alive] = [new Physical(1), new Physical(2)];
    dead.restedMs = 600;
    dead.ping = () => Promise.reject(new Error('dead'));
    const next = [dead, alive];
    openNext = () => Promise.resolve(next.shift()!);
    const connection = await obtain();
    expect(connection.physical).toBe(alive);
    expect(dead.done).toEqual(['close']);
    expect(pool.counters()).toMatchObject({ total: 1, active: 1 });
  });

  it('POOL-26: does not lose a place to a connection that cannot be made ready, and tells why', async () => {
    settings = { ...settings, poolSize: 1, maxOverflow: 0, initSql: ['fail'] };
    await expect(obtain()).rejects.toThrow('refused');
    expect(opened[0]!.done).toEqual(['fail', 'close']);
    settings = { ...settings, initSql: [] };
    expect(numbers(await take(1))).toEqual([2]);
  });

  it('opens for the next one who waits when a connection is destroyed, or cannot be opened', async () => {
    settings = { ...settings, poolSize: 1, maxOverflow: 0 };
    const [held] = await take(1);
    const [second, third] = [obtain(), obtain()];
    const good = openNext;
    openNext = async () => {
      openNext = good;
      throw new Error('refused');
    };
    held!.destroy();
    await expect(second).rejects.toThrow('refused');
    expect((await third).raw).toBe(2);
    expect(pool.counters()).toEqual({ limit: 1, total: 1, idle: 0, active: 1, waiting: 0 });
  });

  it('hands what rests back to the driver when that is closed, and closes what comes later', async () => {
    const [first, second] = await take(2);
    await first!.giveBack();
    pool.close();
    expect(opened[0]!.done).toEqual(['handBack']);
    await second!.giveBack();
    expect(opened[1]!.done).toEqual(['close']);
  });
});
