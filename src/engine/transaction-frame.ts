/** The frame of one transaction: its connection is leased, it is ended in one or two phases, the connection goes back. */
import type { QueryResult, QueryRunner } from 'typeorm';
import { SessionClosedError } from '../errors.js';
import { type Demarcation, OnePhase } from './demarcation.js';
import type { Engine } from './engine.js';
import { classifyCommitFailure, classifyFailure, concernsOthers } from './failures.js';
import type { BeginSettings } from './isolation.js';
import { LeaseTaking } from './lease-taking.js';
import type { Lease, LeaseSlot } from './lease.js';
import type { RunnerOwner } from './runner-owner.js';
import { StatementWire } from './statement-wire.js';
import { inDoubt, isNoBranch, leftPrepared, outcomeUnknown } from './verdict.js';

export class TransactionFrame {
  readonly runner: QueryRunner;
  protected readonly wire: StatementWire;
  protected readonly slot: LeaseSlot;
  protected isBegun = false;
  protected wasSeenOpen = false;
  protected isAltered = false;
  protected demarcation: Demarcation;
  #options: BeginSettings = {};
  #hasWritten = false;
  readonly #taking: LeaseTaking;
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
    this.#taking = new LeaseTaking(engine, owner, this.runner, this.wire);
    this.demarcation = this.#onePhase = new OnePhase(engine.backend.family);
  }

  get connection(): unknown {
    return this.slot.lease?.raw;
  }

  /** True when something else than a read was sent in this transaction. */
  get hasWritten(): boolean {
    return this.#hasWritten;
  }

  protected noteWrite(isWrite: boolean): void {
    this.#hasWritten ||= isWrite;
  }

  get options(): BeginSettings {
    return this.#options;
  }

  /** At once where a connection is free; a connection that is held stays. */
  protected lease(): Promise<void> | undefined {
    if (this.slot.lease !== undefined) return undefined;
    this.#options = this.owner.transactionOptions();
    this.engine.refuseUnusable(this.#options);
    return this.#taking.take(this.#options);
  }

  /** True where it was begun as a branch of a two-phase commit. */
  get isBranch(): boolean {
    return this.demarcation.xid !== undefined;
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
      await this.demarcation.prepare(this);
    } catch (error) {
      if (classifyCommitFailure(error).outcome !== 'rolledBack' && this.demarcation.mayBePrepared) {
        this.lose(error);
        this.owner.spoilt(leftPrepared(xid!, error));
        throw inDoubt(xid!, error);
      }
      await this.rollback();
      throw error;
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
      if (this.isBegun) await this.demarcation.commit(this);
    } catch (error) {
      await this.#refused(error);
    }
    try {
      await this.#giveBack();
    } catch (error) {
      throw outcomeUnknown('COMMIT was done in memory, and the file could not be written', error);
    }
  }

  async #refused(error: unknown): Promise<never> {
    const { isPrepared, xid } = this.demarcation;
    const isRolledBack = isPrepared
      ? classifyFailure(error).kind === 'transactionLost' && classifyFailure(error).outcome === 'rolledBack'
      : classifyCommitFailure(error).outcome === 'rolledBack';
    if (isRolledBack && this.isBegun) {
      await this.rollback();
      throw error;
    }
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
      if (this.isBegun) await this.demarcation.rollback(this);
      await this.#giveBack();
    } catch (error) {
      this.#destroy();
      if (!isPrepared || isNoBranch(error)) return;
      this.owner.spoilt(leftPrepared(xid!, error));
      throw inDoubt(xid!, error);
    }
  }

  /** Gives the connection up at once, whatever is going on there: it is closed, and the server rolls back. */
  discard(reason: unknown): void {
    const { mayBePrepared, xid } = this.demarcation;
    this.#taking.giveUp();
    this.wire.giveUp(this.slot.lease, reason);
    this.#destroy();
    if (mayBePrepared) this.owner.spoilt(leftPrepared(xid!, reason));
  }

  /** Sends at once, on the connection that is held. */
  raw(sql: string, parameters?: unknown[]): Promise<QueryResult> {
    const { lease } = this.slot;
    // It was given up while its statement was on the way here.
    if (lease === undefined) return Promise.reject(new SessionClosedError(this.owner.label));
    return this.wire.send(lease, sql, parameters);
  }

  async #giveBack(): Promise<void> {
    // In order, on one connection. oxlint-disable-next-line no-await-in-loop
    for (const sql of this.engine.backend.endStatements(this.#options)) await this.raw(sql);
    if (this.isAltered) this.#destroy();
    else await this.#end()?.release();
  }

  #destroy(): void {
    this.#end()?.destroy();
  }

  /** As in SQLAlchemy: where one connection was lost, nobody is given one from before. */
  protected lose(error: unknown): void {
    this.#destroy();
    if (concernsOthers(classifyFailure(error))) this.engine.invalidate();
  }

  #end(): Lease | undefined {
    const lease = this.slot.lease;
    this.slot.lease = undefined;
    this.isBegun = false;
    this.wasSeenOpen = false;
    this.#hasWritten = false;
    this.isAltered = false;
    this.demarcation = this.#onePhase;
    return lease;
  }
}
