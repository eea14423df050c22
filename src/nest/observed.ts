/** An Observable whose every subscription is a piece of work of its own; its last value leaves when that has ended well. */
import { AsyncResource } from 'node:async_hooks';
import { Observable, Subscription } from 'rxjs';
import { ScopeAbortedError } from '../errors.js';

/**
 * @param run - runs the work, perhaps more than once, and resolves when it was kept
 * @param make - makes the Observable, inside the work
 * @param holdsAll - no value leaves before the end, for the work may be run again
 */
export function observed(
  run: (work: () => Promise<void>) => Promise<void>,
  make: () => Observable<unknown>,
  holdsAll: boolean,
): Observable<unknown> {
  return new Observable((subscriber) => {
    // Whoever gets the values is not a part of the work.
    const outside = AsyncResource.bind((tell: () => void) => tell());
    let attempt: Attempt | undefined;
    const work = async (): Promise<void> => {
      // Also of an attempt that was cut short and goes on.
      attempt?.abandon();
      if (subscriber.closed) throw nobodyWaits();
      attempt = new Attempt(holdsAll, (value) => outside(() => subscriber.next(value)));
      return attempt.follow(make);
    };
    run(work).then(
      () => {
        attempt?.emitHeld();
        outside(() => subscriber.complete());
      },
      (error: unknown) => outside(() => subscriber.error(error)),
    );
    return () => attempt?.abandon();
  });
}

/** One run of the work; it holds back the last value, which would tell of a success that is not certain yet. */
class Attempt {
  readonly #inner = new Subscription();
  #held: unknown[] = [];
  #abandon: (error: Error) => void = () => undefined;

  constructor(
    private readonly holdsAll: boolean,
    private readonly emit: (value: unknown) => void,
  ) {}

  follow(make: () => Observable<unknown>): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#abandon = reject;
      const source = make();
      this.#inner.add(
        source.subscribe({
          next: (value) => {
            if (!this.holdsAll) this.emitHeld();
            this.#held.push(value);
          },
          error: reject,
          complete: resolve,
        }),
      );
    });
  }

  emitHeld(): void {
    const held = this.#held;
    this.#held = [];
    for (const value of held) this.emit(value);
  }

  /** Nobody waits any more. */
  abandon(): void {
    this.#inner.unsubscribe();
    this.#abandon(nobodyWaits());
  }
}

function nobodyWaits(): ScopeAbortedError {
  return new ScopeAbortedError('Nobody waits for this Observable any more; its work was rolled back.', {
    outcome: 'rolledBack',
  });
}
