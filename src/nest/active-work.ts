/** The units of work of one application that have not ended yet; the shutdown waits for them. */
import { type BeforeApplicationShutdown, Inject, Injectable, Logger } from '@nestjs/common';
import { LinkedList, withDeadline } from '../engine/index.js';
import { DrainingError, ScopeAbortedError } from '../errors.js';
import type { Scope } from '../scope/index.js';
import { Ending, type EndingOptions, type ScopedSession, type WorkHost } from '../session/index.js';
import { Databases, type UnitOfWorkSettings } from './databases.js';

/** Work that waits for its turn, and that no unit of work is open for yet. */
export interface WaitingWork {
  readonly isIdle: boolean;
  idle(): Promise<void>;
  /** From now on only work that is waited for may add to it. */
  drain(): void;
  /** It is not begun any more. Returns what it is called. */
  stop(error: Error): readonly string[];
}

const NONE_WAITING: WaitingWork = {
  isIdle: true,
  idle: () => Promise.resolve(),
  drain: () => undefined,
  stop: () => [],
};

@Injectable()
export class ActiveWork implements WorkHost, BeforeApplicationShutdown {
  readonly #active = new LinkedList<Ending>();
  /** Each application has its own: one may be mounted in another. A weak map would cost each request a garbage collection's work. */
  readonly #key = Symbol('unit of work');
  readonly #logger = new Logger('ScopedSessionModule');
  #isDraining = false;
  readonly #warned = new Set<string>();
  #optionsOf: UnitOfWorkSettings | undefined;
  #cached: EndingOptions | undefined;
  #whenEmpty: () => void = () => undefined;
  #waiting = NONE_WAITING;

  constructor(@Inject(Databases) private readonly databases: Databases) {}

  get owner(): Databases {
    return this.databases;
  }

  get sources(): readonly ScopedSession[] {
    return this.databases.scoped;
  }

  /** How many units of work have not ended. */
  get count(): number {
    return this.#active.size;
  }

  /** True as soon as the application shuts down. */
  get isDraining(): boolean {
    return this.#isDraining;
  }

  /** The unit of work of a scope that was opened for it; refused while the application shuts down. */
  open(scope: Scope): Ending {
    if (this.#isDraining) {
      throw new DrainingError(
        `${scope.label} was not begun: the application is shutting down. Try again elsewhere.`,
      );
    }
    return new Ending(scope, this.databases.scoped, this.#options, this);
  }

  /** Remembers which unit of work a raw HTTP request has. */
  ofRequest(request: object): Ending | undefined {
    return (request as Record<symbol, Ending | undefined>)[this.#key];
  }

  setOfRequest(request: object, ending: Ending): void {
    (request as Record<symbol, Ending | undefined>)[this.#key] = ending;
  }

  alsoWaitFor(waiting: WaitingWork): void {
    this.#waiting = waiting;
  }

  /** The unit of work that has this scope, while it has not ended; looked for, since few ask. */
  ofScope(scope: Scope): Ending | undefined {
    for (const ending of this.#active) if (ending.scope === scope) return ending;
    return undefined;
  }

  begun(ending: Ending): () => void {
    return this.#active.add(ending);
  }

  ended(): void {
    if (this.#active.size === 0) this.#whenEmpty();
  }

  /** Made once for each state of the settings, which change only while the application is set up. */
  get #options(): EndingOptions {
    const { settings } = this.databases;
    if (this.#optionsOf !== settings) {
      const { commit, settleTimeoutMs, rollbackOn } = settings;
      this.#optionsOf = settings;
      this.#cached = { commit, settleTimeoutMs, rollbackOn, warn: this.warn, warnOnce: this.warnOnce };
    }
    return this.#cached!;
  }

  readonly warn = (message: string): void => this.#logger.warn(message);

  readonly report = (message: string): void => this.#logger.error(message);

  /** For what a handler does at every request: it names the handler, so that there are not many. */
  readonly warnOnce = (message: string): void => {
    if (this.#warned.has(message)) return;
    this.#warned.add(message);
    this.warn(message);
  };

  /** Here and not later: the order of the hooks that destroy DataSources depends on the order of imports. */
  beforeApplicationShutdown(): Promise<void> {
    return this.drain();
  }

  /** Begins nothing new, and waits for what runs, up to `drainTimeoutMs`. */
  async drain(): Promise<void> {
    this.#isDraining = true;
    this.#waiting.drain();
    if (!this.#isIdle) await this.#drain();
    this.#waiting.stop(new DrainingError('The application has shut down.'));
  }

  get #isIdle(): boolean {
    return this.#active.size === 0 && this.#waiting.isIdle;
  }

  async #drain(): Promise<void> {
    const { drainTimeoutMs } = this.databases.settings;
    const tooLate = (): Error =>
      new ScopeAbortedError(
        `The application shut down, and did not wait for this unit of work longer than ${drainTimeoutMs} ms ` +
          '(drainTimeoutMs); it was rolled back.',
        { outcome: 'rolledBack' },
      );
    const idle = this.#whenIdle();
    await withDeadline(idle, drainTimeoutMs, tooLate, () => undefined).catch(async (error: Error) => {
      const labels = [...this.#active].map(({ scope }) => scope.label);
      const waiting = this.#waiting.stop(error);
      if (labels.length > 0)
        this.warn(`${labels.length} unit(s) of work were cut short: ${labels.join(', ')}.`);
      if (waiting.length > 0) this.warn(`${waiting.length} task(s) were not begun: ${waiting.join(', ')}.`);
      await Promise.all([...this.#active].map((ending) => ending.cutShort(error)));
      await this.#waiting.idle();
    });
  }

  /** One may begin the other, and is over before it. */
  async #whenIdle(): Promise<void> {
    while (!this.#isIdle) {
      // Two may drain at the same time.
      const other = this.#whenEmpty;
      const empty = new Promise<void>((resolve) => {
        this.#whenEmpty = () => {
          other();
          resolve();
        };
      });
      // oxlint-disable-next-line no-await-in-loop
      await Promise.all([this.#active.size > 0 ? empty : undefined, this.#waiting.idle()]);
    }
  }
}
