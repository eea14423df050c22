/** A connection of a pool: what the pool asks of the driver's, and what it knows of it. */
import type { IsolationLevel } from './isolation.js';
import type { DriverConnection } from './lease.js';

/** One connection of the driver, as far as the pool knows it. */
export interface PhysicalConnection {
  readonly raw: unknown;
  /** Milliseconds that it has been at rest in the driver's own pool; 0 when it is new. */
  readonly restedMs: number;
  /** Rejects when the server does not answer. */
  ping(): Promise<unknown>;
  /** Puts the server's session back to how it began. */
  reset(): Promise<unknown>;
  run(sql: string): Promise<unknown>;
  /** The statement that sets the level of all transactions to come. */
  levelSql(isolation: IsolationLevel): string;
  /** Calls `lost` when the connection ends by itself. */
  onLost(lost: () => void): void;
  close(): void;
  /** Gives it to the driver's own pool, which is about to be closed. */
  handBack(): void;
}

/** Whoever lends connections. */
interface Lender {
  giveBack(connection: PooledConnection): Promise<void> | void;
  discard(connection: PooledConnection): void;
}

/** A connection of the pool, lent to one holder at a time. */
export class PooledConnection implements DriverConnection {
  isLost = false;
  usedAt: number;

  constructor(
    private readonly lender: Lender,
    readonly physical: PhysicalConnection,
    readonly generation: number,
    readonly expiresAt: number,
  ) {
    this.usedAt = performance.now() - physical.restedMs;
  }

  get raw(): unknown {
    return this.physical.raw;
  }

  run(sql: string): Promise<unknown> {
    return this.physical.run(sql);
  }

  giveBack(): Promise<void> | void {
    return this.lender.giveBack(this);
  }

  destroy(): void {
    this.lender.discard(this);
  }
}
