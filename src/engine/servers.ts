/** The servers of one DataSource: a primary, and perhaps replicas; who is served by which, and who has written what. */
import { InvalidParameterError } from '../errors.js';
import type { Backend } from './backend.js';
import { withDeadline } from './deadline.js';
import type { EngineSettings } from './engine-options.js';
import { classifyFailure, concernsOthers } from './failures.js';
import type { Lease, LeaseHolder, LeaseOwner } from './lease.js';
import { type Lender, Lending } from './lending.js';
import { OwnWrites } from './own-writes.js';
import { Replica, type ReplicaStatus } from './replica.js';
import { type ReplicaOrder, Replicas } from './replicas.js';

/** What the primary has to say where a transaction ends there. */
const ANSWER_TIMEOUT_MS = 1_000;
const noAnswer = (): Error =>
  Object.assign(new Error('The primary did not tell its position.'), { code: 'ETIMEDOUT' });

export class Servers {
  readonly #primary: Lending;
  readonly #replicas: readonly Replica[];
  /** Where there are no replicas these are served by the primary, and nothing is remembered. */
  readonly #readers: Lender;
  readonly #writes: OwnWrites | undefined;

  constructor(
    private readonly backend: Backend,
    private readonly settings: () => EngineSettings,
    order: ReplicaOrder,
  ) {
    this.#primary = this.#readers = new Lending(backend);
    const { replicas: pools = [], positions } = backend;
    const retryMs = (): number => settings().replicaRetryMs;
    this.#replicas = pools.map((pool) => new Replica(pool, positions!, retryMs));
    if (pools.length === 0) return;
    const writes = (this.#writes = new OwnWrites((one, other) => positions!.later(one, other)));
    const waitMs = (): number => settings().replicaWaitMs;
    this.#readers = new Replicas({ replicas: this.#replicas, primary: this.#primary, writes, order, waitMs });
  }

  acquire(holder: LeaseHolder, timeoutMs: number): Lease | Promise<Lease> {
    return (holder.readOnly === true ? this.#readers : this.#primary).acquire(holder, timeoutMs);
  }

  get replicas(): readonly ReplicaStatus[] {
    return this.#replicas.map(({ status }) => status);
  }

  /** Whether who only reads may begin on another server when `error` came at this attempt (0 is the first) to begin. */
  hasOther(error: unknown, attempt: number): boolean {
    return attempt < this.#replicas.length && concernsOthers(classifyFailure(error));
  }

  /** Replaces every connection that was opened until now, to every server. */
  invalidate(): void {
    this.backend.invalidate();
    for (const replica of this.#replicas) replica.invalidate();
  }

  /** `owner` may have stored something, at a place that nobody knows: it stays with the primary. */
  noteWrite(owner: LeaseOwner): void {
    this.#writes?.note(owner, undefined);
  }

  /** The same for a COMMIT that was acknowledged on `lease`; asks for the place where replicas are waited for. */
  noteCommit(owner: LeaseOwner, lease: Lease | undefined): Promise<void> | undefined {
    if (this.#writes === undefined) return undefined;
    if (this.settings().replicaWaitMs > 0 && lease !== undefined) return this.#notePosition(owner, lease);
    this.noteWrite(owner);
    return undefined;
  }

  /** Never rejects: what is stored is stored. */
  async #notePosition(owner: LeaseOwner, lease: Lease): Promise<void> {
    let position: string | undefined;
    try {
      const reading = this.backend.positions!.read(lease.raw);
      position = await withDeadline(reading, ANSWER_TIMEOUT_MS, noAnswer, () => undefined);
    } catch (error) {
      if (classifyFailure(error).fatal) lease.destroy();
    }
    this.#writes!.note(owner, position);
  }

  /** Where the last write of `owner` stands in the primary's log, as far as that is known. */
  positionOf(owner: LeaseOwner): string | undefined {
    return this.#writes?.of(owner)?.position;
  }

  /**
   * `owner` is to see what somebody stored who was told `position`.
   *
   * @throws {@link InvalidParameterError} `SS_ERR_INVALID_PARAMETER` for a text that is no position
   */
  readAfter(owner: LeaseOwner, position: unknown): void {
    const { positions } = this.backend;
    if (typeof position !== 'string' || positions?.isPosition(position) === false)
      throw new InvalidParameterError(
        'readAfter takes a position as session.writePosition has it: GTIDs of MariaDB or MySQL, an LSN of PostgreSQL.',
      );
    this.#writes?.note(owner, position);
  }
}
