/** One session's TypeORM query runner: begins by itself, sends inside the transaction, believes the server. */
import type { QueryResult, QueryRunner } from 'typeorm';
import type { ServerTransaction } from './backend.js';
import { couldNotBegin } from './connection-unavailable.js';
import { Branch, newXid } from './demarcation.js';
import type { Engine } from './engine.js';
import { setsAutocommit } from './ends-transaction.js';
import { classifyFailure } from './failures.js';
import { hideValues } from './hidden-values.js';
import { isWrite, onlyReads } from './is-write.js';
import type { RunnerOwner, TransactionUse } from './runner-owner.js';
import { TransactionFrame } from './transaction-frame.js';
import { ENDED_BY_STATEMENT, lostUnseen, spoiltBy } from './verdict.js';

export class TransactionRunner extends TransactionFrame implements TransactionUse {
  constructor(engine: Engine, owner: RunnerOwner) {
    super(engine, owner, (frame) => engine.createSessionRunner(frame as TransactionRunner, owner));
  }

  get isAtHand(): boolean {
    return this.isBegun || this.wire.isPassing;
  }

  /** Leases a connection and begins, unless that is done already. */
  async begin(): Promise<void> {
    if (this.isBegun) return;
    await this.lease();
    const { twoPhase = false, readOnly = false, unit } = this.options;
    if (twoPhase && !readOnly) this.demarcation = new Branch(newXid(unit!, this.engine.applicationName));
    const { xid } = this.demarcation;
    try {
      for (const sql of this.engine.backend.beginStatements(this.connection, this.options, xid)) {
        // In order, on one connection. oxlint-disable-next-line no-await-in-loop
        const result = await this.raw(sql);
        this.engine.backend.refuseUnsafe(result.raw);
        this.#believe(result);
      }
      this.isBegun = true;
      this.wasSeenOpen ||= this.engine.backend.isInProcess;
    } catch (error) {
      this.lose(error);
      throw couldNotBegin(this.owner.label, error);
    }
  }

  /** With `firstWrite`, what only reads may be sent before the transaction. */
  #mayPrecede(sql: string): boolean {
    return this.options.begin === 'firstWrite' && onlyReads(sql);
  }

  /** Sends one statement inside the transaction; what the server says of the transaction outranks what we thought. */
  async send(sql: string, parameters?: unknown[]): Promise<QueryResult> {
    const leasing = this.lease();
    if (leasing !== undefined) await leasing;
    if (!this.isBegun && !this.#mayPrecede(sql)) await this.begin();
    this.wire.refuseBehindStream();
    this.noteWrite(isWrite(sql));
    const { family } = this.engine.backend;
    const ends = this.demarcation.endedBy(sql);
    this.isAltered ||= setsAutocommit(sql, family);
    let result: QueryResult;
    try {
      result = await this.raw(sql, parameters);
      this.#refuseUnsafe(result);
    } catch (error) {
      this.#judge(error, ends);
      throw error;
    }
    const told = this.#believe(result);
    if (ends || (told === 'none' && this.wasSeenOpen)) this.owner.spoilt(ENDED_BY_STATEMENT);
    return result;
  }

  /** The mode that makes it so may be set at any time, and would stay with the connection. */
  #refuseUnsafe({ raw }: QueryResult): void {
    try {
      this.engine.backend.refuseUnsafe(raw);
    } catch (error) {
      this.isAltered = true;
      this.owner.spoilt({ state: 'gone', reason: 'the server would take values for SQL', error });
      throw error;
    }
  }

  /** "No transaction" counts only once the server was seen to have one: not every answer carries the status. */
  #believe(result: QueryResult): ServerTransaction {
    const state = this.engine.backend.serverTransaction(this.connection, result.raw);
    this.wasSeenOpen ||= state === 'open';
    return state;
  }

  /** Asks once more what the server said last: somebody may have used the driver's connection by hand. */
  confirm(): void {
    if (!this.isBegun) return;
    // COMMIT was not sent: nothing of it can be stored.
    if (this.slot.lease?.isLost === true) return this.owner.spoilt(lostUnseen());
    const state = this.engine.backend.serverTransaction(this.connection, undefined);
    if (state === 'failed') this.owner.spoilt({ state, reason: 'a statement in it failed' });
    if (state === 'none' && this.wasSeenOpen) this.owner.spoilt(ENDED_BY_STATEMENT);
  }

  /** Begins, then hands out TypeORM's stream. */
  async stream(...given: Parameters<QueryRunner['stream']>): ReturnType<QueryRunner['stream']> {
    await this.lease();
    if (!this.#mayPrecede(given[0])) await this.begin();
    const rows = await this.wire.stream(...given);
    rows.once('error', (error) => this.#judge(error, false));
    return rows;
  }

  #judge(error: unknown, ends: boolean): void {
    hideValues(error);
    const { fatal } = classifyFailure(error);
    const told = fatal ? 'none' : this.engine.backend.serverTransaction(this.connection, undefined, error);
    const spoilt = spoiltBy(error, ends, told === 'none' && !this.wasSeenOpen ? 'unknown' : told);
    if (fatal) this.lose(error);
    if (spoilt !== undefined) this.owner.spoilt(spoilt);
  }
}
