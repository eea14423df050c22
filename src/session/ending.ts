/** How a unit of work ends: what decides between COMMIT and ROLLBACK, and in which order things happen. */
import { ScopedSessionError, suppress } from '../errors.js';
import { runWithScope, type Scope } from '../scope/index.js';
import { commitAll } from './commit-all.js';
import { commitSoFar } from './commit-so-far.js';
import { cutShort, settleAll, stop, whatIsKnown } from './end-of-transaction.js';
import { type CommitMode, optionsOf } from './scope-options.js';
import { type Completion, decide, type RollbackOn } from './completion.js';
import { type SessionSource, UNWATCHED, type Watch } from './ending-watch.js';
import type { Warn } from './session-options.js';
import { endTimeout, scopeTimeout } from './scope-timeouts.js';
import { ownTransactionsOf } from './together.js';
import type { Transaction } from './transaction.js';
import { warnOfDropped } from './unstored-work.js';

export interface EndingOptions {
  readonly commit: CommitMode;
  /** Milliseconds that the end waits for statements which the work did not wait for. */
  readonly settleTimeoutMs: number;
  readonly rollbackOn?: RollbackOn | undefined;
  readonly warn: Warn;
  /** The same of what every unit of work of a handler does. */
  readonly warnOnce?: Warn;
}

/** Knows the units of work that have not ended yet. */
export type EndingWatch = Watch<Ending>;

export class Ending {
  #ending: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #timeoutMs: number | undefined;
  /** Streams are not limited, but their end is. */
  #endTimeoutMs: number | undefined;
  readonly #leave: () => void;
  /** What is still given out of the work, once its handler has returned. */
  body: { stop(): void } | undefined;
  #isClaimed = false;
  #tellWaiter: (error: Error) => void = () => undefined;
  /** What is being committed or rolled back now. */
  #underWay: readonly Transaction[] = [];

  constructor(
    readonly scope: Scope,
    private readonly sources: readonly SessionSource[],
    private readonly options: EndingOptions,
    private readonly watch: EndingWatch = UNWATCHED,
  ) {
    this.#leave = watch.begun(this);
  }

  get hasBegun(): boolean {
    return this.#ending !== undefined;
  }

