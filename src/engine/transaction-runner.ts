/** One session's TypeORM query runner: begins by itself, sends inside the transaction, believes the server. */
import type { QueryResult, QueryRunner } from 'typeorm';
import { CommitOutcomeUnknownError } from '../errors.js';
import type { ServerTransaction } from './backend.js';
import { couldNotBegin } from './connection-unavailable.js';
import type { Engine } from './engine.js';
import { endsTransaction, setsAutocommit } from './ends-transaction.js';
import { classifyCommitFailure, classifyFailure } from './failures.js';
import { hideValues } from './hidden-values.js';
import type { TransactionOptions } from './isolation.js';
import type { Lease, LeaseSlot } from './lease.js';
import { isWrite } from './is-write.js';
import type { RunnerOwner, TransactionUse } from './runner-owner.js';
import { ENDED_BY_STATEMENT, spoiltBy } from './verdict.js';

/** The driver's own query; its last argument is missing in TypeORM's interface. */
type PlainQuery = (
  this: QueryRunner,
  sql: string,
  parameters: unknown[] | undefined,
  useStructuredResult: true,
) => Promise<QueryResult>;

export class TransactionRunner implements TransactionUse {
  readonly runner: QueryRunner;
  readonly #plain: QueryRunner;
  readonly #slot: LeaseSlot;
  #options: TransactionOptions = {};
  #wasSeenOpen = false;
  #hasWritten = false;
  #isAltered = false;
  /** Rejects what was waited for last, when the connection is given up under it; without effect on what was answered. */
  #interrupt: ((reason: unknown) => void) | undefined;
  /** The begin that is under way; a connection that arrives for another one is handed back. */
  #attempt: object | undefined;

  constructor(
    private readonly engine: Engine,
    private readonly owner: RunnerOwner,
  ) {
    this.#slot = owner.leaseSlot;
    this.runner = engine.createSessionRunner(this, owner);
    // The driver's own members, under the session's.
    this.#plain = Object.getPrototypeOf(Object.getPrototypeOf(this.runner)) as QueryRunner;
  }

  /** True while a connection is held; it is held only from a transaction's first statement to its end. */
  get isBegun(): boolean {
    return this.#slot.lease !== undefined;
  }

  get connection(): unknown {
    return this.#slot.lease?.raw;
  }

  /** True when something else than a read was sent in this transaction. */
  get hasWritten(): boolean {
    return this.#hasWritten;
  }

  get options(): TransactionOptions {
    return this.#options;
  }

