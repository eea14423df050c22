/** The engine lends the connections of one DataSource to units of work: bounded in time, counted, told apart. */
import { inspect } from 'node:util';
import type { DataSource } from 'typeorm';
import { InvalidOptionError, PoolTimeoutError } from '../errors.js';
import type { Backend, PoolCounters, RunAs } from './backend.js';
import { withDeadline } from './deadline.js';
import { ENGINE_DEFAULTS, ENGINE_RULES, type EngineOptions } from './engine-options.js';
import type { IsolationLevel } from './isolation.js';
import { type DriverConnection, Lease, type LeaseHolder } from './lease.js';
import { LinkedList } from './linked-list.js';
import { readOptions } from './option-rules.js';
import { type MakeSessionRunner, sessionRunnerOf } from './session-runner.js';
import { backendFor } from './supported-drivers.js';

/** What `createEngine` knows of the engine it makes. */
export interface EngineLife {
  readonly ownsDataSource: boolean;
  disposed(): void;
}

/**
 * A DataSource seen as a source of connections. Made by `createEngine`.
 *
 * @example
 * ```ts
 * import { createEngine } from 'nestjs-scoped-session';
 * const engine = createEngine('sqlite+sqljs:///:memory:');
 * await engine.initialize();
 * console.log(engine.status().limit);
 * await engine.dispose();
 * ```
 */
export class Engine {
  readonly #held = new LinkedList<Holding>();
  readonly #backend: Backend;
  #options: EngineOptions;
  #createSessionRunner: MakeSessionRunner | undefined;
  #runAs: RunAs = (_runner, fn) => fn();

  /** @internal */
  constructor(
    readonly dataSource: DataSource,
    options: EngineOptions,
    private readonly life: EngineLife,
  ) {
    this.#options = options;
    const runAs: RunAs = (runner, fn) => this.#runAs(runner, fn);
    this.#backend = backendFor(dataSource)(dataSource, runAs, () => this.#timeoutMs);
  }

  get #timeoutMs(): number {
    const { poolTimeoutMs, gateTimeoutMs } = { ...ENGINE_DEFAULTS, ...this.#options };
    return this.#backend.family === 'sqlite' ? gateTimeoutMs : poolTimeoutMs;
  }

  /** Changes options for connections that are asked for from now on; undefined ones stay as they are. @internal */
  configure(options: EngineOptions): void {
    this.#options = { ...this.#options, ...readOptions('configure', options, ENGINE_RULES) };
  }

  /** @internal */
  get backend(): Backend {
    return this.#backend;
  }

  /** Connects, unless the DataSource is connected already. */
  async initialize(): Promise<this> {
    if (!this.dataSource.isInitialized) await this.dataSource.initialize();
    return this;
  }

  /** The pool's counters at this moment. */
  status(): PoolCounters {
    return this.#backend.counters();
  }

  /** Undoes what the engine set on the DataSource, and closes a DataSource that `createEngine` made. */
  async dispose(): Promise<void> {
    this.#backend.dispose();
    this.life.disposed();
    if (this.life.ownsDataSource && this.dataSource.isInitialized) await this.dataSource.destroy();
  }

  /** Refuses, before any I/O, a level that the database does not have. @internal */
  refuseUnknownIsolation(isolation: IsolationLevel | undefined): void {
    const { isolationLevels, family } = this.#backend;
    if (isolation === undefined || isolationLevels.includes(isolation)) return;
    throw new InvalidOptionError(
      `The isolation level ${isolation} does not exist on ${family}: use ${isolationLevels.join(' or ')}.`,
    );
  }

  /** Makes a session's runner; it takes no connection. @internal */
  get createSessionRunner(): MakeSessionRunner {
    // Not before the first session: subclasses of the driver's runners need its metadata to be there.
    return (this.#createSessionRunner ??= sessionRunnerOf(this.dataSource, this.#backend.createRunner()));
  }

  /** False where TypeORM has nobody to tell of statements and transactions. @internal */
  get hasSubscribers(): boolean {
    return this.dataSource.subscribers.length > 0;
  }

  /** Tells how plain managers are made to use a runner that is inside a SQLite database's gate. @internal */
  letPlainManagersUse(runAs: RunAs): void {
    this.#runAs = runAs;
  }

  /**
   * Leases a connection.
   *
   * @throws {@link PoolTimeoutError} `SS_ERR_POOL_TIMEOUT` when none is free within `poolTimeoutMs`
   * @internal
   */
  async acquire(holder: LeaseHolder): Promise<Lease> {
    const since = performance.now();
    const connection = await withDeadline(
      this.#backend.obtain(holder),
      this.#timeoutMs,
      () => this.#timedOut(holder, performance.now() - since),
      (late) => void late.giveBack(),
    );
    return this.#lend(connection, new Holding(holder.label, holder.owner));
  }

  // On its own, so that what the lease keeps does not lead to the holder's runner, and from there to its session.
  #lend(connection: DriverConnection, holding: Holding): Lease {
    return new Lease(connection, this.#held.add(holding));
  }

  #timedOut(holder: LeaseHolder, waitedMs: number): PoolTimeoutError {
    const { limit, total, active, idle, waiting } = this.status();
    const longest = this.#held.first;
    const held = longest === undefined ? '' : ` Longest holder: ${longest.label}, ${ageOf(longest)} ms.`;
    const own = [...this.#held].some(({ owner }) => owner === holder.owner)
      ? ` ${holder.label} itself holds a connection while it waits for another.`
      : '';
    return new PoolTimeoutError(
      `${holder.label} got no connection within ${Math.round(waitedMs)} ms (limit=${limit}, total=${total}, ` +
        `active=${active}, idle=${idle}, waiting=${waiting}).${held}${own} Shorten the holders or raise the limit.`,
    );
  }

  /** Never the DataSource's options: they hold the password. */
  toJSON(): object {
    const { type, database } = this.dataSource.options;
    return { type, database: typeof database === 'string' ? database : undefined, ...this.status() };
  }

  [inspect.custom](): string {
    return `Engine ${JSON.stringify(this.toJSON())}`;
  }
}

/** Not the lease itself: a session that was forgotten with its lease must stay collectable to be noticed. */
class Holding {
  readonly since = performance.now();

  constructor(
    readonly label: string,
    readonly owner: object,
  ) {}
}

function ageOf({ since }: Holding): number {
  return Math.round(performance.now() - since);
}
