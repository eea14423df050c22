/** The gate of a SQLite database: one holder at a time, first come, first served. */

interface Waiter {
  readonly admit: () => void;
}

export class SqliteGate {
  readonly #waiting: Waiter[] = [];
  #owner: object | undefined;

  /** Whoever is inside: a unit of work, or a plain query runner. */
  get owner(): object | undefined {
    return this.#owner;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  /** Waits its turn; the function returned lets the next one in, once. */
  async enter(owner: object): Promise<() => void> {
    if (this.#owner === undefined) this.#owner = owner;
    else {
      await new Promise<void>((resolve) => {
        this.#waiting.push({
          admit: () => {
            this.#owner = owner;
            resolve();
          },
        });
      });
    }
    let isInside = true;
    return () => {
      if (!isInside) return;
      isInside = false;
      this.#owner = undefined;
      this.#waiting.shift()?.admit();
    };
  }
}
