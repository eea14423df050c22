/** Adapts an Observable to a unit of work's end: values leave when the ending allows it. */
import { EmptyError, Observable, type Subscriber, Subscription } from 'rxjs';
import { ScopeAbortedError, suppress } from '../errors.js';
import { currentContext, runWithScope } from '../scope/index.js';
import type { Ending } from '../session/index.js';
import { withoutCycles } from '../unit-of-work/index.js';
import { type Body, bodyOf } from './body.js';
import type { HttpResponse } from './http-response.js';
import type { LongTransactions } from './long-transactions.js';
import { statusOfError } from './status-of-error.js';
import { StreamedBody } from './streamed-body.js';

/**
 * When values leave. `afterCommit`: all of them at the end, for a response that is sent once. `holdLast`: each when the
 * next one comes, the last after the COMMIT, for replies that stream. `atOnce`: server-sent events.
 */
export const EMISSIONS = ['afterCommit', 'holdLast', 'atOnce'] as const;
export type Emission = (typeof EMISSIONS)[number];

export interface EndWith {
  readonly ending: Ending;
  readonly emission: Emission;
  /** Where the client will be told a status. */
  readonly response: HttpResponse | undefined;
  /**
   * Milliseconds that work which has not answered may go on when nobody waits for it any more; asked then. 0: not at all.
   */
  readonly unheardMs?: () => number;
  readonly warn: (message: string) => void;
  readonly report: (message: string) => void;
  readonly transactions: LongTransactions;
  /** Called when the work has ended, before anybody is told; with the error where there is one. */
  readonly ended: (error?: unknown) => void;
}

/** Subscribes to `source` inside the scope; the result completes, or fails, when the work has ended. */
export function endWith(source: () => Observable<unknown>, options: EndWith): Observable<unknown> {
  return new Observable((subscriber) => {
    const delivery = new Delivery(subscriber, options);
    delivery.begin(source);
    return delivery;
  });
}

/** What one subscriber is told, and when; it is told around the work, not in it: never in a scope that has ended. */
class Delivery {
  readonly #around = currentContext();
  readonly #inner = new Subscription();
  #held: unknown[] | undefined;
  #hasValue = false;
  #isOver = false;
  /** Runs when nobody waits any more, and the work goes on. */
  #unheard: NodeJS.Timeout | undefined;
  #look: (() => void) | undefined;

  constructor(
    private readonly subscriber: Subscriber<unknown>,
    private readonly options: EndWith,
  ) {}

  begin(source: () => Observable<unknown>): void {
    const { ending } = this.options;
    ending.onCutShort((error) => {
      this.#inner.unsubscribe();
      this.#fail(error);
    });
    runWithScope(ending.scope, 'inner', () => {
      try {
        this.#inner.add(source().subscribe(this));
      } catch (error) {
        this.error(error);
      }
    });
  }

