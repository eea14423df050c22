/** How a transaction is ended: by one word, or as a branch of a two-phase commit, in two steps. */
import { randomBytes } from 'node:crypto';
import type { DatabaseFamily } from './backend.js';
import { endsTransaction } from './ends-transaction.js';
import { withoutComments } from './is-write.js';

interface Sender {
  raw(sql: string): Promise<unknown>;
}

export interface Demarcation {
  /** The branch, as the server's own statements name it; undefined without two phases. */
  readonly xid: string | undefined;
  /** The server keeps it until it is told to commit or to roll back, whatever becomes of the connection. */
  readonly isPrepared: boolean;
  /** True from the moment when the server may have prepared it. */
  readonly mayBePrepared: boolean;
  prepare(sender: Sender): Promise<void>;
  commit(sender: Sender): Promise<void>;
  rollback(sender: Sender): Promise<void>;
  /** Whether a statement of the application's ends it. */
  endedBy(sql: string): boolean;
}

/** A transaction that is committed at once. */
export class OnePhase implements Demarcation {
  readonly xid = undefined;
  readonly isPrepared = false;
  readonly mayBePrepared = false;

  constructor(private readonly family: DatabaseFamily) {}

  async prepare(): Promise<void> {
    throw new Error('A transaction that was not begun for two phases cannot be prepared.');
  }

  async commit(sender: Sender): Promise<void> {
    await sender.raw('COMMIT');
  }

  async rollback(sender: Sender): Promise<void> {
    await sender.raw('ROLLBACK');
  }

  endedBy(sql: string): boolean {
    return endsTransaction(sql, this.family);
  }
}

const BY_HAND = /^xa\s+(?:end|prepare|commit|rollback)\b/i;

/** A branch of a two-phase commit, in the words of MySQL and MariaDB. */
export class Branch implements Demarcation {
  readonly xid: string;
  #isActive = true;
  #isPrepared = false;
  #mayBePrepared = false;

  constructor(xid: string) {
    this.xid = xid;
  }

  get isPrepared(): boolean {
    return this.#isPrepared;
  }

  get mayBePrepared(): boolean {
    return this.#mayBePrepared;
  }

  async prepare(sender: Sender): Promise<void> {
    await this.#end(sender);
    this.#mayBePrepared = true;
    await sender.raw(`XA PREPARE ${this.xid}`);
    this.#isPrepared = true;
  }

  async commit(sender: Sender): Promise<void> {
    await this.#end(sender);
    await sender.raw(this.#isPrepared ? `XA COMMIT ${this.xid}` : `XA COMMIT ${this.xid} ONE PHASE`);
  }

  async rollback(sender: Sender): Promise<void> {
    // A branch that the server has doomed is ended already, and says so.
    await this.#end(sender).catch(() => undefined);
    await sender.raw(`XA ROLLBACK ${this.xid}`);
  }

  /** What would commit by itself is refused by the server, as COMMIT and ROLLBACK are. */
  endedBy(sql: string): boolean {
    return BY_HAND.test(withoutComments(sql));
  }

  async #end(sender: Sender): Promise<void> {
    if (!this.#isActive) return;
    this.#isActive = false;
    await sender.raw(`XA END ${this.xid}`);
  }
}

/** Among the branches of everybody on the server, those of this library. */
export const FORMAT_ID = 21_331;
export const GLOBAL_PREFIX = 'ss.';

/**
 * The name of a new branch. Its parts are texts of letters, digits, dots, dashes and underscores only.
 *
 * @param unit - the unit of work, the same for its branches in all databases
 * @param application - whose it is, for `recover()`
 */
export function newXid(unit: string, application: string): string {
  const begun = Date.now().toString(36);
  return `'${GLOBAL_PREFIX}${unit}','${application}.${begun}.${randomBytes(4).toString('hex')}',${FORMAT_ID}`;
}
