/** The application as the host of its background tasks: its databases, its options, its log, its shutdown. */
import { Inject, Injectable, Logger, type OnModuleInit } from '@nestjs/common';
import {
  BackgroundTasks,
  TASK_LIMITS,
  type TaskHost,
  type TaskLimits,
  tellOfError,
} from '../background/index.js';
import type { ScopedSession } from '../session/index.js';
import { ActiveWork } from './active-work.js';
import { type Database, Databases } from './databases.js';

@Injectable()
export class BackgroundHost implements TaskHost, OnModuleInit {
  readonly tasks: BackgroundTasks = new BackgroundTasks(this);
  readonly #logger = new Logger(BackgroundTasks.name);

  constructor(
    @Inject(Databases) private readonly databases: Databases,
    @Inject(ActiveWork) work: ActiveWork,
  ) {
    work.alsoWaitFor(this.tasks);
  }

  get session(): ScopedSession {
    return this.databases.main.scoped;
  }

  get sources(): readonly ScopedSession[] {
    const { session } = this;
    // Who is asked where a unit of work has used none comes first.
    return [session, ...this.databases.scoped.filter((one) => one !== session)];
  }

  get limits(): TaskLimits {
    const { backgroundConcurrency, backgroundQueueLimit } = this.databases.settings;
    const concurrency = backgroundConcurrency ?? Math.min(TASK_LIMITS.concurrency, this.#mostBesideRequests);
    return { concurrency, queueLimit: backgroundQueueLimit };
  }

  report(error: unknown, label: string): void {
    this.#log(error, `${label} failed`);
    const { onBackgroundError } = this.databases.settings;
    if (onBackgroundError === undefined) return;
    tellOfError(onBackgroundError, error, { label }, (later) =>
      this.#log(later, 'onBackgroundError, which was told of it, failed'),
    );
  }

  /** Called by Nest. */
  onModuleInit(): void {
    const { backgroundConcurrency } = this.databases.settings;
    if (backgroundConcurrency === undefined) return;
    for (const { name, scoped } of this.databases.all) {
      const limit = limitOf(scoped);
      // Where there is one connection everybody takes turns on it anyway.
      if (limit === 1 || backgroundConcurrency < limit) continue;
      this.#logger.warn(
        `backgroundConcurrency is ${backgroundConcurrency}, and the pool of the database "${name}" lends ${limit} connections: ` +
          'background tasks may take all of them, and requests wait. Let there be fewer tasks, or more connections.',
      );
    }
  }

  /** So many that a connection is left for requests in each pool. */
  get #mostBesideRequests(): number {
    const limits = this.databases.scoped.map((scoped) => limitOf(scoped));
    return Math.max(1, Math.min(...limits) - 1);
  }

  #log(error: unknown, what: string): void {
    const { stack } = error instanceof Error ? error : { stack: undefined };
    this.#logger.error(`${what}: ${String(error)}`, stack);
  }
}

function limitOf({ sessionFactory }: Database['scoped']): number {
  return sessionFactory.engine?.status().limit ?? Infinity;
}
