/** The engine lends the connections of one DataSource to units of work: bounded in time, counted, told apart. */
import { inspect } from 'node:util';
import type { DataSource, Driver } from 'typeorm';
import type { Backend, PoolCounters, RunAs } from './backend.js';
import { driverLimit } from './driver-limit.js';
import {
  ENGINE_DEFAULTS,
  ENGINE_RULES,
  type EngineOptions,
  type EngineSettings,
  settingsWith,
} from './engine-options.js';
import type { BeginSettings, IsolationLevel } from './isolation.js';
import type { Lease, LeaseHolder } from './lease.js';
import { leasedRunner } from './leased-runner.js';
import { readOptions } from './option-rules.js';
import { own } from './own-members.js';
import { openRawConnection, type RawConnection } from './raw-connection.js';
import { refuseUnusable } from './refuse-unusable.js';
import type { ReplicaStatus } from './replica.js';
import { replicaOrder } from './replication.js';
import { Servers } from './servers.js';
import { type MakeSessionRunner, sessionRunnerOf } from './session-runner.js';
import { refuseHandlesWithoutFile } from './sqlite-connections.js';
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
  readonly #backend: Backend;
  /** Whom units of work lease from. @internal */
  readonly servers: Servers;
  #settings: EngineSettings;
  #createSessionRunner: MakeSessionRunner | undefined;
  #runAs: RunAs = (_runner, fn) => fn();
  readonly #leaveDriver: () => void;

  /** @internal */
  constructor(
    readonly dataSource: DataSource,
    options: EngineOptions,
    private readonly life: EngineLife,
  ) {
    const { isolationLevel: isolation } = dataSource.options as { isolationLevel?: IsolationLevel };
    const usual = { ...ENGINE_DEFAULTS, poolSize: driverLimit(dataSource), isolation };
    this.#settings = settingsWith(usual, options);
    this.#backend = backendFor(dataSource)({ dataSource, settings: () => this.#settings });
    this.servers = new Servers(this.#backend, () => this.#settings, replicaOrder(dataSource));
    this.#refuse(this.#settings);
    this.#leaveDriver = this.#leasePlainRunners();
  }

  /** TypeORM's own runners take part in the pool's rules too: nobody waits for ever, nobody leaves a transaction behind. */
  #leasePlainRunners(): () => void {
    const driver = this.dataSource.driver as Driver & { obtainMasterConnection?: () => Promise<unknown> };
    const createQueryRunner = driver.createQueryRunner.bind(driver);
    const runAs: RunAs = (runner, fn) => this.#runAs(runner, fn);
    return own(driver, {
      // TypeORM's own way to a replica, for what is read outside every session.
      createQueryRunner: (mode) =>
        mode === 'slave' && driver.isReplicated
          ? createQueryRunner('slave')
          : leasedRunner(this, this.#backend.createRunner(), runAs),
      // TypeORM takes connections past its runners too, while it connects: they are the pool's.
      ...(driver.obtainMasterConnection !== undefined && {
        obtainMasterConnection: async () => {
          const holder = { label: 'A plain connection', owner: {} };
          return this.#backend.handOut(await this.acquirePlain(holder));
        },
      }),
    });
  }

  get #timeoutMs(): number {
    const { poolTimeoutMs, gateTimeoutMs } = this.#settings;
    return this.#backend.isInProcess ? gateTimeoutMs : poolTimeoutMs;
  }

  /** `Infinity` where there is no limit. @internal */
  get statementTimeoutMs(): number {
    return this.#settings.statementTimeoutMs;
  }

  /** Changes options for connections that are asked for from now on; undefined ones stay as they are. @internal */
  configure(options: EngineOptions): void {
    const before = this.#settings;
    const settings = settingsWith(before, readOptions('configure', options, ENGINE_RULES));
    this.#refuse(settings);
    this.#settings = settings;
    // Connections that were opened already were set up otherwise.
    if (settings.isolation !== before.isolation || settings.initSql !== before.initSql) this.invalidate();
  }

  #refuse(settings: EngineSettings): void {
    refuseHandlesWithoutFile(this.dataSource, settings);
    this.refuseUnusable(settings);
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

  /** The replicas of the DataSource's `replication` at this moment, in its order; none where there is none. */
  replicas(): readonly ReplicaStatus[] {
    return this.servers.replicas;
  }

  /**
   * A connection of the pool by itself, without a session: SQLAlchemy's `raw_connection()`.
   *
   * @throws `SS_ERR_POOL_TIMEOUT`, `SS_ERR_SELF_DEADLOCK`
   */
  async rawConnection(): Promise<RawConnection> {
    return openRawConnection(this.dataSource);
  }

  /** Replaces every connection that was opened until now, as after a fail-over: idle ones at once, others when given back. */
  invalidate(): void {
    this.servers.invalidate();
  }

  /** Whose two-phase transactions are begun here. @internal */
  get applicationName(): string {
    const { applicationName } = this.#settings;
    return (
      applicationName ??
      String(this.dataSource.options.database)
        .replaceAll(/[^\w-]/g, '_')
        .slice(-32)
    );
  }

  /** Undoes what the engine set on the DataSource, and closes a DataSource that `createEngine` made. */
  async dispose(): Promise<void> {
    this.life.disposed();
    if (this.life.ownsDataSource && this.dataSource.isInitialized) await this.dataSource.destroy();
    this.#leaveDriver();
    this.#backend.dispose();
  }

  /** The level of transactions for which nothing else was asked; undefined where it is the server's. @internal */
  get isolation(): IsolationLevel | undefined {
    return this.#settings.isolation;
  }

  /** Refuses, before any I/O, what the database does not have, and reads that change where nobody agreed to. @internal */
  refuseUnusable(settings: BeginSettings): void {
    refuseUnusable(this.#backend, { ...settings, isolation: settings.isolation ?? this.isolation });
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
   * Leases a connection, at once where one is free; one of a replica for a holder who only reads.
   *
   * @throws {@link PoolTimeoutError} `SS_ERR_POOL_TIMEOUT` when none is free within `poolTimeoutMs`
   * @throws {@link SelfDeadlockError} `SS_ERR_SELF_DEADLOCK` when all are held by the holder and what it runs inside
   * @internal
   */
  acquire(holder: LeaseHolder): Lease | Promise<Lease> {
    return this.servers.acquire(holder, this.#timeoutMs);
  }

  /** Leases for statements outside every session. @internal */
  async acquirePlain(holder: LeaseHolder): Promise<Lease> {
    const lease = await this.acquire(holder);
    try {
      // In order, on one connection. oxlint-disable-next-line no-await-in-loop
      for (const sql of this.#backend.plainStatements(lease.raw)) await lease.run(sql);
    } catch (error) {
      lease.destroy();
      throw error;
    }
    return lease;
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
