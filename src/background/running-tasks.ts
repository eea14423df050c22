/** RunningTasks: runs tasks as units of work of their own, and tells what became of them. */
import { setMaxListeners } from 'node:events';
import { setImmediate as nextTurn, setTimeout as pause } from 'node:timers/promises';
import { currentScope } from '../scope/index.js';
import { type RunOptions, type SessionBase, withRetry } from '../session/index.js';
import type { AcceptedTask } from './background-task.js';
import type { TaskHost } from './task-host.js';

/** What a task does. */
export type TaskWork<T> = (session: SessionBase) => Promise<T> | T;

export class RunningTasks {
  readonly #stopping = new AbortController();

  constructor(private readonly host: TaskHost) {
    // As many tasks may be waiting to be run again as there are running.
    setMaxListeners(0, this.#stopping.signal);
  }

  get isStopped(): boolean {
    return this.#stopping.signal.aborted;
  }

  /** What runs is not run again, and what has not begun is not begun. */
  stop(error: Error): void {
    this.#stopping.abort(error);
  }

  /** Never rejects. */
  async run<T>(task: AcceptedTask<T>, fn: TaskWork<T>, options: RunOptions): Promise<void> {
    try {
      // Whoever has started it goes on first, up to where it waits for something itself.
      await nextTurn();
      task.settle({ outcome: 'succeeded', value: await this.#work(task.label, fn, options) });
    } catch (error) {
      this.#failed(task, error);
    }
  }

  /** It was never begun, and will not be. */
  abandon<T>(task: AcceptedTask<T>): void {
    this.#failed(task, this.#stopping.signal.reason);
  }

  #work<T>(label: string, fn: TaskWork<T>, { retry, ...own }: RunOptions): Promise<T> {
    const { signal } = this.#stopping;
    const wait = (ms: number): Promise<unknown> =>
      pause(ms, undefined, { signal }).catch(() => signal.throwIfAborted());
    return withRetry(
      (counted) => {
        signal.throwIfAborted();
        const work = (session: SessionBase): Promise<T> | T => {
          counted?.(currentScope()!);
          return fn(session);
        };
        return this.host.session.run(work, { ...own, label });
      },
      retry,
      { random: () => Math.random(), wait },
    );
  }

  #failed<T>(task: AcceptedTask<T>, error: unknown): void {
    task.settle({ outcome: 'failed', error });
    this.host.report(error, task.label);
  }
}
