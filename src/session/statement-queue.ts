/** One thing at a time, in the order asked: what uses a session's connection waits here for its turn. */

export class StatementQueue {
  readonly #waiting: (() => void)[] = [];
  #isBusy = false;

  get isIdle(): boolean {
    return !this.#isBusy;
  }

  /** Runs `use` when everything asked for before it has ended. */
  async run<T>(use: () => Promise<T>): Promise<T> {
    if (this.#isBusy) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.#isBusy = true;
    try {
      return await use();
    } finally {
      // The turn is handed over while the queue stays busy, so that nobody can slip in between.
      const next = this.#waiting.shift();
      if (next === undefined) this.#isBusy = false;
      else next();
    }
  }

  /** Resolves when nothing runs and nothing waits; something asked for in between is waited for too. */
  async idle(): Promise<void> {
    // oxlint-disable-next-line no-await-in-loop
    while (this.#isBusy) await this.run(async () => undefined);
  }
}
