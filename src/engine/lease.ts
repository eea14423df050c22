/** A lease is one checkout of a connection: a new object each time, given back or destroyed once. */
import type { QueryRunner } from 'typeorm';

/** Who takes a connection: for messages, and to tell a waiter that it waits for itself. */
export interface LeaseHolder {
  readonly label: string;
  /** The unit of work: it, and those it runs inside, must not wait for each other's connections. */
  readonly owner: LeaseOwner;
  /** The runner that will use the connection, where there is one. */
  readonly runner?: QueryRunner;
  /** Whether nothing will be written with it; left out where that is not known yet. */
  readonly readOnly?: boolean;
}

/** A client of the application, such as a user: what it wrote in one unit of work it is to see in the next. */
export interface Client {
  readonly key: string;
  /** Milliseconds that it is remembered after it wrote. */
  readonly forMs: number;
}

/** A unit of work as the engine sees it. */
export interface LeaseOwner {
  /** The unit of work that this one was begun inside. */
  readonly parent?: LeaseOwner | undefined;
  /** Whom it is done for, where that was told. */
  readonly client?: Client | undefined;
}

/** A connection as a driver's pool lends it. */
export interface DriverConnection {
  /** The driver's own object. */
  readonly raw: unknown;
  /** It has ended by itself; nothing that is sent there arrives. */
  readonly isLost?: boolean;
  /** Sends one statement past TypeORM. */
  run(sql: string): Promise<unknown>;
  giveBack(): Promise<void> | void;
  destroy(): void;
}

/** Where a unit of work keeps its lease; knows nobody, so that it may outlive a session that was forgotten. */
export class LeaseSlot implements LeaseOwner {
  lease: Lease | undefined;
  /** The unit of work that a session of one's own was made inside. */
  parent: LeaseOwner | undefined;
}

export class Lease {
  #connection: DriverConnection | undefined;

  constructor(
    connection: DriverConnection,
    private readonly ended: () => void,
    private readonly server?: { invalidate(): void },
  ) {
    this.#connection = connection;
  }

  /** The driver's connection; undefined once the lease has ended. */
  get raw(): unknown {
    return this.#connection?.raw;
  }

  /** The connection was lost: the server has rolled back what was open on it. */
  get isLost(): boolean {
    return this.#connection?.isLost === true;
  }

  /** Sends one statement past TypeORM, such as what undoes what a holder left open. */
  async run(sql: string): Promise<void> {
    await this.#connection?.run(sql);
  }

  /** Gives the connection back for the next holder; the caller has made sure that no transaction is open on it. */
  release(): Promise<void> | void {
    return this.#end()?.giveBack();
  }

  /** Closes the connection, so that nobody ever finds on it what may still be there. */
  destroy(): void {
    this.#end()?.destroy();
  }

  /** Replaces every connection that was opened to the same server until now. */
  invalidateOthers(): void {
    if (this.#connection !== undefined) this.server?.invalidate();
  }

  // A second release must not free the connection of whoever holds it now: after the first there is none here.
  #end(): DriverConnection | undefined {
    const connection = this.#connection;
    if (connection === undefined) return undefined;
    this.#connection = undefined;
    this.ended();
    return connection;
  }
}
