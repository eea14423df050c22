/** A bounded pool: first come, first served; what it lends is clean, alive and not too old. */
import type { PoolCounters } from './backend.js';
import { type Patience, withDeadline } from './deadline.js';
import type { PoolSettings } from './pool-options.js';
import { type PhysicalConnection, PooledConnection } from './pooled-connection.js';

/** A rest after which `ifIdle` asks whether the connection lives. */
const IDLE_MS = 500;
/** A server that does not answer a ping, or a reset, in this time is not waited for. */
const ANSWER_TIMEOUT_MS = 1_000;
/** Nor one that lets nobody in; it is mysql2's own limit, and pg has none. So long waits, too, who waits for nobody else (0). */
export const CONNECT_TIMEOUT_MS = 10_000;

const noAnswer = (withinMs: number) => (): Error =>
  Object.assign(new Error(`The server did not answer within ${withinMs} ms.`), { code: 'ETIMEDOUT' });

/** What is not done in time gives its place free. */
function entering<T>(work: Promise<T>, late: (arrived: T) => void): Promise<T> {
  return withDeadline(work, CONNECT_TIMEOUT_MS, noAnswer(CONNECT_TIMEOUT_MS), late);
}

interface Waiter {
  readonly resolve: (connection: PooledConnection | Promise<PooledConnection>) => void;
  readonly reject: (error: Error) => void;
}

export class ConnectionPool {
  readonly #idle: PooledConnection[] = [];
  readonly #waiting: Waiter[] = [];
  #total = 0;
  #generation = 0;

  /**
   * @param open - makes a connection of the driver
   * @param settings - asked at each use: they may be configured while the pool runs
   */
  constructor(
    private readonly open: () => Promise<PhysicalConnection>,
    private readonly settings: () => PoolSettings,
  ) {}

