/** BackgroundTask: what the caller keeps of a task, to look at it or to wait for it. */

/** How a task may come out. */
export const TASK_OUTCOMES = ['succeeded', 'failed', 'dropped'] as const;
/** One of `TASK_OUTCOMES`. */
export type TaskOutcome = (typeof TASK_OUTCOMES)[number];

/**
 * What became of a task. `succeeded`: its unit of work was committed. `failed`: it was rolled back, and the error was reported.
 * `dropped`: it was never started, for the unit of work that it waited for was not committed.
 */
export type TaskResult<T> =
  | { readonly outcome: 'succeeded'; readonly value: T }
  | { readonly outcome: 'failed'; readonly error: unknown }
  | { readonly outcome: 'dropped' };

/** A task that `BackgroundTasks` has accepted; nobody needs to keep it. */
export class BackgroundTask<T = unknown> {
  /**
   * Resolves when the task is over, and never rejects: its error was reported already. To wait for it in the unit of work
   * that it waits for itself (`afterCommit`) is to wait for ever.
   */
  readonly done: Promise<TaskResult<T>>;
  #settle!: (result: TaskResult<T>) => void;

  /** @internal */
  constructor(
    /** What messages call it. */
    readonly label: string,
  ) {
    this.done = new Promise((resolve) => (this.#settle = resolve));
  }

  /** @internal */
  settle(result: TaskResult<T>): void {
    this.#settle(result);
  }
}
