/** TaskQueue: first come, first served, so many at a time, and no more of them than there are places. */
import { BackgroundQueueFullError } from '../errors.js';

/** How many tasks there may be. */
export interface TaskLimits {
  /** That run at the same time. */
  readonly concurrency: number;
  /** That wait, those included whose unit of work has not been committed yet. */
  readonly queueLimit: number;
}

/** How many tasks there are. */
export interface TaskCounters {
  readonly running: number;
  /** For their turn. */
  readonly waiting: number;
  /** For the COMMIT of the unit of work that has registered them. */
  readonly registered: number;
}

interface Waiting {
  readonly label: string;
  /** Never rejects. */
  readonly start: () => Promise<void>;
  readonly abandon: () => void;
}

export class TaskQueue {
  #running = 0;
  #registered = 0;
  readonly #waiting: Waiting[] = [];
  #whenIdle: (() => void)[] = [];

  constructor(private readonly limits: () => TaskLimits) {}

  get counters(): TaskCounters {
    return { running: this.#running, waiting: this.#waiting.length, registered: this.#registered };
  }

  get isIdle(): boolean {
    return this.#running === 0 && this.#waiting.length === 0;
  }

  /** Takes a place, so that what has it cannot be refused any more. */
  reserve(label: string): void {
    const { concurrency, queueLimit } = this.limits();
    const { running, waiting, registered } = this.counters;
    if (running + waiting + registered >= concurrency + queueLimit) {
      throw new BackgroundQueueFullError(
        `${label} was not accepted: ${running} background tasks run, ${waiting} wait, ${registered} are registered for after a ` +
          `COMMIT, and there are places for ${concurrency} + ${queueLimit} (backgroundConcurrency, backgroundQueueLimit). ` +
          'Tasks come faster than they are done: try again later, or use a queue of messages.',
      );
    }
    this.#registered += 1;
  }

  /** Gives a reserved place back. */
  cancel(): void {
    this.#registered -= 1;
  }

  /** Lets what has a place wait for its turn. */
  add(waiting: Waiting): void {
    this.#registered -= 1;
    this.#waiting.push(waiting);
    this.#startNext();
  }

  /** Those that wait are not started any more. Returns what they are called. */
  abandonWaiting(): string[] {
    const abandoned = this.#waiting.splice(0);
    for (const { abandon } of abandoned) abandon();
    this.#tellIdle();
    return abandoned.map(({ label }) => label);
  }

  /** Resolves when nothing runs and nothing waits for its turn. */
  idle(): Promise<void> {
    if (this.isIdle) return Promise.resolve();
    return new Promise((resolve) => this.#whenIdle.push(resolve));
  }

  #startNext(): void {
    if (this.#running >= this.limits().concurrency) return;
    const next = this.#waiting.shift();
    if (next === undefined) return this.#tellIdle();
    this.#running += 1;
    void next.start().then(() => {
      this.#running -= 1;
      this.#startNext();
    });
  }

  #tellIdle(): void {
    if (!this.isIdle) return;
    const told = this.#whenIdle;
    this.#whenIdle = [];
    for (const tell of told) tell();
  }
}
