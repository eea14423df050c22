/** BackgroundTasks: work that nobody waits for, each in a scope of its own with a session of its own. */
import { AsyncResource } from 'node:async_hooks';
import { DrainingError, requireFunction } from '../errors.js';
import { currentScope, runWithScope } from '../scope/index.js';
import { readRunOptions, type RunOptions, ScopedSession } from '../session/index.js';
import { whenCommitted } from './after-commit.js';
import { AcceptedTask, type BackgroundTask } from './background-task.js';
import { RunningTasks, type TaskWork } from './running-tasks.js';
import { type BackgroundTasksOptions, HostOfSession, type TaskHost } from './task-host.js';
import { type TaskCounters, TaskQueue } from './task-queue.js';

/**
 * Runs tasks that outlive the request that starts them. Each is a unit of work of its own: committed when its function
 * returns, rolled back when it throws; its error is reported and touches nobody else. They start in the order in which they
 * were accepted, and so many at a time. In a Nest application the class is injected, and the shutdown waits for its tasks.
 *
 * As FastAPI's BackgroundTasks, with two differences: they do not wait for each other, and one that fails stops no other.
 *
 * @param session - whose units of work they are; has no scope function of its own
 * @param options - `concurrency`, `queueLimit`, `onError`
 * @throws `SS_ERR_INVALID_OPTION`
 *
 * @example
 * ```ts
 * import { BackgroundTasks, createEngine, scopedSession, sessionFactory } from 'nestjs-scoped-session';
 * const engine = await createEngine('sqlite+sqljs:///:memory:').initialize();
 * const session = scopedSession(sessionFactory(engine));
 * const tasks = new BackgroundTasks(session, { concurrency: 1 });
 * tasks.run(() => session.execute('CREATE TABLE visit (page TEXT)'));
 * await tasks.idle();
 * await engine.dispose();
 * ```
 */
export class BackgroundTasks {
  readonly #host: TaskHost;
  readonly #queue: TaskQueue;
  readonly #running: RunningTasks;
  #isDraining = false;

  constructor(session: ScopedSession, options?: BackgroundTasksOptions);
  /** @internal */
  constructor(host: TaskHost);
  constructor(given: ScopedSession | TaskHost, options?: BackgroundTasksOptions) {
    this.#host = given instanceof ScopedSession ? new HostOfSession(given, options) : given;
    this.#queue = new TaskQueue(() => this.#host.limits);
    this.#running = new RunningTasks(this.#host);
  }

  /**
   * Starts `fn` now, which is after the code that runs at the moment; it waits for a free place, and for no COMMIT. What the
   * caller has not committed yet it does not see.
   *
   * @param fn - the work; gets the session of its own, which everything finds that it calls
   * @param options - `label`, `isolation`, `readOnly`, `timeoutMs` (no limit when left out), `retry`, as of `scopedSession.run`
   * @returns the task, to look at; nobody needs to wait for it
   * @throws `SS_ERR_BACKGROUND_QUEUE_FULL`, `SS_ERR_DRAINING` while the application shuts down (but not from work that the
   *   shutdown waits for), `SS_ERR_INVALID_OPTION`
   *
   * @example
   * ```ts
   * import type { BackgroundTasks } from 'nestjs-scoped-session';
   * export const countVisit = (tasks: BackgroundTasks, page: string) =>
   *   tasks.run((session) => session.execute('UPDATE page SET visits = visits + 1 WHERE name = :page', { page }), {
   *     retry: { times: 3 },
   *   });
   * ```
   */
  run<T>(fn: TaskWork<T>, options?: RunOptions): BackgroundTask<T> {
    const { task, enqueue } = this.#accept('run', fn, options);
    enqueue();
    return task;
  }

  /**
   * Starts `fn` when the current unit of work is committed, in all its databases; never when it is rolled back, in whole or the
   * savepoint around the call. What was registered here is accepted: no full queue and no shutdown refuses it later.
   *
   * @param fn - the work; gets the session of its own
   * @param options - as of `run`
   * @returns the task, to look at; `done` says `dropped` where it was never started
   * @throws `SS_ERR_NO_ACTIVE_SCOPE` outside of a unit of work, `SS_ERR_SESSION_CLOSED` after its end, and as `run`
   *
   * @example
   * ```ts
   * import { BackgroundTasks, ScopedSession } from 'nestjs-scoped-session';
   * export async function signUp(session: ScopedSession, tasks: BackgroundTasks, email: string) {
   *   await session.execute('INSERT INTO member (email) VALUES (:email)', { email });
   *   tasks.afterCommit(() => session.execute('INSERT INTO outbox (email) VALUES (:email)', { email }));
   * }
   * ```
   */
  afterCommit<T>(fn: TaskWork<T>, options?: RunOptions): BackgroundTask<T> {
    const { task, enqueue, cancel } = this.#accept('afterCommit', fn, options);
    const { sources } = this.#host;
    try {
      whenCommitted(sources, {
        committed: enqueue,
        notCommitted: () => {
          cancel();
          task.settle({ outcome: 'dropped' });
        },
      });
    } catch (error) {
      cancel();
      throw error;
    }
    return task;
  }

  /** How many tasks run, wait for their turn, and wait for a COMMIT. */
  status(): TaskCounters {
    return this.#queue.counters;
  }

  /** Resolves when no task runs and none waits for its turn; those that wait for a COMMIT are not waited for. */
  idle(): Promise<void> {
    return this.#queue.idle();
  }

  /** @internal */
  get isIdle(): boolean {
    return this.#queue.isIdle;
  }

  /** From now on only work that is waited for may start tasks. @internal */
  drain(): void {
    this.#isDraining = true;
  }

  /** Nothing is started any more; what waits is reported as failed with `error`. Returns what that is called. @internal */
  stop(error: Error): string[] {
    this.#running.stop(error);
    return this.#queue.abandonWaiting();
  }

  #accept<T>(way: 'run' | 'afterCommit', fn: TaskWork<T>, options: RunOptions | undefined): Accepted<T> {
    requireFunction(fn, `The first argument of BackgroundTasks.${way}`);
    const { label: given, ...own } = readRunOptions(`BackgroundTasks.${way}`, options);
    const around = currentScope();
    const label = given ?? labelOf(fn, around?.label);
    this.#refuseLate(label, around?.isOpen === true);
    this.#queue.reserve(label);
    const task = new AcceptedTask<T>(label);
    // Not what is around the call: neither its scope, which it would keep alive, nor the task that makes room for this one.
    const start = runWithScope(undefined, 'outer', () =>
      AsyncResource.bind(() => this.#running.run(task, fn, own)),
    );
    const abandon = (): void => this.#running.abandon(task);
    return {
      task,
      enqueue: () => this.#queue.add({ label, start, abandon }),
      cancel: () => this.#queue.cancel(),
    };
  }

  #refuseLate(label: string, isWaitedFor: boolean): void {
    if (!this.#running.isStopped && (!this.#isDraining || isWaitedFor)) return;
    throw new DrainingError(
      `${label} was not started: the application is shutting down. Try again elsewhere.`,
    );
  }
}

interface Accepted<T> {
  readonly task: AcceptedTask<T>;
  readonly enqueue: () => void;
  readonly cancel: () => void;
}

function labelOf(fn: { readonly name: string }, origin: string | undefined): string {
  const name = fn.name === '' ? 'background task' : `background task ${fn.name}`;
  return origin === undefined ? name : `${name} of ${origin}`;
}
