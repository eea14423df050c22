/** Where a scoped session keeps its sessions: in scopes, which end them, or under keys of the application's own. */
import { IllegalStateChangeError, suppress } from '../errors.js';
import {
  AsyncLocalRegistry,
  currentScope,
  type Registry,
  runWithScope,
  Scope,
  ScopedRegistry,
} from '../scope/index.js';
import { endTransaction } from './end-of-transaction.js';
import { Ending, type EndingWatch, type SessionSource } from './ending.js';
import type { Counted } from './retry.js';
import { CLIENT_FOR_MS, configureScope, optionsOf, type ScopeOptions } from './scope-options.js';
import type { SessionFactory } from './session-factory.js';
import type { SessionOptions } from './session-options.js';
import { commitsOf, type SessionBase } from './session.js';
import { startedTransactionOf } from './session-core.js';
import type { Transaction } from './transaction.js';

export type Work<T> = (session: SessionBase) => Promise<T> | T;

/** What `run` sets for its unit of work. */
export interface WorkOptions extends Omit<ScopeOptions, 'commit' | 'repositories'> {
  readonly label: string;
  /** Whom it is done for. */
  readonly client?: string | undefined;
  /** Is told where the unit's COMMITs are counted. */
  readonly counted?: Counted | undefined;
}

export interface SessionPlace {
  readonly registry: Registry<SessionBase>;
  create(options?: SessionOptions): SessionBase;
  /** The session was taken out of the registry by hand, and closed. */
  removed(session: SessionBase): void;
  /** Runs `work` as a unit of work: commits, or rolls back. */
  run<T>(work: Work<T>, options: WorkOptions): Promise<T>;
  /** The same, whatever unit of work is around. */
  independently<T>(work: Work<T>, options: WorkOptions): Promise<T>;
  /** The session that `scope` has. */
  sessionOf(scope: Scope): SessionBase | undefined;
  /** Whether the running code is in a unit of work, also in one that has ended. */
  isInside(): boolean;
  /** Runs `work` outside of every unit of work. */
  outside<T>(work: () => Promise<T> | T): Promise<T>;
}

/** The application that units of work belong to: they end for all its databases together. */
export interface WorkHost extends EndingWatch {
  /** Whose scopes they are. */
  readonly owner: object;
  /** In the order of their commits. */
  readonly sources: readonly SessionSource[];
}

/** One session per scope; the end of the scope is the end of the session. */
export class SessionsOfScopes implements SessionPlace {
  readonly registry = new AsyncLocalRegistry(() => this.create());
  constructor(
    private readonly factory: SessionFactory,
    private readonly host?: WorkHost,
  ) {}

  create(options?: SessionOptions): SessionBase {
    const scope = currentScope();
    const { refusal } = optionsOf(scope);
    if (refusal !== undefined) throw refusal;
    if (scope === undefined) return this.factory.create(options);
    const enlist = (transaction: Transaction): void => {
      scope.atEnd(() => endTransaction(transaction), transaction);
    };
    return this.factory.createIn(scope, enlist, options);
  }

  removed(session: SessionBase): void {
    const transaction = startedTransactionOf(session);
    const scope = transaction?.settings.scope;
    if (transaction === undefined || scope === undefined) return;
    scope.cancel(transaction);
    // Nobody ends it any more but whoever still holds it.
    this.factory.noticeForgotten(session, transaction);
  }

  async run<T>(work: Work<T>, { label, counted, client, ...own }: WorkOptions): Promise<T> {
    const { host } = this;
    const scope = new Scope({ label, parent: currentScope(), ...(host && { owner: host.owner }) });
    configureScope(scope, own);
    if (client !== undefined) scope.client = { key: client, forMs: CLIENT_FOR_MS };
    counted?.(scope);
    const ending = new Ending(scope, host?.sources ?? [this], this.factory.endingOptions, host);
    ending.claim();
    if (own.timeoutMs !== undefined) ending.limit(own.timeoutMs);
    const cutShort = new Promise<never>((_, reject) => ending.onCutShort(reject));
    let result: T;
    try {
      const working = runWithScope(scope, 'inner', async () => work(this.registry.get()));
      result = await Promise.race([working, cutShort]);
    } catch (error) {
      await ending.end({ kind: 'error', error }).catch((later: unknown) => suppress(error, later));
      throw error;
    }
    await ending.end({ kind: 'value' });
    return result;
  }

  independently<T>(work: Work<T>, options: WorkOptions): Promise<T> {
    return this.run(work, options);
  }

  sessionOf(scope: Scope): SessionBase | undefined {
    return scope.entries.get(this.registry) as SessionBase | undefined;
  }

  isInside(): boolean {
    return currentScope() !== undefined;
  }

  async outside<T>(work: () => Promise<T> | T): Promise<T> {
    return runWithScope(undefined, 'outer', work);
  }
}

/** One session per key; it stays until `remove()`, whatever scope the code is in. */
export class SessionsOfKeys implements SessionPlace {
  readonly registry: ScopedRegistry<SessionBase>;

  constructor(
    private readonly factory: SessionFactory,
    scopeFunction: () => unknown,
  ) {
    this.registry = new ScopedRegistry(() => this.create(), scopeFunction);
  }

  create(options?: SessionOptions): SessionBase {
    return this.factory.create(options);
  }

  removed(): void {
    // It was watched from the beginning.
  }

  /** The key's session, committed and removed: what runs under the same key meanwhile takes part. */
  async run<T>(work: Work<T>, { counted }: WorkOptions): Promise<T> {
    const session = this.registry.get();
    // What the key had begun before is undone with the work, and cannot be run again; nor is another session's seen.
    let isWhole = startedTransactionOf(session)?.isConnected !== true;
    const own = commitsOf(session);
    counted?.({
      get commits() {
        return isWhole ? own.commits : 1;
      },
    });
    try {
      const result = await work(session);
      await session.commit();
      return result;
    } catch (error) {
      isWhole &&= this.registry.has() && this.registry.get() === session;
      await session.rollback().catch((later: unknown) => suppress(error, later));
      throw error;
    } finally {
      this.registry.clear();
    }
  }

  async independently<T>(): Promise<T> {
    throw new IllegalStateChangeError(
      `A scoped session with a scope function of its own cannot open another unit of work ${SAME_KEY}`,
    );
  }

  sessionOf(): undefined {
    return undefined;
  }

  /** A key has no beginning and no end: what counts is whether something was begun. */
  isInside(): boolean {
    return this.registry.has() && this.registry.get().inTransaction();
  }

  async outside<T>(work: () => Promise<T> | T): Promise<T> {
    if (!this.isInside()) return work();
    throw new IllegalStateChangeError(
      `A scoped session with a scope function of its own cannot leave its unit of work ${SAME_KEY}`,
    );
  }
}

const SAME_KEY =
  'under the same key. Use sessionFactory.begin(fn), or a scoped session without a scope function.';
