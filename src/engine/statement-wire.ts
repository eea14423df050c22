/** The way of one unit of work's statements to the server: limited in time, given up and cancelled from outside. */
import type { QueryResult, QueryRunner } from 'typeorm';
import { StatementTimeoutError } from '../errors.js';
import type { Engine } from './engine.js';
import type { Lease } from './lease.js';
import type { StructuredQuery } from './structured-query.js';

type Reject = (reason: unknown) => void;

export class StatementWire {
  /** The driver's own members, under the session's. */
  readonly #plain: QueryRunner;
  /** Rejects what is waited for now. */
  #underWay: Reject | undefined;
  #isPassing = false;

  constructor(
    private readonly engine: Engine,
    private readonly runner: QueryRunner,
    private readonly owner: { readonly label: string },
  ) {
    this.#plain = Object.getPrototypeOf(Object.getPrototypeOf(runner)) as QueryRunner;
  }

  /** TypeORM's own code is asking the runner for its connection, to send what passes here. */
  get isPassing(): boolean {
    return this.#isPassing;
  }

  /** Sends one statement; its promise is settled whatever becomes of the connection, once `giveUp` was called. */
  send(lease: Lease, sql: string, parameters?: unknown[]): Promise<QueryResult> {
    const { sender } = this.engine.backend;
    const timeoutMs = this.engine.statementTimeoutMs;
    return new Promise((resolve, reject) => {
      this.#underWay = reject;
      const timer = timeoutMs === Infinity ? undefined : this.#startTimer(timeoutMs, lease, reject);
      const answered = (result: QueryResult): void => {
        this.#settled(reject, timer);
        resolve(result);
      };
      const failed = (error: unknown): void => {
        this.#settled(reject, timer);
        reject(error);
      };
      try {
        if (sender !== null && !this.engine.hasSubscribers)
          sender(this.runner, lease.raw, sql, parameters, answered, failed);
        else this.#pass(sql, parameters).then(answered, failed);
      } catch (error) {
        failed(error);
      }
    });
  }

  /** Through TypeORM's own runner, which tells its subscribers. */
  #pass(sql: string, parameters: unknown[] | undefined): Promise<QueryResult> {
    const { query } = this.#plain as unknown as { query: StructuredQuery };
    return this.#passing(() => query.call(this.runner, sql, parameters, true));
  }

  /** TypeORM asks for the connection at once, or when subscribers have answered. */
  async #passing<T>(call: () => Promise<T>): Promise<T> {
    this.#isPassing = true;
    try {
      return await call();
    } finally {
      this.#isPassing = false;
    }
  }

  /** TypeORM's stream; as long as it is open a statement is under way. */
  async stream(...given: Parameters<QueryRunner['stream']>): ReturnType<QueryRunner['stream']> {
    const rows = await this.#passing(() => this.#plain.stream.apply(this.runner, given));
    const stop: Reject = (reason) => void rows.destroy(reason as Error);
    this.#underWay = stop;
    rows.once('close', () => this.#settled(stop, undefined));
    return rows;
  }

  /** Waits for something that `giveUp` may end. */
  waitFor<T>(arriving: Promise<T>, arrived: (value: T) => void): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#underWay = reject;
      arriving.then(
        (value) => {
          this.#settled(reject, undefined);
          arrived(value);
          resolve();
        },
        (error: unknown) => {
          this.#settled(reject, undefined);
          reject(error);
        },
      );
    });
  }

  /** Ends what is under way: on the server too where there is one, and for whoever waits here. */
  giveUp(lease: Lease | undefined, reason: unknown): void {
    const reject = this.#underWay;
    if (reject === undefined) return;
    this.#underWay = undefined;
    if (lease !== undefined) this.engine.backend.cancel(lease.raw);
    reject(reason);
  }

  #startTimer(timeoutMs: number, lease: Lease, reject: Reject): NodeJS.Timeout {
    return setTimeout(() => {
      if (this.#underWay === reject) this.giveUp(lease, timeout(this.owner.label, timeoutMs));
    }, timeoutMs);
  }

  #settled(reject: Reject, timer: NodeJS.Timeout | undefined): void {
    if (timer !== undefined) clearTimeout(timer);
    // The answer to what was given up comes late, and somebody else may be waiting.
    if (this.#underWay === reject) this.#underWay = undefined;
  }
}

function timeout(label: string, timeoutMs: number): StatementTimeoutError {
  return new StatementTimeoutError(
    `A statement of ${label} took longer than ${timeoutMs} ms (statementTimeoutMs). It was cancelled, its connection was ` +
      'closed, and the transaction is rolled back. Make the statement cheaper, look for who holds its locks, or raise the limit.',
    { outcome: 'rolledBack' },
  );
}
