/** `BackgroundTasks` and `@SessionScope()`: what a task gives back, and which methods may be decorated. */
import {
  type BackgroundTask,
  type BackgroundTasks,
  type ScopedSession,
  type SessionBase,
  SessionScope,
  type TaskResult,
} from 'nestjs-scoped-session';
import { Observable, of } from 'rxjs';
import type { Equal } from './equal.js';

export class Jobs {
  @SessionScope()
  async nightly(count: number): Promise<number> {
    return count;
  }

  @SessionScope({ isolation: 'SERIALIZABLE', timeoutMs: 1_000, retry: { times: 3 }, label: 'observed' })
  observed(): Observable<number> {
    return of(1);
  }

  // @ts-expect-error: the caller of a method without a promise could not wait for its COMMIT
  @SessionScope()
  atOnce(): number {
    return 1;
  }

  // @ts-expect-error: it joins nothing, so it has no propagation
  @SessionScope({ propagation: 'REQUIRED' })
  async joins(): Promise<void> {
    // Nothing to do.
  }
}

export async function results(tasks: BackgroundTasks, scoped: ScopedSession): Promise<void> {
  const counted = tasks.run((session) => session.scalar<number>('SELECT 1'));
  const isTyped: Equal<typeof counted, BackgroundTask<number | null>> = true;
  const given = tasks.afterCommit((session) => {
    const isSession: Equal<typeof session, SessionBase> = isTyped;
    return isSession;
  });
  const all: BackgroundTask[] = [counted, given, tasks.run(() => scoped.flush())];
  const [first] = await Promise.all(all.map(({ done }) => done));
  const result: TaskResult<unknown> = first!;
  // @ts-expect-error: only what has succeeded has a value
  void result.value;
  // @ts-expect-error: the label is a text
  tasks.run(() => undefined, { label: 1 });
}
