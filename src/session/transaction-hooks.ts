/** The hooks of a transaction: what the application wants to be called for before its COMMIT, and when it is decided. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { IllegalStateChangeError, type Outcome, ScopeAbortedError } from '../errors.js';
import type { Warn } from './session-options.js';

/** What is called, with what became of the transaction where it wants to know. */
export type Hook = (outcome: Outcome) => Promise<void> | void;

/** When hooks are called. */
export type HookMoment = 'beforeCommit' | 'afterCommit' | 'afterRollback' | 'afterCompletion';

interface Registered {
  readonly moment: HookMoment;
  readonly call: Hook;
  /** The number of the savepoint that it was registered behind; 0 is the whole. */
  readonly depth: number;
}

/** Each outcome's hooks, in the order in which they are called. */
const CALLED: Readonly<Record<Outcome, readonly HookMoment[]>> = {
  committed: ['afterCommit', 'afterCompletion'],
  rolledBack: ['afterRollback', 'afterCompletion'],
  unknown: ['afterCompletion'],
};

/** A hook that registers itself again would go on for ever. */
const MOST_ROUNDS = 100;

export class TransactionHooks {
  #registered: readonly Registered[] = [];
  /** What was decided, and not told yet. */
  #decided: { readonly outcome: Outcome; readonly hooks: readonly Registered[] }[] = [];

  #limit: NodeJS.Timeout | undefined;
  #letGo = new Signal();

  constructor(private readonly transaction: { readonly label: string; readonly warn: Warn }) {}

  add(moment: HookMoment, call: Hook, depth: number): void {
    this.#registered = [...this.#registered, { moment, call, depth }];
  }

  /** Calls those of this moment, and what they register in turn. What one throws is thrown: it prevents the COMMIT. */
  async beforeCommit(): Promise<void> {
    for (let round = 0; round < MOST_ROUNDS; round += 1) {
      const hooks = this.#take(({ moment }) => moment === 'beforeCommit');
      if (hooks.length === 0) return;
      // In the order of their registration. oxlint-disable-next-line no-await-in-loop
      for (const hook of hooks) await this.#ask(hook);
    }
    throw new IllegalStateChangeError(
      `Hooks of beforeCommit registered further ones ${MOST_ROUNDS} times in ${this.transaction.label}; it was rolled back.`,
    );
  }

  async #ask({ moment, call }: Registered): Promise<void> {
    const tooLate = this.#letGo.sent.then(() => {
      throw new ScopeAbortedError(
        `${this.transaction.label}: a hook of ${moment} had not ended when the unit of work was cut short; it was rolled back.`,
        { outcome: 'rolledBack' },
      );
    });
    await Promise.race([call('committed'), tooLate]);
  }

  /** The savepoint number `number` is kept: what is behind it shares the fate of what is around it. */
  released(number: number): void {
    this.#registered = this.#registered.map((one) =>
      one.depth < number ? one : { ...one, depth: number - 1 },
    );
  }

  /** The savepoint number `number` was undone, and what is behind it. */
  rolledBackTo(number: number): void {
    this.#decide('rolledBack', ({ depth }) => depth >= number);
  }

  /** The whole is over. */
  ended(outcome: Outcome): void {
    this.#decide(outcome, () => true);
  }

  /** Hooks that are told later than this are called all the same, and not waited for. */
  limit(timeoutMs: number): void {
    clearTimeout(this.#limit);
    this.#limit = setTimeout(() => this.#letGo.send(), timeoutMs);
  }

  /** Calls whoever waited for what was decided, one after the other; what they throw can change nothing and is reported. */
  async tell(): Promise<void> {
    const decided = this.#decided;
    this.#decided = [];
    for (const { outcome, hooks } of decided) {
      for (const moment of CALLED[outcome]) {
        const called = hooks.filter((hook) => hook.moment === moment);
        // oxlint-disable-next-line no-await-in-loop
        for (const hook of called) await this.#call(hook, outcome);
      }
    }
    clearTimeout(this.#limit);
    // What waited for the last one waits no longer.
    if (decided.length > 0) this.#letGo = new Signal();
  }

  async #call({ moment, call }: Registered, outcome: Outcome): Promise<void> {
    const { label, warn } = this.transaction;
    const what = `${label}: a hook of ${moment}`;
    let isOver = false;
    const called = (async () => call(outcome))()
      .catch((error: unknown) =>
        warn(`${what} failed; the transaction is ${outcome} all the same: ${String(error)}`),
      )
      .then(() => (isOver = true));
    // One that does not wait for anything is not told of, however late it is.
    await Promise.race([called, this.#letGo.sent.then(() => nextTurn())]);
    if (!isOver) warn(`${what} is not waited for any longer, for the unit of work was cut short.`);
  }

  #decide(outcome: Outcome, isConcerned: (hook: Registered) => boolean): void {
    const hooks = this.#take(isConcerned);
    if (hooks.length > 0) this.#decided.push({ outcome, hooks });
  }

  #take(isTaken: (hook: Registered) => boolean): readonly Registered[] {
    const taken = this.#registered.filter((hook) => isTaken(hook));
    if (taken.length > 0) this.#registered = this.#registered.filter((hook) => !isTaken(hook));
    return taken;
  }
}

class Signal {
  send!: () => void;
  readonly sent = new Promise<void>((resolve) => (this.send = resolve));
}
