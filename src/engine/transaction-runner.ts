/** One session's TypeORM query runner: begins by itself, sends inside the transaction, believes the server. */
import type { QueryResult, QueryRunner } from 'typeorm';
import { SessionClosedError } from '../errors.js';
import type { ServerTransaction } from './backend.js';
import { couldNotBegin } from './connection-unavailable.js';
import { Branch, newXid } from './demarcation.js';
import type { Engine } from './engine.js';
import { setsAutocommit } from './ends-transaction.js';
import { classifyFailure } from './failures.js';
import { hideValues } from './hidden-values.js';
import { isWrite, onlyReads } from './is-write.js';
import { OpenRows } from './open-rows.js';
import type { RunnerOwner, TransactionUse } from './runner-owner.js';
import { NO_RECORDER, type StatementRecorder } from './statement-recorder.js';
import { TransactionFrame } from './transaction-frame.js';
import { ENDED_BY_STATEMENT, lostUnseen, spoiltBy } from './verdict.js';

export class TransactionRunner extends TransactionFrame implements TransactionUse {
  constructor(
    engine: Engine,
    owner: RunnerOwner,
    private readonly recorder: StatementRecorder = NO_RECORDER,
  ) {
    super(engine, owner, (frame) => engine.createSessionRunner(frame as TransactionRunner, owner));
  }

  get isAtHand(): boolean {
    return this.isBegun || this.wire.isPassing;
  }

  /** Leases a connection and begins, unless that is done already. */
  async begin(attempt = 0): Promise<void> {
    if (this.isBegun) return;
    await this.leasing.lease();
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
      // Nothing was done there. A server that was lost is not asked again at once.
      if (this.options.readOnly === true && this.engine.servers.hasOther(error, attempt))
        return this.begin(attempt + 1);
      throw couldNotBegin(this.owner.label, error);
    }
  }

  /** With `firstWrite`, what only reads may be sent before the transaction. */
  #mayPrecede(sql: string): boolean {
    return this.options.begin === 'firstWrite' && onlyReads(sql);
  }

  /** Sends one statement inside the transaction; what the server says of the transaction outranks what we thought. */
  async send(sql: string, parameters?: unknown[]): Promise<QueryResult> {
    const leasing = this.leasing.lease();
    if (leasing !== undefined) await leasing;
    if (!this.isBegun && !this.#mayPrecede(sql)) await this.begin();
    const closing = this.rows?.refuse();
    if (closing !== undefined) await closing;
    this.hasWritten ||= isWrite(sql);
    const { family } = this.engine.backend;
    const ends = this.demarcation.endedBy(sql);
    this.isAltered ||= setsAutocommit(sql, family);
    const sent = this.recorder.sent(sql, parameters);
    let result: QueryResult;
    try {
      result = await this.raw(sql, parameters);
      this.#refuseUnsafe(result);
    } catch (error) {
      this.#judge(error, ends);
      throw error;
    }
    sent.answered();
    const told = this.#believe(result);
    if (ends || (told === 'none' && this.wasSeenOpen)) {
      this.engine.servers.noteWrite(this.owner.identity);
      this.owner.spoilt(ENDED_BY_STATEMENT);
    }
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
    void this.rows?.refuse();
    if (!this.isBegun) return;
    // COMMIT was not sent: nothing of it can be stored.
    if (this.slot.lease?.isLost === true) return this.owner.spoilt(lostUnseen());
    const state = this.engine.backend.serverTransaction(this.connection, undefined);
    if (state === 'failed') this.owner.spoilt({ state, reason: 'a statement in it failed' });
    if (state === 'none' && this.wasSeenOpen) this.owner.spoilt(ENDED_BY_STATEMENT);
  }

  /** Sends a statement whose rows are read one by one; as long as they are, nothing else is sent. */
  async stream(...given: Parameters<QueryRunner['stream']>): ReturnType<QueryRunner['stream']> {
    const [sql] = given;
    const { rowSource } = this.engine.backend;
    await this.leasing.lease();
    // A cursor lives in a transaction.
    if (rowSource === 'cursor' || !this.#mayPrecede(sql)) await this.begin();
    this.rows ??= new OpenRows(rowSource, this.wire, this.owner.label);
    await this.rows.refuse();
    this.hasWritten ||= isWrite(sql);
    const sent = this.recorder.sent(sql, given[1]);
    const { lease } = this.slot;
    const send = async (text: string, values?: unknown[]): Promise<QueryResult> => {
      if (this.slot.lease !== lease) throw new SessionClosedError(this.owner.label);
      return this.raw(text, values);
    };
    try {
      const rows = await this.rows.open(send, given);
      rows.once('error', (error) => this.#judge(error, false));
      rows.once('close', () => void (rows.errored ?? sent.answered()));
      return rows;
    } catch (error) {
      this.#judge(error, false);
      throw error;
    }
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
