/** How a transaction gets its lease: at once where a connection is free, and never for a begin that was given up. */
import type { QueryRunner } from 'typeorm';
import { couldNotBegin } from './connection-unavailable.js';
import type { Engine } from './engine.js';
import type { BeginSettings } from './isolation.js';
import type { Lease } from './lease.js';
import type { RunnerOwner } from './runner-owner.js';
import type { StatementWire } from './statement-wire.js';

export class LeaseTaking {
  /** The begin that is under way; a connection that arrives for another one is handed back. */
  #attempt: object | undefined;

  constructor(
    private readonly engine: Engine,
    private readonly owner: RunnerOwner,
    private readonly runner: QueryRunner,
    private readonly wire: StatementWire,
  ) {}

  take({ readOnly = false }: BeginSettings): Promise<void> | undefined {
    const { label, identity, leaseSlot } = this.owner;
    const attempt = (this.#attempt = {});
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
    try {
      await this.wire.waitFor(acquired, (lease) => {
        if (this.#attempt === attempt) this.owner.leaseSlot.lease = lease;
        else void lease.release();
      });
    } catch (error) {
      throw couldNotBegin(this.owner.label, error);
    }
  }
}
