/** Whose tasks they are: the sessions they work with, how many there may be, and who is told of errors. */
import { InvalidOptionError } from '../errors.js';
import { AsyncLocalRegistry } from '../scope/index.js';
import type { ScopedSession } from '../session/index.js';
import type { TaskLimits } from './task-queue.js';

/** What a report says of a task. */
export interface ReportedTask {
  readonly label: string;
}

/** Is told of the error of a task, which nobody else may ever see. */
export type OnTaskError = (error: unknown, task: ReportedTask) => unknown;

export interface TaskHost {
  /** Opens the units of work of tasks. */
  readonly session: ScopedSession;
  /** All that a unit of work may use. */
  readonly sources: readonly ScopedSession[];
  readonly limits: TaskLimits;
  /** Throws nothing. */
  report(error: unknown, label: string): void;
}

/** Options of `new BackgroundTasks(session, options)`. */
export interface BackgroundTasksOptions {
  /** How many tasks run at the same time, 1 and up, default 5. Keep it below the pool's size: each holds a connection. */
  readonly concurrency?: number;
  /** How many more are accepted, 0 and up, default 1 000. */
  readonly queueLimit?: number;
  /** Is told of the error of a task. Default: a warning of the process. */
  readonly onError?: OnTaskError;
}

export const TASK_LIMITS: TaskLimits = { concurrency: 5, queueLimit: 1_000 };

/** Without an application: the units of work of one scoped session. */
export class HostOfSession implements TaskHost {
  readonly sources: readonly ScopedSession[];
  readonly limits: TaskLimits;
  readonly #onError: OnTaskError;

  constructor(
    readonly session: ScopedSession,
    options: BackgroundTasksOptions = {},
  ) {
    if (!(session.registry instanceof AsyncLocalRegistry)) {
      throw new InvalidOptionError(
        'BackgroundTasks needs a scoped session without a scope function of its own: a task must not share the session of the ' +
          'current key.',
      );
    }
    const {
      concurrency = TASK_LIMITS.concurrency,
      queueLimit = TASK_LIMITS.queueLimit,
      onError,
    } = read(options);
    this.sources = [session];
    this.limits = { concurrency, queueLimit };
    this.#onError = onError ?? warn;
  }

  report(error: unknown, label: string): void {
    const task = { label };
    // What is not told of is at least seen.
    tellOfError(this.#onError, error, task, (later) => {
      warn(error, task);
      warn(later, { label: 'onError' });
    });
  }
}

/** Tells the application; what its function throws itself, at once or later, goes to `failed`. */
export function tellOfError(
  onError: OnTaskError,
  error: unknown,
  task: ReportedTask,
  failed: (later: unknown) => void,
): void {
  const told = async (): Promise<unknown> => onError(error, task);
  told().catch(failed);
}

function warn(error: unknown, { label }: ReportedTask): void {
  const { stack } = error instanceof Error ? error : new Error(String(error));
  process.emitWarning(`${label} failed: ${String(error)}`, {
    type: 'ScopedSessionWarning',
    ...(stack !== undefined && { detail: stack }),
  });
}

function read(given: unknown): BackgroundTasksOptions {
  if (typeof given !== 'object' || given === null) {
    throw new InvalidOptionError('The options of BackgroundTasks must be an object such as { concurrency }.');
  }
  const { concurrency, queueLimit, onError, ...unknown } = given as BackgroundTasksOptions;
  const [name] = Object.keys(unknown);
  if (name !== undefined) {
    throw new InvalidOptionError(
      `BackgroundTasks knows no option "${name}". It knows: concurrency, queueLimit, onError.`,
    );
  }
  requireNumber('concurrency', concurrency, 1);
  requireNumber('queueLimit', queueLimit, 0);
  if (onError !== undefined && typeof onError !== 'function') {
    throw new InvalidOptionError('The option onError of BackgroundTasks must be a function.');
  }
  return { ...given };
}

function requireNumber(name: string, value: unknown, least: number): void {
  if (value === undefined || (Number.isSafeInteger(value) && (value as number) >= least)) return;
  throw new InvalidOptionError(
    `The option ${name} of BackgroundTasks must be an integer of ${least} and up.`,
  );
}
