/** Waiting for a lock that another process holds: asked again and again, while the event loop turns. */
import { setTimeout as delay } from 'node:timers/promises';

/** SQLite tells nobody when a lock is free. */
const ASK_AGAIN_MS = 5;

export interface Busy {
  /** A time of `performance.now()`. */
  readonly until: number;
  readonly timedOut: () => Error;
}

/** Somebody else has the lock and nothing was done; a snapshot that is too old (BUSY_SNAPSHOT) stays so however long one waits. */
export function isBusy(error: unknown): boolean {
  const { driverError = error } = (error ?? {}) as { driverError?: unknown };
  const { code } = (driverError ?? {}) as { code?: unknown };
  return typeof code === 'string' && code.startsWith('SQLITE_BUSY') && code !== 'SQLITE_BUSY_SNAPSHOT';
}

/** Does `attempt` until nobody else has the lock that it needs. */
export async function untilFree<T>(attempt: () => T | Promise<T>, { until, timedOut }: Busy): Promise<T> {
  for (;;) {
    try {
      // In order: the next attempt is made when this one has failed. oxlint-disable-next-line no-await-in-loop
      return await attempt();
    } catch (error) {
      if (!isBusy(error)) throw error;
      if (performance.now() >= until) throw timedOut();
    }
    // oxlint-disable-next-line no-await-in-loop
    await delay(ASK_AGAIN_MS);
  }
}
