/** What a session was asked for and nobody may be waiting for any more; the end of the unit of work waits instead. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { noteFailure } from './retryable.js';

export class PendingWork {
  readonly #promised = new Set<Promise<unknown>>();
  readonly #inProgress = new Set<Promise<unknown>>();
  #isSettling = false;
  #failedUnseen: { readonly error: unknown } | undefined;

  /** The first statement that failed while the end was waiting for it. */
  get failedUnseen(): { readonly error: unknown } | undefined {
    return this.#failedUnseen;
  }

  get isEmpty(): boolean {
    return this.#inProgress.size === 0;
  }

  /**
   * Runs what a public method returns a promise of. Its caller waits for it, unless the unit of work is ending: then the
   * end tells of its failure, and Node need not.
   *
   * @param isEnding - it is a part of the end, which waits for whoever asks
   */
  promised<T>(work: () => Promise<T>, isEnding = false): Promise<T> {
    if (isEnding) return work();
    const promise = work().finally(() => this.#promised.delete(promise));
    if (this.#isSettling) promise.catch(() => undefined);
    else this.#promised.add(promise);
    return promise;
  }

  /** Keeps the end waiting for `done`. */
  waitFor(done: Promise<unknown>): void {
    this.#inProgress.add(done);
    const forget = (): void => void this.#inProgress.delete(done);
    done.then(forget, forget);
  }

  failed(error: unknown, isEnding = false): void {
    noteFailure(error);
    if (this.#isSettling && !isEnding) this.#failedUnseen ??= { error };
  }

  /** From now on the end waits, and tells of what fails. */
  settle(): void {
    this.#isSettling = true;
    for (const promise of this.#promised) promise.catch(() => undefined);
  }

  /** The work goes on after a part of it was ended: who asks waits again. */
  goOn(): void {
    this.#isSettling = false;
    this.#failedUnseen = undefined;
  }

  /** Resolves when everything that was asked for, and what that asked for in turn, has been answered. */
  async settled(queue: { readonly isIdle: boolean; idle(): Promise<void> }): Promise<void> {
    while (!queue.isIdle || !this.isEmpty) {
      // oxlint-disable-next-line no-await-in-loop
      await Promise.allSettled([queue.idle(), ...this.#inProgress]);
      // Code that was not awaited goes on now, and may ask for more. oxlint-disable-next-line no-await-in-loop
      await nextTurn();
    }
  }
}