  /** Leases a connection and begins, unless that is done already. */
  async begin(): Promise<void> {
    if (this.#slot.lease !== undefined) return;
    const { label, identity } = this.owner;
    const options = this.owner.transactionOptions();
    this.engine.refuseUnknownIsolation(options.isolation);
    const attempt = (this.#attempt = {});
    try {
      const acquired = this.engine.acquire({ label, owner: identity, runner: this.runner });
      this.#slot.lease = acquired instanceof Promise ? await this.#arriving(acquired, attempt) : acquired;
      this.#options = options;
      for (const sql of this.engine.backend.beginStatements(this.#options)) {
        // In order, on one connection. oxlint-disable-next-line no-await-in-loop
        const result = await this.#raw(sql);
        this.engine.backend.refuseUnsafe(result.raw);
        this.#believe(result);
      }
      // Nobody stands between this process and SQLite: it has done what it answered.
      this.#wasSeenOpen ||= this.engine.backend.family === 'sqlite';
    } catch (error) {
      // Where none was to be had, those that others have are none the worse for it.
      if (this.isBegun && classifyFailure(error).fatal) this.#lose();
      else this.#destroy();
      throw couldNotBegin(label, error);
    }
  }

  /** A pool may answer after the wait for it was given up: then the connection goes back. */
  #arriving(acquired: Promise<Lease>, attempt: object): Promise<Lease> {
    return new Promise((resolve, reject) => {
      this.#interrupt = reject;
      acquired.then((arrived) => {
        if (this.#attempt === attempt) resolve(arrived);
        else void arrived.release();
      }, reject);
    });
  }

  /** Sends one statement inside the transaction; what the server says of the transaction outranks what we thought. */
  async send(sql: string, parameters?: unknown[]): Promise<QueryResult> {
    if (this.#slot.lease === undefined) await this.begin();
    this.#hasWritten ||= isWrite(sql);
    const { family } = this.engine.backend;
    const ends = endsTransaction(sql, family);
    this.#isAltered ||= setsAutocommit(sql, family);
    let result: QueryResult;
    try {
      result = await this.#raw(sql, parameters);
    } catch (error) {
      this.#judge(error, ends);
      throw error;
    }
    const told = this.#believe(result);
    if (ends || (told === 'none' && this.#wasSeenOpen)) this.owner.spoilt(ENDED_BY_STATEMENT);
    return result;
  }

  /** "No transaction" counts only once the server was seen to have one: not every answer carries the status. */
  #believe(result: QueryResult): ServerTransaction {
    const state = this.engine.backend.serverTransaction(this.connection, result.raw);
    this.#wasSeenOpen ||= state === 'open';
    return state;
  }

  /** Asks once more what the server said last: somebody may have used the driver's connection by hand. */
  confirm(): void {
    if (!this.isBegun) return;
    const state = this.engine.backend.serverTransaction(this.connection, undefined);
    if (state === 'failed') this.owner.spoilt({ state, reason: 'a statement in it failed' });
    if (state === 'none' && this.#wasSeenOpen) this.owner.spoilt(ENDED_BY_STATEMENT);
  }

  /** Begins, then hands out TypeORM's stream. */
  async stream(...given: Parameters<QueryRunner['stream']>): ReturnType<QueryRunner['stream']> {
    await this.begin();
    const rows = await this.#plain.stream.apply(this.runner, given);
    rows.once('error', (error) => this.#judge(error, false));
    return rows;
  }

  /**
   * COMMIT, then the connection goes back.
   *
   * @throws the driver's error when the server refused: everything is rolled back
   * @throws {@link CommitOutcomeUnknownError} `SS_ERR_COMMIT_OUTCOME_UNKNOWN` when no answer came
   */
  async commit(): Promise<void> {
    try {
      await this.#raw('COMMIT');
    } catch (error) {
      if (classifyCommitFailure(error).outcome === 'rolledBack' && this.isBegun) {
        await this.rollback();
        throw error;
      }
      this.#lose();
      throw outcomeUnknown('no answer to COMMIT came that would tell', error);
    }
    try {
      await this.#giveBack();
    } catch (error) {
      throw outcomeUnknown(
        'COMMIT was carried out in memory, and then the database file could not be written',
        error,
      );
    }
  }

  /** ROLLBACK, then the connection goes back; where that fails it is destroyed, which rolls back as well. */
  async rollback(): Promise<void> {
    if (this.#slot.lease === undefined) return;
    try {
      await this.#raw('ROLLBACK');
      await this.#giveBack();
    } catch {
      this.#destroy();
    }
  }

  /** Gives the connection up at once, whatever is going on there: it is closed, and the server rolls back. */
  discard(reason: unknown): void {
    this.#attempt = undefined;
    this.#destroy();
    this.#interrupt?.(reason);
  }

  #judge(error: unknown, ends: boolean): void {
    hideValues(error);
    const { fatal } = classifyFailure(error);
    const told = fatal ? 'none' : this.engine.backend.serverTransaction(this.connection, undefined, error);
    const spoilt = spoiltBy(error, ends, told === 'none' && !this.#wasSeenOpen ? 'unknown' : told);
    if (fatal) this.#lose();
    if (spoilt !== undefined) this.owner.spoilt(spoilt);
  }

  /** mysql2 never answers a statement whose connection was destroyed: `discard` does. */
  #raw(sql: string, parameters?: unknown[]): Promise<QueryResult> {
    const { sender } = this.engine.backend;
    return new Promise((resolve, reject) => {
      this.#interrupt = reject;
      if (sender !== null && !this.engine.hasSubscribers) {
        sender(this.runner, this.connection, sql, parameters, resolve, reject);
      } else {
        const { query } = this.#plain as unknown as { query: PlainQuery };
        query.call(this.runner, sql, parameters, true).then(resolve, reject);
      }
    });
  }

  async #giveBack(): Promise<void> {
    // In order, on one connection. oxlint-disable-next-line no-await-in-loop
    for (const sql of this.engine.backend.endStatements(this.#options)) await this.#raw(sql);
    if (this.#isAltered) this.#destroy();
    else await this.#end()?.release();
  }

  #destroy(): void {
    this.#end()?.destroy();
  }

  /** As in SQLAlchemy: where one connection was lost, nobody is given one from before. */
  #lose(): void {
    this.#destroy();
    this.engine.invalidate();
  }

  #end(): Lease | undefined {
    const lease = this.#slot.lease;
    this.#slot.lease = undefined;
    this.#wasSeenOpen = false;
    this.#hasWritten = false;
    this.#isAltered = false;
    return lease;
  }
}

function outcomeUnknown(what: string, cause: unknown): CommitOutcomeUnknownError {
  return new CommitOutcomeUnknownError(
    `Whether this unit of work was committed is not known: ${what}. Look before doing it again.`,
    { cause, outcome: 'unknown' },
  );
}
