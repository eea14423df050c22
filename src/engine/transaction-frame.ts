/** The frame of one transaction: its connection is leased, it is ended in one or two phases, the connection goes back. */
import type { QueryResult, QueryRunner } from 'typeorm';
import { SessionClosedError } from '../errors.js';
import { type Demarcation, OnePhase } from './demarcation.js';
import type { Engine } from './engine.js';
import { classifyCommitFailure, classifyFailure, concernsOthers } from './failures.js';
import type { BeginSettings } from './isolation.js';
import type { Lease, LeaseSlot } from './lease.js';
import { Leasing } from './leasing.js';
import type { OpenRows } from './open-rows.js';
import type { RunnerOwner } from './runner-owner.js';
import { StatementWire } from './statement-wire.js';
import { inDoubt, isNoBranch, leftPrepared, outcomeUnknown } from './verdict.js';

export class TransactionFrame {
  readonly runner: QueryRunner;
  /** True when something else than a read was sent in this transaction. */
  hasWritten = false;
  protected readonly wire: StatementWire;
  protected readonly slot: LeaseSlot;
  protected readonly leasing: Leasing;
  protected rows: OpenRows | undefined;
  protected isBegun = false;
  protected wasSeenOpen = false;
  protected isAltered = false;
  protected demarcation: Demarcation;
  readonly #onePhase: Demarcation;

  /** @param create - makes the runner, which knows the frame that it is in */
  constructor(
    protected readonly engine: Engine,
    protected readonly owner: RunnerOwner,
    create: (frame: TransactionFrame) => QueryRunner,
  ) {
    this.slot = owner.leaseSlot;
    this.runner = create(this);
    this.wire = new StatementWire(engine, this.runner, owner);
    this.leasing = new Leasing(engine, owner, this.runner, this.wire);
    this.demarcation = this.#onePhase = new OnePhase(engine.backend.family);
  }

  get connection(): unknown {
    return this.slot.lease?.raw;
  }

  get options(): BeginSettings {
    return this.leasing.options;
  }

  /** True where it was begun as a branch of a two-phase commit. */
  get isBranch(): boolean {
    return this.demarcation.xid !== undefined;
  }

  /** Sends at once, on the connection that is held. */
  raw(sql: string, parameters?: unknown[]): Promise<QueryResult> {
    const { lease } = this.slot;
    // It was given up while its statement was on the way here.
    if (lease === undefined) return Promise.reject(new SessionClosedError(this.owner.label));
    return this.wire.send(lease, sql, parameters);
  }

  /**
   * The first phase: from here on the server keeps it until it is told what to do.
   *
   * @throws the driver's error when the server refused: it is rolled back
   * @throws `SS_ERR_COMMIT_OUTCOME_UNKNOWN` when no answer came
   */
  async prepare(): Promise<void> {
    const { xid } = this.demarcation;
    try {
      await this.rows?.end();
      await this.demarcation.prepare(this);
    } catch (error) {
      if (classifyCommitFailure(error).outcome === 'rolledBack' || !this.demarcation.mayBePrepared) {
        await this.rollback();
        throw error;
      }
      this.#noteWrite();
      this.lose(error);
      this.owner.spoilt(leftPrepared(xid!, error));
      throw inDoubt(xid!, error);
    }
  }

  /**
   * COMMIT, then the connection goes back.
   *
   * @throws the driver's error when the server refused: everything is rolled back
   * @throws `SS_ERR_COMMIT_OUTCOME_UNKNOWN` when no answer came
   */
  async commit(): Promise<void> {
    try {
      await this.rows?.end();
      if (this.isBegun) await this.demarcation.commit(this);
    } catch (error) {
      await this.#refused(error);
    }
    if (this.hasWritten) await this.engine.servers.noteCommit(this.owner.identity, this.slot.lease);
    try {
      await this.#giveBack();
    } catch (error) {
      throw outcomeUnknown('COMMIT was done in memory, and the file could not be written', error);
    }
  }

  async #refused(error: unknown): Promise<never> {
    const { isPrepared, xid } = this.demarcation;
    const { kind, outcome } = isPrepared ? classifyFailure(error) : classifyCommitFailure(error);
    const isRolledBack = outcome === 'rolledBack' && (!isPrepared || kind === 'transactionLost');
    if (isRolledBack && this.isBegun) {
      await this.rollback();
      throw error;
    }
    this.#noteWrite();
    this.lose(error);
    throw isPrepared
      ? inDoubt(xid!, error)
      : outcomeUnknown('no answer to COMMIT came that would tell', error);
  }

  /**
   * ROLLBACK, then the connection goes back; where that fails it is destroyed, which rolls back as well.
   *
   * @throws `SS_ERR_COMMIT_OUTCOME_UNKNOWN` where it was prepared: then the server keeps it
   */
  async rollback(): Promise<void> {
    if (this.slot.lease === undefined) return;
    const { isPrepared, xid } = this.demarcation;
    try {
      await this.rows?.end();
      if (this.isBegun) await this.demarcation.rollback(this);
      await this.#giveBack();
    } catch (error) {
      this.#end()?.destroy();
      if (!isPrepared || isNoBranch(error)) return;
      this.owner.spoilt(leftPrepared(xid!, error));
      throw inDoubt(xid!, error);
    }
  }

  /** Gives the connection up at once, whatever is going on there: it is closed, and the server rolls back. */
  discard(reason: unknown): void {
    const { mayBePrepared, xid } = this.demarcation;
    this.leasing.giveUp();
    this.wire.giveUp(this.slot.lease, reason);
    void this.rows?.end(reason);
    this.#end()?.destroy();
    if (mayBePrepared) this.owner.spoilt(leftPrepared(xid!, reason));
  }

  /** As in SQLAlchemy: where one connection was lost, nobody is given one from before. */
  protected lose(error: unknown): void {
    if (concernsOthers(classifyFailure(error))) this.slot.lease?.invalidateOthers();
    this.#end()?.destroy();
  }

  /** It may be stored. */
  #noteWrite(): void {
    if (this.hasWritten) this.engine.servers.noteWrite(this.owner.identity);
  }

  async #giveBack(): Promise<void> {
    // In order, on one connection. oxlint-disable-next-line no-await-in-loop
    for (const sql of this.engine.backend.endStatements(this.options)) await this.raw(sql);
    if (this.isAltered) this.#end()?.destroy();
    else await this.#end()?.release();
  }

  #end(): Lease | undefined {
    const { lease } = this.slot;
    this.slot.lease = undefined;
    this.isBegun = this.wasSeenOpen = this.hasWritten = this.isAltered = false;
    this.demarcation = this.#onePhase;
    return lease;
  }
}