  /** True for the first that asks: it ends the work, everybody inside only takes part in it. */
  claim(): boolean {
    if (this.#isClaimed) return false;
    return (this.#isClaimed = true);
  }

  get isClaimed(): boolean {
    return this.#isClaimed;
  }

  /**
   * Ends the unit of work, once: later calls wait for the first. Without a session there is nothing to wait for.
   *
   * @throws what the commit throws; nothing for work that failed by itself, whose error the caller has
   */
  end(completion: Completion): Promise<void> {
    if (this.#ending !== undefined) return this.#ending;
    if (this.scope.isUsed) {
      // Inside the scope, so that subscribers and registries find their session.
      return (this.#ending = runWithScope(this.scope, 'inner', () => this.#end(completion)));
    }
    // Nothing to undo, but code that outlives a failure must not do by itself what was told to have failed.
    if (completion.kind !== 'value' || (completion.status ?? 0) >= 400) this.scope.outcome = 'rolledBack';
    this.#leave();
    this.watch.ended();
    return (this.#ending = this.scope.close());
  }

  /**
   * The work has an answer that is given out while it goes on: what was done so far is ended as it would be at the end, and
   * what is done from now on is not limited in time. Where the end has begun already nothing happens.
   */
  async endSoFar(completion: Completion): Promise<void> {
    if (this.hasBegun) return;
    if (this.scope.isUsed) await runWithScope(this.scope, 'inner', () => this.#endSoFar(completion));
    this.limit(Infinity);
  }

  async #endSoFar(completion: Completion): Promise<void> {
    // It is for the application to commit, in what is given out too.
    if (this.#commitMode === 'manual') return;
    const { settleTimeoutMs } = this.options;
    const { storesByItself: stores = true } = optionsOf(this.scope);
    const outcome = this.#decide(completion);
    try {
      await commitSoFar(() => this.#transactions, { outcome, settleTimeoutMs, stores });
    } catch (error) {
      this.scope.endedBy ??= error;
      throw error;
    }
  }

  get #commitMode(): CommitMode {
    return optionsOf(this.scope).commit ?? this.options.commit;
  }

  #decide(completion: Completion): 'commit' | 'rollback' {
    return decide(completion, { commit: this.#commitMode, rollbackOn: this.options.rollbackOn });
  }

  /**
   * Limits the work from the moment it uses a session; work that uses none holds nothing up. A later call wins,
   * and `Infinity` takes the limit away.
   */
  limit(timeoutMs: number): void {
    if (timeoutMs !== Infinity) this.#endTimeoutMs = timeoutMs;
    const isFirst = this.#timeoutMs === undefined;
    this.#timeoutMs = timeoutMs;
    if (isFirst) this.scope.whenUsed(() => this.#startTimer());
    else if (this.scope.isUsed) this.#startTimer();
  }

  #startTimer(): void {
    clearTimeout(this.#timer);
    const { label, openedAt } = this.scope;
    const timeoutMs = this.#timeoutMs!;
    if (timeoutMs === Infinity) return;
    const leftMs = Math.max(0, timeoutMs - (performance.now() - openedAt));
    const error = (): Error => (this.hasBegun ? endTimeout : scopeTimeout)(label, timeoutMs);
    this.#timer = setTimeout(() => void this.cutShort(error()), leftMs);
  }

  /** Calls `tell` when the work is cut short: it will not come to its own end, or nobody will wait for it. */
  onCutShort(tell: (error: Error) => void): void {
    this.#tellWaiter = tell;
  }

  /**
   * Ends the work here and now, from outside: its connection is closed, its waiter is told. Where the end has begun already,
   * and the database does not answer, it is not waited for any longer.
   */
  async cutShort(error: Error): Promise<void> {
    if (this.#ending !== undefined) {
      for (const transaction of this.#underWay) {
        cutShort(transaction, error);
        // Whoever was about to send its COMMIT must not take the next connection for it.
        transaction.spoilt({ state: 'gone', reason: 'its connection was closed', error });
      }
      // Its failure is its first caller's.
      return this.#ending.catch(() => undefined);
    }
    const transactions = runWithScope(this.scope, 'inner', () => this.#transactions);
    const known = whatIsKnown(error, transactions);
    this.scope.endedBy = known;
    const ended = this.end({ kind: 'aborted', error });
    if (known !== error) this.scope.outcome = 'unknown';
    this.#tellWaiter(known);
    await ended.catch((later: unknown) => suppress(known, later));
  }

  /** Of the sessions that were used; asked inside the scope, as registries are. */
  get #transactions(): Transaction[] {
    return this.sources
      .filter(({ registry }) => registry.has())
      .flatMap(({ registry }) => ownTransactionsOf(registry.get()));
  }

  async #end(completion: Completion): Promise<void> {
    this.#limitEnd();
    const transactions = this.#transactions;
    this.#underWay = transactions;
    this.scope.outcome = 'rolledBack';
    try {
      if (completion.kind === 'aborted') transactions.forEach((one) => cutShort(one, completion.error));
      else await this.#finish(transactions, completion);
    } catch (error) {
      if (error instanceof ScopedSessionError && error.outcome === 'unknown') this.scope.outcome = 'unknown';
      this.scope.endedBy ??= error;
      throw error;
    } finally {
      // Rolls back whatever is still open, whoever opened it.
      try {
        await this.scope.close();
      } finally {
        clearTimeout(this.#timer);
        this.#underWay = [];
        this.#leave();
        this.watch.ended();
      }
    }
  }

  /** A database that does not answer must not keep the end waiting: it has the time that is left, or some for itself. */
  #limitEnd(): void {
    const timeoutMs = this.#endTimeoutMs;
    if (timeoutMs === undefined) return;
    const { label, openedAt } = this.scope;
    const { settleTimeoutMs } = this.options;
    const isLimited = this.#timeoutMs !== Infinity;
    // The timer that runs already will do.
    if (isLimited && timeoutMs - (performance.now() - openedAt) >= settleTimeoutMs) return;
    const leftMs = isLimited ? settleTimeoutMs : timeoutMs;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.cutShort(endTimeout(label, leftMs)), leftMs);
  }

  /** Of what was used until now; what hooks use is a part of it. */
  #seal(): readonly Transaction[] {
    this.#underWay = this.#transactions;
    for (const { state } of this.#underWay) state.seal();
    return this.#underWay;
  }

  async #finish(transactions: readonly Transaction[], completion: Completion): Promise<void> {
    const isCommit = this.#decide(completion) === 'commit';
    // Nobody has caught it, and what it means for the whole was decided.
    if (isCommit && completion.kind === 'error')
      transactions.forEach((one) => one.state.forgive(completion.error));
    // What is undone anyway is not waited for longer than what is on its way already.
    if (!isCommit) this.#seal();
    const { settleTimeoutMs } = this.options;
    if (isCommit || completion.kind === 'value') await settleAll(transactions, settleTimeoutMs);
    else await Promise.all(transactions.map((one) => stop(one, completion, settleTimeoutMs)));
    if (!isCommit) {
      if (this.#commitMode === 'manual' && completion.kind === 'value')
        warnOfDropped(transactions, this.options.warn);
      return;
    }
    const { storesByItself: stores = true } = optionsOf(this.scope);
    await commitAll(() => this.#seal(), {
      stores,
      warn: this.options.warnOnce ?? this.options.warn,
      committed: () => (this.scope.outcome = 'committed'),
    });
  }
}