  next(value: unknown): void {
    const { emission } = this.options;
    this.#hasValue = true;
    // What streams to nobody is not waited for; a single value is followed by its end at once.
    if (this.#unheard !== undefined) return queueMicrotask(() => this.#isOver || this.#abandon());
    if (emission === 'atOnce') this.#lookAtTransactions();
    if (emission === 'atOnce') return this.#outside(() => this.subscriber.next(value));
    if (emission === 'holdLast') this.#outside(() => this.#emitHeld());
    (this.#held ??= []).push(value);
    // A reply that streams keeps its pace; a single value still leaves after the COMMIT, for `complete` comes first.
    if (emission === 'holdLast') queueMicrotask(() => this.#isOver || this.#outside(() => this.#emitHeld()));
  }

  #lookAtTransactions(): void {
    const { ending, transactions } = this.options;
    this.#look ??= transactions.watch(ending.scope);
    this.#look();
  }

  error(error: unknown): void {
    this.#isOver = true;
    const { ending, response } = this.options;
    void ending
      .end({ kind: 'error', error, status: response && statusOfError(error) })
      .catch((later: unknown) => suppress(error, later))
      .then(() => this.#fail(error));
  }

  complete(): void {
    const { ending, emission, response } = this.options;
    // Nest answers 500 to a handler that gives no value at all: then nothing may be stored.
    if (emission === 'afterCommit' && !this.#hasValue) return this.error(new EmptyError());
    const body = emission === 'afterCommit' ? bodyOf(this.#held!.at(-1)) : undefined;
    if (body !== undefined) return this.#giveOut(body);
    this.#isOver = true;
    const isImmediate = !ending.hasBegun && !ending.scope.isUsed;
    const ended = ending.end({ kind: 'value', status: response?.statusCode });
    if (isImmediate) return this.#succeed();
    ended.then(
      () => this.#succeed(),
      (error: unknown) => this.#fail(error),
    );
  }

  /** What was done so far is committed before the body leaves; its pieces are made in the same unit of work. */
  #giveOut(body: Body): void {
    const { ending, response } = this.options;
    ending.endSoFar({ kind: 'value', status: body.status ?? response?.statusCode }).then(
      () => {
        if (this.subscriber.closed) return body.reader.stop();
        this.#held!.splice(-1, 1, body.with(new StreamedBody(body, this.options)));
        this.#succeed();
      },
      (error: unknown) => {
        body.reader.stop();
        this.error(error);
      },
    );
  }

  /** Nobody waits any more; what has ended before stays as it is. */
  unsubscribe(): void {
    if (this.#isOver) return;
    const { ending, unheardMs } = this.options;
    const timeoutMs = this.#hasValue ? 0 : (unheardMs?.() ?? 0);
    if (timeoutMs === 0) return this.#abandon();
    // A limit of its own: that of the scope begins with its session, and what never comes to an end may use none.
    const tooLate = (): void => void ending.cutShort(this.#abandoned());
    this.#unheard = setTimeout(tooLate, timeoutMs).unref();
  }

  #abandon(): void {
    this.#isOver = true;
    clearTimeout(this.#unheard);
    this.#inner.unsubscribe();
    const { ending, ended, warn } = this.options;
    const error = this.#abandoned();
    ended(error);
    ending.end({ kind: 'abandoned', error }).catch((later: unknown) => warn(String(later)));
  }

  #abandoned(): Error {
    return new ScopeAbortedError(
      `${this.options.ending.scope.label}: nobody waits for it any more (a timeout, or the client has gone); it was rolled back.`,
      { outcome: 'rolledBack' },
    );
  }

  #succeed(): void {
    this.#isOver = true;
    clearTimeout(this.#unheard);
    this.options.ended();
    this.#outside(() => {
      this.#emitHeld();
      this.subscriber.complete();
    });
  }

  #fail(error: unknown): void {
    this.#isOver = true;
    if (this.#unheard !== undefined) this.#failUnheard(error);
    this.options.ended(error);
    this.#outside(() => this.subscriber.error(error));
  }

  /** The client cannot be told, so the log is; not what the error says, which may hold anything. */
  #failUnheard(error: unknown): void {
    clearTimeout(this.#unheard);
    const { ending, warn } = this.options;
    const { name } = error instanceof Error ? error : { name: typeof error };
    const outcome = ending.scope.outcome ?? 'rolledBack';
    warn(`${ending.scope.label} failed (${name}) after its client had gone; outcome: ${outcome}.`);
  }

  #emitHeld(): void {
    const held = this.#held;
    this.#held = undefined;
    if (held !== undefined) for (const value of held) this.#emit(value);
  }

  /** Whoever gets it is to write it as JSON or as a plain object: neither can be done with a cycle. */
  #emit(value: unknown): void {
    // Where no session was used nothing was tracked, and nothing is looked at.
    if (!this.options.ending.scope.isUsed) return this.subscriber.next(value);
    let cut: unknown;
    try {
      cut = withoutCycles(value);
    } catch (error) {
      // A proxy of the application's own refuses to be looked at.
      return this.subscriber.error(error);
    }
    this.subscriber.next(cut);
  }

  #outside(tell: () => void): void {
    runWithScope(this.#around?.scope, this.#around?.role ?? 'outer', tell);
  }
}
