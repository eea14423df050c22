/** Clients of the bank: each asks for one transfer after the other, and writes down what it was told. */
import { randomUUID } from 'node:crypto';
import type { Transfer } from './bank-application.js';
import { ACCOUNTS, type Books, type Told } from './books.js';
import { SeededRandom } from './seeded-random.js';
import { signal } from './wait-until.js';

/** No request may take as long: the application's own deadlines are far below. */
const ANSWER_TIMEOUT_MS = 10_000;
const ABORTED_SHARE = 0.03;
const MOST_MS_BEFORE_ABORT = 30;

export class BankClients {
  /** Requests whose client went away before the answer came. */
  aborted = 0;
  longestMs = 0;
  oks = 0;
  #isOver = false;
  #open = Promise.resolve();
  readonly #running: Promise<unknown>;

  constructor(
    private readonly url: string,
    private readonly books: Books,
    { count, seed }: { readonly count: number; readonly seed: number },
  ) {
    this.#running = Promise.all(
      Array.from({ length: count }, (_, number) => this.#run(new SeededRandom(seed + number))),
    );
    // It is awaited at the end; what fails before that is not unhandled.
    this.#running.catch(() => undefined);
  }

  /** Nobody asks for anything until `during` is over. */
  async rest(during: () => Promise<void>): Promise<void> {
    const over = signal();
    this.#open = over.promise;
    await during();
    over.resolve();
  }

  /** Resolves when all have their answers; rejects where one had none in time. */
  async stop(): Promise<void> {
    this.#isOver = true;
    await this.#running;
  }

  /** One more, of somebody who waits for the answer. */
  async transfer(random: SeededRandom): Promise<Told> {
    return this.#ask(aTransfer(random), AbortSignal.timeout(ANSWER_TIMEOUT_MS));
  }

  async #run(random: SeededRandom): Promise<void> {
    while (!this.#isOver) {
      await this.#open;
      if (random.chance(ABORTED_SHARE)) await this.#askAndLeave(random);
      else await this.transfer(random);
    }
  }

  async #askAndLeave(random: SeededRandom): Promise<void> {
    const leave = AbortSignal.timeout(random.between(1, MOST_MS_BEFORE_ABORT));
    await this.#ask(aTransfer(random), leave).catch((error: unknown) => {
      if (!leave.aborted) throw error;
      this.aborted += 1;
    });
  }

  async #ask(transfer: Transfer, signal: AbortSignal): Promise<Told> {
    // Before it is sent: whoever is never answered is in the books too.
    this.books.write(transfer.request, 'nothing');
    const begun = performance.now();
    const answer = await fetch(`${this.url}/transfers`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(transfer),
      signal,
    });
    const body = (await answer.json()) as { outcome?: Told };
    const outcome = answer.ok ? 'ok' : body.outcome!;
    this.books.write(transfer.request, outcome);
    this.longestMs = Math.max(this.longestMs, performance.now() - begun);
    if (answer.ok) this.oks += 1;
    return outcome;
  }
}

function aTransfer(random: SeededRandom): Transfer {
  const [from, to] = random.shuffled(Array.from({ length: ACCOUNTS }, (_, id) => id));
  return { request: randomUUID(), from: from!, to: to!, byHand: random.chance(0.3) };
}
