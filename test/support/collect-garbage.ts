/** Runs the garbage collector until what the test waits for has happened; Node needs no flag of its command line for it. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { waitUntil } from './wait-until.js';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

/** @param happened - asked again after each collection; what weak references hold stays alive until the job has ended */
export function collectGarbageUntil(what: string, happened: () => boolean): Promise<void> {
  return waitUntil(what, () => {
    collect();
    return happened();
  });
}

/** KiB in use, when everything that can be collected was. */
export async function heapInUse(): Promise<number> {
  for (let pass = 0; pass < 3; pass += 1) {
    // What a weak reference showed in this turn stays until the next one.
    await nextTurn();
    collect();
  }
  return process.memoryUsage().heapUsed / 1024;
}
