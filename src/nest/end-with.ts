/** Adapts an Observable to a unit of work's end: values leave when the ending allows it. */
import { EmptyError, Observable, Subscription } from 'rxjs';
import { ScopeAbortedError, suppress } from '../errors.js';
import { currentContext, runWithScope } from '../scope/index.js';
import type { Ending } from '../session/index.js';

/**
 * When values leave. `afterCommit`: all of them at the end, for a response that is sent once. `holdLast`: each when the
 * next one comes, the last after the COMMIT, for replies that stream. `atOnce`: server-sent events.
 */
export const EMISSIONS = ['afterCommit', 'holdLast', 'atOnce'] as const;
export type Emission = (typeof EMISSIONS)[number];

export interface EndWith {
  readonly ending: Ending;
  readonly emission: Emission;
  /** The status that the client will be told, where there is one; asked at the end. */
  readonly statusOf: (error?: unknown) => number | undefined;
  readonly warn: (message: string) => void;
}

/** Subscribes to `source` inside the scope; the result completes, or fails, when the work has ended. */
export function endWith(
  source: () => Observable<unknown>,
  { ending, emission, statusOf, warn }: EndWith,
): Observable<unknown> {
  return new Observable((subscriber) => {
    const around = currentContext();
    /** What waits for the outcome stands around the work, not in it: it must not meet a scope that has ended. */
    const outside = (tell: () => void): void => runWithScope(around?.scope, around?.role ?? 'outer', tell);
    const held: unknown[] = [];
    const inner = new Subscription();
    let hasValue = false;
    let isOver = false;
    const emitHeld = (): void => outside(() => held.splice(0).forEach((value) => subscriber.next(value)));
    const fail = (error: unknown): void => {
      isOver = true;
      outside(() => subscriber.error(error));
    };
    const succeed = (): void =>
      outside(() => {
        emitHeld();
        subscriber.complete();
      });

    ending.onCutShort((error) => {
      inner.unsubscribe();
      fail(error);
    });

    const onValue = (value: unknown): void => {
      hasValue = true;
      if (emission === 'atOnce') return outside(() => subscriber.next(value));
      if (emission === 'holdLast') emitHeld();
      held.push(value);
      // A reply that streams keeps its pace; a single value still leaves after the COMMIT, for `complete` comes first.
      if (emission === 'holdLast') queueMicrotask(() => isOver || emitHeld());
    };

    const onError = (error: unknown): void => {
      isOver = true;
      ending.end({ kind: 'error', error, status: statusOf(error) }).then(
        () => fail(error),
        (later: unknown) => {
          suppress(error, later);
          fail(error);
        },
      );
    };

    const onComplete = (): void => {
      // Nest answers 500 to a handler that gives no value at all: then nothing may be stored.
      if (emission === 'afterCommit' && !hasValue) return onError(new EmptyError());
      isOver = true;
      const { hasBegun, scope } = ending;
      const ended = ending.end({ kind: 'value', status: statusOf() });
      if (hasBegun || scope.isUsed) ended.then(succeed, fail);
      else succeed();
    };

    inner.add(
      runWithScope(ending.scope, 'inner', () =>
        source().subscribe({ next: onValue, error: onError, complete: onComplete }),
      ),
    );

    return () => {
      if (isOver) return;
      inner.unsubscribe();
      const error = new ScopeAbortedError(
        `${ending.scope.label}: nobody waits for it any more (a timeout, or the client has gone); it was rolled back.`,
        { outcome: 'rolledBack' },
      );
      ending.end({ kind: 'abandoned', error }).catch((later: unknown) => warn(String(later)));
    };
  });
}
