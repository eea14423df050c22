/** Background tasks on a database of their own, and what was reported of them. */
import { BackgroundTasks, type BackgroundTasksOptions, type ScopedSession } from 'nestjs-scoped-session';
import { beforeEach } from 'vitest';
import type { TestDatabase } from './databases.js';
import { type Ours, ours, texts } from './plain-and-ours.js';

export interface Background {
  readonly session: ScopedSession;
  readonly tasks: BackgroundTasks;
  /** Label and message of each error, in their order. */
  readonly reported: readonly string[];
  /** Others, whose errors are reported there too. */
  tasksWith(options: BackgroundTasksOptions): BackgroundTasks;
  /** Stores a note in the current session. */
  add(text: string): Promise<unknown>;
  stored(): Promise<string[]>;
}

/** Fresh for each test. */
export function backgroundTasks(database: TestDatabase): Background {
  let test: Ours;
  let tasks: BackgroundTasks;
  let reported: string[];
  const tasksWith = (options?: BackgroundTasksOptions): BackgroundTasks =>
    new BackgroundTasks(test.session, {
      ...options,
      onError: (error, { label }) => void reported.push(`${label}: ${(error as Error).message}`),
    });
  beforeEach(async () => {
    test = await ours(database);
    reported = [];
    tasks = tasksWith();
  });
  return {
    get session() {
      return test.session;
    },
    get tasks() {
      return tasks;
    },
    get reported() {
      return reported;
    },
    tasksWith,
    add: (text) => test.session.execute('INSERT INTO note (text) VALUES (:text)', { text }),
    stored: () => texts(test.dataSource),
  };
}
