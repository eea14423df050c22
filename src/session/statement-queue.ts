/** One thing at a time, in the order asked: what uses a session's connection waits here for its turn. */

export class StatementQueue {
  /** Made when somebody waits: of the thousands of queues in a second, nearly none has anybody. */
  #waiting: (() => void)[] | undefined;
  #isBusy = false;

  get isIdle(): boolean {
    return !this.#isBusy;
  }

  /** Takes the turn at once, or promises it for when everything asked for before has left. */
  enter(): Promise<void> | undefined {
    if (this.#isBusy) return new Promise<void>((resolve) => (this.#waiting ??= []).push(resolve));
    this.#isBusy = true;
    return undefined;
  }

  /** Hands the turn over; the queue stays busy meanwhile, so that nobody can slip in between. */
  leave(): void {
    const next = this.#waiting?.shift();
    if (next === undefined) this.#isBusy = false;
    else next();
  }

  /** Runs `use` when everything asked for before it has ended. */
  async run<T>(use: () => Promise<T>): Promise<T> {
    const turn = this.enter();
    if (turn !== undefined) await turn;
    try {
      return await use();
    } finally {
      this.leave();
    }
  }

  /** Resolves when nothing runs and nothing waits; something asked for in between is waited for too. */
  async idle(): Promise<void> {
    // oxlint-disable-next-line no-await-in-loop
    while (this.#isBusy) await this.run(async () => undefined);
  }
}