  get #limit(): number {
    const { poolSize, maxOverflow } = this.settings();
    return poolSize + maxOverflow;
  }

  counters(): PoolCounters {
    const [limit, total, idle] = [this.#limit, this.#total, this.#idle.length];
    return { limit, total, idle, active: total - idle, waiting: this.#waiting.length };
  }

  /** A connection, at once where one is at hand and was used a moment ago. */
  obtain(patience: Patience): PooledConnection | Promise<PooledConnection> {
    const connection = this.#waiting.length > 0 ? undefined : this.#takeIdle();
    if (connection !== undefined && !this.#needsPing(connection)) return connection;
    if (connection === undefined && (this.#total >= this.#limit || this.#waiting.length > 0))
      return this.#wait(patience);
    const { timeoutMs, timedOut } = patience;
    const arriving = connection === undefined ? this.#open() : this.#alive(connection);
    return withDeadline(
      arriving,
      timeoutMs || CONNECT_TIMEOUT_MS,
      timedOut,
      (late) => void this.giveBack(late),
    );
  }

  #wait({ timeoutMs, timedOut }: Patience): Promise<PooledConnection> {
    return new Promise((resolve, reject) => {
      let isOver = false;
      const arrived = (connection: PooledConnection): void => {
        clearTimeout(timer);
        if (isOver) void this.giveBack(connection);
        else resolve(connection);
      };
      const failed = (error: Error): void => {
        clearTimeout(timer);
        reject(error);
      };
      const waiter: Waiter = {
        resolve: (connection) =>
          connection instanceof PooledConnection
            ? arrived(connection)
            : void connection.then(arrived, failed),
        reject: failed,
      };
      const timer = setTimeout(() => {
        isOver = true;
        const place = this.#waiting.indexOf(waiter);
        const error = timedOut();
        if (place !== -1) this.#waiting.splice(place, 1);
        reject(error);
      }, timeoutMs);
      this.#waiting.push(waiter);
    });
  }

  /** The next one at rest that may still be lent; what is not is closed on the way. */
  #takeIdle(): PooledConnection | undefined {
    const { poolUseLifo } = this.settings();
    for (;;) {
      const connection = poolUseLifo ? this.#idle.pop() : this.#idle.shift();
      if (connection === undefined || this.#mayBeLent(connection)) return connection;
      this.#close(connection);
    }
  }

  #mayBeLent({ isLost, generation, expiresAt }: PooledConnection): boolean {
    return !isLost && generation === this.#generation && performance.now() <= expiresAt;
  }

  #needsPing({ usedAt }: PooledConnection): boolean {
    const { poolPrePing } = this.settings();
    return poolPrePing === 'always' || (poolPrePing === 'ifIdle' && performance.now() - usedAt > IDLE_MS);
  }

  /** One dead connection at rest means that the others are dead too: none of them is asked, all are replaced. */
  async #alive(connection: PooledConnection): Promise<PooledConnection> {
    try {
      await withDeadline(
        connection.physical.ping(),
        ANSWER_TIMEOUT_MS,
        noAnswer(ANSWER_TIMEOUT_MS),
        () => undefined,
      );
      return connection;
    } catch {
      this.#close(connection);
      this.invalidate();
      return this.#open();
    }
  }

  /** The driver may have had it for a while before this pool did. */
  async #open(): Promise<PooledConnection> {
    const connection = await this.#made();
    const hasRested = connection.physical.restedMs > IDLE_MS;
    return hasRested && this.settings().poolPrePing !== false ? this.#alive(connection) : connection;
  }

  async #made(): Promise<PooledConnection> {
    this.#total += 1;
    const generation = this.#generation;
    try {
      const late = (arrived: PhysicalConnection): void => arrived.close();
      const physical = await entering(this.open(), late);
      const connection = new PooledConnection(this, physical, generation, this.#expiry());
      physical.onLost(() => this.#lost(connection));
      try {
        await entering(this.#initialize(physical), () => undefined);
      } catch (error) {
        physical.close();
        throw error;
      }
      return connection;
    } catch (error) {
      this.#total -= 1;
      this.#serve();
      throw error;
    }
  }

  async #initialize(physical: PhysicalConnection): Promise<void> {
    const { isolation, initSql } = this.settings();
    const level = isolation === undefined ? [] : [physical.levelSql(isolation)];
    // In order, on one connection. oxlint-disable-next-line no-await-in-loop
    for (const sql of [...level, ...initSql]) await physical.run(sql);
  }

  /** Spread over the last tenth, so that connections opened together are not replaced together. */
  #expiry(): number {
    return performance.now() + this.settings().poolRecycleMs * (1 - Math.random() / 10);
  }

  /** Takes back what was lent; nobody has a transaction open on it. */
  giveBack(connection: PooledConnection): Promise<void> | void {
    const { resetOnReturn } = this.settings();
    if (resetOnReturn === 'destroy') return this.discard(connection);
    if (resetOnReturn === 'rollback') return this.#keep(connection);
    const asNew = connection.physical.reset().then(() => this.#initialize(connection.physical));
    return withDeadline(asNew, ANSWER_TIMEOUT_MS, noAnswer(ANSWER_TIMEOUT_MS), () => undefined).then(
      () => this.#keep(connection),
      () => this.discard(connection),
    );
  }

  #keep(connection: PooledConnection): void {
    const isSurplus = this.#waiting.length === 0 && this.#idle.length >= this.settings().poolSize;
    if (isSurplus || !this.#mayBeLent(connection)) return this.discard(connection);
    connection.usedAt = performance.now();
    this.#idle.push(connection);
    this.#serve();
  }

  /** Closes what was lent. */
  discard(connection: PooledConnection): void {
    this.#close(connection);
    this.#serve();
  }

  #close(connection: PooledConnection): void {
    this.#total -= 1;
    connection.physical.close();
  }

  #lost(connection: PooledConnection): void {
    connection.isLost = true;
    const place = this.#idle.indexOf(connection);
    if (place === -1) return;
    this.#idle.splice(place, 1);
    this.discard(connection);
  }

  /** Those who wait get what there is, in the order of their coming. */
  #serve(): void {
    while (this.#waiting.length > 0) {
      const connection = this.#takeIdle();
      if (connection === undefined && this.#total >= this.#limit) return;
      const waiter = this.#waiting.shift()!;
      if (connection === undefined) waiter.resolve(this.#open());
      else waiter.resolve(this.#needsPing(connection) ? this.#alive(connection) : connection);
    }
  }

  /** Every connection opened until now is replaced: those at rest at once, those lent when they come back. */
  invalidate(): void {
    this.#generation += 1;
    for (const connection of this.#idle.splice(0)) this.#close(connection);
    this.#serve();
  }

  /** The driver is about to close its own pool. */
  close(): void {
    this.#generation += 1;
    for (const { physical } of this.#idle.splice(0)) {
      this.#total -= 1;
      physical.handBack();
    }
  }
}
