/** A scope is one unit of work's place: what registries keep for it, and what must be undone at its end. */
import { randomUUID } from 'node:crypto';
import type { Outcome } from '../errors.js';

/** Undoes, at the end of a scope, what was begun in it. */
type Undo = () => Promise<void> | void;

/** Settings of one scope. */
export interface ScopeSettings {
  /** What errors and logs call it, such as `GET /transfers`; a function is asked only when somebody wants to know. */
  readonly label?: string | (() => string);
  /** Who opened it (one application of several in the process); nobody else ends it. */
  readonly owner?: object;
  /** The unit of work that this one was begun inside. */
  readonly parent?: Scope | undefined;
}

/**
 * One unit of work (a request, a message, a job, a test): a session lives exactly as long as its scope.
 *
 * @example
 * ```ts
 * import { currentScope, runInScope } from 'nestjs-scoped-session';
 * await runInScope(async () => console.log(currentScope()?.id));
 * ```
 */
export class Scope {
  readonly owner: object | undefined;
  /** The unit of work that this one was begun inside, and that may be waiting for it. */
  readonly parent: Scope | undefined;
  /** Milliseconds of the monotonic clock at which the scope was opened. */
  readonly openedAt = performance.now();
  /** How the work ended, once that is decided. */
  outcome: Outcome | undefined;
  /** What the room that opened it has set for it; kept here so that it lives as long. */
  settings: object | undefined;
  /** Whom the work is done for, once that is told, and for how long its writes are remembered. @internal */
  client: { readonly key: string; readonly forMs: number } | undefined;
  /** Why the work was cut short, or could not be committed, when that was so. */
  endedBy: unknown;
  /** COMMITs that were sent in it and not refused, so that something of it may be stored. @internal */
  commits = 0;
  #label: ScopeSettings['label'];
  #id: string | undefined;
  #entries: Map<object, unknown> | undefined;
  #atEnd: Map<object, Undo> | undefined;
  #whenUsed: (() => void) | undefined;
  #closing: Promise<void> | undefined;
  #isOpen = true;

  constructor(settings: ScopeSettings = {}) {
    this.#label = settings.label;
    this.owner = settings.owner;
    this.parent = settings.parent;
  }

  /** A random identifier, never taken from a client. */
  get id(): string {
    return (this.#id ??= randomUUID());
  }

  get label(): string {
    const label = typeof this.#label === 'function' ? this.#label() : this.#label;
    return label ?? `scope ${this.id}`;
  }

  /** Gives the scope a better name, once one is known. @internal */
  rename(label: string | (() => string)): void {
    this.#label = label;
  }

  /** False as soon as the scope's end has begun to tear it down. */
  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** True when something was kept here, so that the end has something to do. */
  get isUsed(): boolean {
    return this.#atEnd !== undefined;
  }

  /** What registries keep for this scope, by registry. */
  get entries(): Map<object, unknown> {
    return (this.#entries ??= new Map());
  }

  /**
   * Calls `undo` when the scope ends, last registered first; it is awaited.
   *
   * @param what - what is undone, for `cancel`
   * @internal
   */
  atEnd(undo: Undo, what: object = undo): void {
    if (this.#atEnd === undefined) {
      this.#atEnd = new Map();
      this.#whenUsed?.();
    }
    this.#atEnd.set(what, undo);
  }

  /** Forgets what `atEnd` was told: it was undone by hand. @internal */
  cancel(what: object): void {
    this.#atEnd?.delete(what);
  }

  /** Calls `then` when the scope is first used; at once when it is. @internal */
  whenUsed(then: () => void): void {
    if (this.isUsed) then();
    else this.#whenUsed = then;
  }

  /** Ends the scope: nothing new is kept, everything registered is undone, whatever fails. Later calls join the first. @internal */
  close(): Promise<void> {
    if (this.#closing !== undefined) return this.#closing;
    this.#isOpen = false;
    if (this.#atEnd !== undefined) {
      // Who undoes what was begun and says nothing else has rolled it back.
      this.outcome ??= 'rolledBack';
      return (this.#closing = this.#tearDown(this.#atEnd));
    }
    this.#entries?.clear();
    return (this.#closing = Promise.resolve());
  }

  async #tearDown(undoing: Map<object, Undo>): Promise<void> {
    const errors: unknown[] = [];
    for (let last = lastOf(undoing); last !== undefined; last = lastOf(undoing)) {
      const [what, undo] = last;
      undoing.delete(what);
      try {
        // One after the other: what was registered later may build on what was registered before.
        await undo(); // oxlint-disable-line no-await-in-loop
      } catch (error) {
        errors.push(error);
      }
    }
    this.#entries?.clear();
    if (errors.length === 1) throw errors[0];
    if (errors.length > 1)
      throw new AggregateError(errors, `${this.label}: ${errors.length} errors at its end`);
  }
}

function lastOf(undoing: ReadonlyMap<object, Undo>): [object, Undo] | undefined {
  return undoing.size < 2 ? undoing.entries().next().value : [...undoing].at(-1);
}
