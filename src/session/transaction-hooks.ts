/** The hooks of a transaction: what the application wants to be called for before its COMMIT, and when it is decided. */
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
  depth: number;
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
  #registered: Registered[] = [];
  /** What was decided, and not told yet. */
  #decided: { readonly outcome: Outcome; readonly hooks: readonly Registered[] }[] = [];
  /** End the waits for hooks that run. */
  readonly #waits = new Set<(reason: unknown) => void>();

  constructor(private readonly transaction: { readonly label: string; readonly warn: Warn }) {}

  add(moment: HookMoment, call: Hook, depth: number): void {
    this.#registered.push({ moment, call, depth });
  }

  /** Calls those of this moment, and what they register in turn. What one throws is thrown: it prevents the COMMIT. */
  async beforeCommit(): Promise<void> {
    for (let round = 0; round < MOST_ROUNDS; round += 1) {
      const hooks = this.#take(({ moment }) => moment === 'beforeCommit');
      if (hooks.length === 0) return;
      // In the order of their registration. oxlint-disable-next-line no-await-in-loop
      for (const hook of hooks) await this.#run(hook, 'committed');
    }
    throw new IllegalStateChangeError(
      `Hooks of beforeCommit registered further ones ${MOST_ROUNDS} times in ${this.transaction.label}; it was rolled back.`,
    );
  }

  /** The savepoint number `number` is kept: what is behind it shares the fate of what is around it. */
  released(number: number): void {
    for (const hook of this.#registered) hook.depth = Math.min(hook.depth, number - 1);
  }

  /** The savepoint number `number` was undone, and what is behind it. */
  rolledBackTo(number: number): void {
    this.#decide('rolledBack', ({ depth }) => depth >= number);
  }

  /** The whole is over. */
  ended(outcome: Outcome): void {
    this.#decide(outcome, () => true);
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
  }

  /** The work is cut short: what a hook is doing now is not waited for any longer. */
  giveUp(reason: unknown): void {
    for (const end of this.#waits) end(reason);
  }

  async #run({ moment, call }: Registered, outcome: Outcome): Promise<void> {
    let end: (reason: unknown) => void = () => undefined;
    const givenUp = new Promise<never>((_, reject) => {
      end = (cause) =>
        reject(
          new ScopeAbortedError(
            `A hook of ${moment} of ${this.transaction.label} was still running when the time for its end was over, and was ` +
              'not waited for any longer.',
            { cause, outcome: moment === 'beforeCommit' ? 'rolledBack' : outcome },
          ),
        );
    });
    this.#waits.add(end);
    try {
      await Promise.race([call(outcome), givenUp]);
    } finally {
      this.#waits.delete(end);
    }
  }

  async #call(hook: Registered, outcome: Outcome): Promise<void> {
    try {
      await this.#run(hook, outcome);
    } catch (error) {
      const { label, warn } = this.transaction;
      warn(
        `${label}: a hook of ${hook.moment} failed; the transaction is ${outcome} all the same: ${String(error)}`,
      );
    }
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
