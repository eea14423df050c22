/** Does the same very often, and measures what that leaves: heap, listeners, timers and handles. */
import type { EventEmitter } from 'node:events';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect } from 'vitest';
import { heapInUse } from './collect-garbage.js';
import { waitUntil } from './wait-until.js';

/** I10: what the heap may have grown by in the end, however often it was done. */
const MOST_GROWTH_KIB = 2_048;
/** How many are under way at the same time. */
const TOGETHER = 20;

export interface Soaked {
  readonly title: string;
  readonly rounds: number;
  /** In each round. */
  readonly times: number;
  one(number: number): Promise<unknown>;
  /** Gives up, at the end of a round, what only serves the measuring. */
  rest?(): Promise<void> | void;
  /** Whoever could be listened to. */
  emitters(): readonly EventEmitter[];
}

/** One round to warm up, then those that are measured; prints the figures, and fails where they have grown. */
export async function soak(soaked: Soaked): Promise<void> {
  const { title, rounds, times } = soaked;
  await round(soaked, 0);
  const before = await left(soaked);
  const first = await heapInUse();
  const heaps = [first];
  const begun = performance.now();
  for (let number = 1; number <= rounds; number += 1) {
    await round(soaked, number);
    heaps.push(await heapInUse());
  }
  const seconds = (performance.now() - begun) / 1_000;
  const growth = heaps.slice(1).map((heap, number) => heap - heaps[number]!);
  const sorted = growth.toSorted((one, other) => one - other);
  const median = sorted[Math.floor(sorted.length / 2)]!;
  const inAll = heaps.at(-1)! - first;
  console.log(
    `${title}: ${rounds * times} in ${seconds.toFixed(0)} s; heap ${first.toFixed(0)} → ${heaps.at(-1)!.toFixed(0)} KiB ` +
      `(${inAll.toFixed(0)} in all; ${sorted[0]!.toFixed(0)} – ${median.toFixed(0)} – ${sorted.at(-1)!.toFixed(0)} a round ` +
      `of ${times}); ${JSON.stringify(before)}`,
  );
  const isAsBefore = async (): Promise<boolean> => same(await left(soaked), before);
  // Where it never is, the comparison says what differs.
  await waitUntil('listeners, timers and handles are as before', isAsBefore).catch(() => undefined);
  expect(await left(soaked)).toEqual(before);
  expect(inAll, 'KiB that the heap has grown').toBeLessThan(MOST_GROWTH_KIB);
  // Steady growth, however slow, shows in most rounds.
  expect(median, 'KiB that the heap grows in a round').toBeLessThan(MOST_GROWTH_KIB / rounds);
}

async function round({ times, one, rest }: Soaked, number: number): Promise<void> {
  let next = 0;
  const work = async (): Promise<void> => {
    while (next < times) {
      next += 1;
      await one(number * times + next);
      // Timers and finalizers want their turn too.
      if (next % 1_000 === 0) await nextTurn();
    }
  };
  await Promise.all(Array.from({ length: TOGETHER }, work));
  await rest?.();
}

interface Left {
  readonly listeners: number;
  readonly resources: Readonly<Record<string, number>>;
}

async function left({ emitters }: Soaked): Promise<Left> {
  await nextTurn();
  const all = [process as EventEmitter, ...emitters()];
  const listeners = all
    .flatMap((emitter) => emitter.eventNames().map((name) => emitter.listenerCount(name)))
    .reduce((sum, count) => sum + count, 0);
  const resources: Record<string, number> = {};
  // What keeps Node running: sockets, servers, timers.
  for (const name of process.getActiveResourcesInfo().toSorted())
    resources[name] = (resources[name] ?? 0) + 1;
  return { listeners, resources };
}

const same = (one: Left, other: Left): boolean => JSON.stringify(one) === JSON.stringify(other);
