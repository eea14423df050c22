/** Makes a DataSource's own repositories and managers take part in the current session: answers the adoption's seam. */
import type { QueryRunner } from 'typeorm';
import { adopt, type Adoption, type AdoptionSeam, type Engine } from '../engine/index.js';
import { SelfDeadlockError } from '../errors.js';
import { currentContext, currentFrame, runInFrame, type Scope } from '../scope/index.js';
import type { NestedTransactions } from './nested-transactions.js';
import { trackedBuilder } from '../unit-of-work/index.js';
import { notePlainUse } from './plain-use.js';
import { optionsOf, type RepositoryMode } from './scope-options.js';
import type { ScopedSession } from './scoped-session.js';
import type { SessionBase } from './session.js';
import { startedTransactionOf, transactionOf } from './session-core.js';
import type { Warn } from './session-options.js';

export interface JoinOptions {
  readonly repositories: RepositoryMode;
  readonly warn: Warn;
}

export function joinDataSource(engine: Engine, scoped: ScopedSession, options: JoinOptions): Adoption {
  return adopt(engine, new JoinedDataSource(engine, scoped, options));
}

/** Labels may hold parts of URLs; what was warned of must not grow with them. */
const MOST_WARNINGS = 1_000;

class JoinedDataSource implements AdoptionSeam {
  readonly #warned = new Set<string>();

  constructor(
    private readonly engine: Engine,
    private readonly scoped: ScopedSession,
    private readonly options: JoinOptions,
  ) {}

  currentRunner(): QueryRunner | undefined {
    const session = this.#session();
    if (session !== undefined) return session.queryRunner;
    const plain = currentFrame(this.engine) as QueryRunner | undefined;
    return plain?.isReleased === true ? undefined : plain;
  }

  currentWork(): NestedTransactions | undefined {
    const session = this.#session();
    return session && transactionOf(session).nested;
  }

  built = trackedBuilder;

  runAs = <T>(runner: QueryRunner, fn: () => T): T => runInFrame(this.engine, runner, fn);

  /** A runner of one's own does not see, and may wait for, what the session has done. */
  independentRunnerAsked(): void {
    const session = this.scoped.registry.has() ? this.#session() : undefined;
    const transaction = session && startedTransactionOf(session);
    if (transaction === undefined) return;
    if (this.engine.backend.sharesOneConnection === true && transaction.isConnected) {
      throw new SelfDeadlockError(
        `${transaction.label} asked for a query runner of its own while its session holds the SQLite database, which has ` +
          'only one connection. Use session.queryRunner, or commit first.',
      );
    }
    if (!transaction.hasWritten) return;
    this.#warnOnce(
      `${transaction.label}: dataSource.createQueryRunner() takes a second connection although the session has written ` +
        'already; it does not see those rows and waits for their locks. Use session.queryRunner.',
      transaction.label,
    );
  }

  #session(): SessionBase | undefined {
    const context = currentContext();
    const scope = context?.scope;
    if (scope === undefined) {
      if (this.options.repositories === 'join') notePlainUse();
      return undefined;
    }
    const mode = optionsOf(scope).repositories ?? this.options.repositories;
    if (mode === 'leave') return undefined;
    if (scope.isOpen) return this.scoped.current();
    return context?.role === 'inner' ? this.#sessionThatEnded(scope) : undefined;
  }

  /** Code that outlived its work: refused when the work was undone, plain TypeORM with a warning when it was kept. */
  #sessionThatEnded(scope: Scope): SessionBase | undefined {
    if (scope.outcome !== undefined && scope.outcome !== 'committed') return this.#endedSession(scope);
    this.#warnOnce(
      `${scope.label} has ended, and code that it did not await still uses TypeORM: outside every transaction now. Await ` +
        'it, or give it a unit of its own: BackgroundTasks.run(fn), scopedSession.independently(fn).',
      `ended ${scope.label}`,
    );
    return undefined;
  }

  /** All it does is refuse. */
  #endedSession({ label, endedBy }: Scope): SessionBase {
    const session = this.scoped.sessionFactory.create({ label });
    transactionOf(session).state.end(endedBy);
    return session;
  }

  #warnOnce(message: string, key: string): void {
    if (this.#warned.has(key) || this.#warned.size >= MOST_WARNINGS) return;
    this.#warned.add(key);
    this.options.warn(`${message}\n${new Error('asked here').stack ?? ''}`);
  }
}
