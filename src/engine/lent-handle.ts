/** A handle of a SQLite file while somebody has it: what he sends waits for its turn to write, and for other processes. */
import { PoolTimeoutError } from '../errors.js';
import type { BetterSqlite3Handle } from './better-sqlite3-handle.js';
import { isWrite, withoutComments } from './is-write.js';
import type { DriverConnection, Lease, LeaseHolder } from './lease.js';
import { isBusy, untilFree } from './sqlite-busy.js';
import type { SqliteLane } from './sqlite-lane.js';

/** `reader` never writes, `writer` has the writers' lane; `plain` began with a read and may still write. */
type Access = 'reader' | 'writer' | 'plain';

/** What begins a transaction without a word on its lock, and what sets something that may be in the file. */
const BEGINS = /^begin(?:\s+transaction)?\s*;?\s*$/i;
const MAY_BEGIN_OR_SET = /^(?:savepoint\b|pragma\b.*=)/is;

/** Not the whole holder: its runner leads to a session, which must stay collectable. */
export interface Borrower extends Pick<LeaseHolder, 'label' | 'owner'> {
  readonly access: Access;
}

/** The handles that are lent at this moment; TypeORM's own is not among them. */
export type LentHandles = WeakMap<object, LentHandle>;

/** What all handles of a file have in common. */
export interface SqliteFile {
  readonly lent: LentHandles;
  readonly writers: SqliteLane;
  /** How long the lock of another process is waited for; asked at each use. */
  gateTimeoutMs(): number;
}

export class LentHandle implements DriverConnection {
  readonly raw: BetterSqlite3Handle;
  /** The turn to write of somebody who began by reading. */
  #turn: Promise<Lease> | undefined;
  #uses = 0;

  constructor(
    private readonly lease: Lease,
    private readonly borrower: Borrower,
    private readonly file: SqliteFile,
  ) {
    this.raw = lease.raw as BetterSqlite3Handle;
    file.lent.set(this.raw, this);
  }

  /** Sends with `send`, at a moment when nobody else writes if `sql` may. */
  async use<T>(sql: string, send: (sql: string) => Promise<T>): Promise<T> {
    const isOpen = this.raw.inTransaction;
    const isFree = isOpen ? this.#turn === undefined : !mayWrite(sql);
    if (this.borrower.access === 'reader' || isFree) return send(sql);
    this.#uses += 1;
    try {
      if (this.borrower.access === 'plain') await this.#takeTurn();
      return await (this.raw.inTransaction ? send(sql) : this.#whenUnlocked(() => send(immediate(sql))));
    } finally {
      this.#uses -= 1;
      if (this.#uses === 0 && !this.raw.inTransaction) this.#leaveTurn();
    }
  }

  #takeTurn(): Promise<Lease> {
    if (this.#turn !== undefined) return this.#turn;
    const turn = Promise.resolve(this.file.writers.obtain(this.borrower));
    this.#turn = turn;
    // Who was refused may try again.
    turn.catch(() => {
      if (this.#turn === turn) this.#turn = undefined;
    });
    return turn;
  }

  #leaveTurn(): void {
    const turn = this.#turn;
    this.#turn = undefined;
    turn?.then((lease) => lease.release()).catch(() => undefined);
  }

  /** Only another process can have the lock: here, one writes at a time. */
  #whenUnlocked<T>(send: () => Promise<T>): Promise<T> {
    const since = performance.now();
    const timedOut = (): Error =>
      new PoolTimeoutError(
        `${this.borrower.label} waited ${Math.round(performance.now() - since)} ms for the SQLite database, which another process ` +
          'has locked. Shorten the transactions there, or raise gateTimeoutMs.',
      );
    return untilFree(
      async () => {
        if (!this.raw.open) throw new Error('The handle was closed while it waited for the database.');
        this.#tryLock();
        // Another process may come between; then SQLite says so once more.
        return send();
      },
      { until: since + this.file.gateTimeoutMs(), timedOut },
    );
  }

  /** Asked in silence, not with the statement itself: TypeORM would log every time that it failed. */
  #tryLock(): void {
    try {
      this.raw.exec('BEGIN IMMEDIATE');
      this.raw.exec('ROLLBACK');
    } catch (error) {
      // What else is wrong the statement tells itself.
      if (isBusy(error)) throw error;
    }
  }

  run(sql: string): Promise<void> {
    return this.lease.run(sql);
  }

  giveBack(): Promise<void> | void {
    this.#end();
    return this.lease.release();
  }

  #end(): void {
    this.file.lent.delete(this.raw);
    this.#leaveTurn();
  }

  destroy(): void {
    this.#end();
    this.lease.destroy();
  }
}

function mayWrite(sql: string): boolean {
  return isWrite(sql) || MAY_BEGIN_OR_SET.test(withoutComments(sql));
}

/** A transaction that reads first and writes later fails when another one commits between: each takes the lock at once. */
function immediate(sql: string): string {
  return BEGINS.test(withoutComments(sql)) ? 'BEGIN IMMEDIATE' : sql;
}
