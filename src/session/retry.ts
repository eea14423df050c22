/** Runs a whole unit of work again when it failed in a way that is known to have left nothing behind. */
import { setTimeout as pause } from 'node:timers/promises';
import { callable, integer, readOptions, type Rule, type Rules } from '../engine/index.js';
import { InvalidOptionError, suppress } from '../errors.js';
import { hasUnknownOutcome, isRetryable } from './retryable.js';

/** When, and how often, a unit of work is run again; each attempt has a new session. */
export interface RetryOptions {
  /** How many further attempts there may be, 0 to 100. */
  readonly times: number;
  /**
   * Decides instead of `isRetryable` whether `error`, that of attempt number `attempt` (1 is the first), leads to another
   * one. Not asked where the outcome is unknown or something was committed already: that is never run again.
   */
  readonly on?: (error: unknown, attempt: number) => boolean;
  /**
   * Milliseconds, 0 to 60 000, default 10, that the first wait takes at most; each further one up to twice as many, and no
   * more than 1 000 (or `delayMs`, where that is more). Each wait is a random part of it, so that rivals do not meet again.
   */
  readonly delayMs?: number;
}

const RETRY_RULES: Rules<RetryOptions> = {
  times: integer(0, 100),
  on: callable(),
  delayMs: integer(0, 60_000),
};

/** The rule of an option `retry`. */
export const retryRule: Rule<RetryOptions> = (value, name) => {
  const { times, ...rest } = readOptions('retry', value, RETRY_RULES);
  if (times !== undefined) return Object.freeze({ times, ...rest });
  throw new InvalidOptionError(`${name} must say times: how many further attempts there may be, 0 to 100.`);
};

/** Counts the COMMITs of one attempt that were sent and not refused. */
export interface CommitCount {
  readonly commits: number;
}

/** One attempt tells where its COMMITs are counted. */
export type Counted = (count: CommitCount) => void;

/** What the waits depend on. */
interface Waiting {
  readonly random: () => number;
  readonly wait: (ms: number) => Promise<unknown>;
}

const LONGEST_WAIT_MS = 1_000;
const WAITING: Waiting = { random: () => Math.random(), wait: (ms) => pause(ms) };

/**
 * Runs `attempt` until it succeeds, fails for good, or there are no attempts left.
 *
 * @param attempt - opens a unit of work of its own each time
 * @param options - left out: there is one attempt
 * @throws what the last attempt threw, for it alone tells what is stored; errors of earlier ones are its `suppressed`
 */
export async function withRetry<T>(
  attempt: (counted?: Counted) => Promise<T>,
  options: RetryOptions | undefined,
  { random, wait }: Waiting = WAITING,
): Promise<T> {
  if (options === undefined) return attempt();
  const { times, on = isRetryable, delayMs = 10 } = options;
  const earlier = new Set<unknown>();
  for (let number = 1; ; number += 1) {
    let count: CommitCount | undefined;
    try {
      // One attempt after the other. oxlint-disable-next-line no-await-in-loop
      return await attempt((told) => (count = told));
    } catch (error) {
      const isLast = number > times || isStored(count) || hasUnknownOutcome(error);
      if (isLast || !allows(on, error, number)) throw withEarlier(error, earlier);
      earlier.add(error);
    }
    const longestMs = Math.min(delayMs * 2 ** (number - 1), Math.max(delayMs, LONGEST_WAIT_MS));
    // oxlint-disable-next-line no-await-in-loop
    await wait(random() * longestMs);
  }
}

function isStored(count: CommitCount | undefined): boolean {
  return count !== undefined && count.commits > 0;
}

/** Only `true` counts: a promise of an answer is none. */
function allows(on: NonNullable<RetryOptions['on']>, error: unknown, attempt: number): boolean {
  try {
    const answer: unknown = on(error, attempt);
    return answer === true;
  } catch (later) {
    suppress(error, later);
    return false;
  }
}

function withEarlier(error: unknown, earlier: ReadonlySet<unknown>): unknown {
  for (const one of earlier) if (one !== error) suppress(error, one);
  return error;
}
