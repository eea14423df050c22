/** A background task as its caller sees it, who may look at it or wait for it. */

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
export interface BackgroundTask<T = unknown> {
  /** What messages call it. */
  readonly label: string;
  /**
   * Resolves when the task is over, and never rejects: its error was reported already. A unit of work that waits here for a
   * task which itself waits for that unit's COMMIT waits for ever.
   */
  readonly done: Promise<TaskResult<T>>;
}

export class AcceptedTask<T> implements BackgroundTask<T> {
  readonly done: Promise<TaskResult<T>>;
  #settle!: (result: TaskResult<T>) => void;

  constructor(readonly label: string) {
    this.done = new Promise((resolve) => (this.#settle = resolve));
  }

  settle(result: TaskResult<T>): void {
    this.#settle(result);
  }
}
