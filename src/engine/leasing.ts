/** How a unit of work gets its connection: once for each transaction, and not when it was given up meanwhile. */
import type { QueryRunner } from 'typeorm';
import { couldNotBegin } from './connection-unavailable.js';
import type { Engine } from './engine.js';
import type { BeginSettings } from './isolation.js';
import type { Lease } from './lease.js';
import type { RunnerOwner } from './runner-owner.js';
import type { StatementWire } from './statement-wire.js';

export class Leasing {
  #options: BeginSettings = {};
  /** The begin that is under way; a connection that arrives for another one is handed back. */
  #attempt: object | undefined;

  constructor(
    private readonly engine: Engine,
    private readonly owner: RunnerOwner,
    private readonly runner: QueryRunner,
    private readonly wire: StatementWire,
  ) {}

  /** Those of the transaction that the connection was taken for. */
  get options(): BeginSettings {
    return this.#options;
  }

  /** At once where a connection is free; a connection that is held stays. */
  lease(): Promise<void> | undefined {
    const { label, identity, leaseSlot } = this.owner;
    if (leaseSlot.lease !== undefined) return undefined;
    this.#options = this.owner.transactionOptions();
    this.engine.refuseUnusable(this.#options);
    const attempt = (this.#attempt = {});
    const { readOnly = false } = this.#options;
    const acquired = this.engine.acquire({ label, owner: identity, runner: this.runner, readOnly });
    if (acquired instanceof Promise) return this.#arriving(acquired, attempt);
    leaseSlot.lease = acquired;
    return undefined;
  }

  giveUp(): void {
    this.#attempt = undefined;
  }

  /** A pool may answer after the wait for it was given up: then the connection goes back. */
  async #arriving(acquired: Promise<Lease>, attempt: object): Promise<void> {
    const { label, leaseSlot } = this.owner;
    try {
      await this.wire.waitFor(acquired, (lease) => {
        if (this.#attempt === attempt) leaseSlot.lease = lease;
        else void lease.release();
      });
    } catch (error) {
      throw couldNotBegin(label, error);
    }
  }
}
