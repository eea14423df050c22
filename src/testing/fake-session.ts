/** `fakeSession`: a session without a database, for unit tests of services. */
import type { ObjectLiteral } from 'typeorm';
import { InvalidOptionError, type Outcome } from '../errors.js';
import { FakeObjectSession } from './fake-object-session.js';
import { type FakeObjectsOptions, unknown } from './fake-objects.js';
import { FakePlace } from './fake-place.js';
import {
  type EntityClass,
  type SessionQuery,
  ScopedSession,
  type SessionBase,
  sessionFactory,
  StatementResult,
  type StatementParameters,
  TransactionHooks,
} from '../session/index.js';

/** One statement that the code under test has executed. */
export interface FakeStatement {
  readonly sql: string;
  readonly parameters: unknown;
}

/** What the fake database answers: rows, or what a write changed. */
export type FakeAnswer =
  | readonly object[]
  | { readonly affectedRows?: number; readonly insertId?: number; readonly rows?: readonly object[] };

/** Answers a statement; nothing means no rows. */
export type FakeAnswers = (statement: FakeStatement) => FakeAnswer | undefined | void;

/** What happened to the fake transaction, in order. */
export const FAKE_EVENTS = ['begin', 'commit', 'rollback', 'beginNested'] as const;
/** One of `FAKE_EVENTS`. */
export type FakeEvent = (typeof FAKE_EVENTS)[number];

/**
 * A session, and a `ScopedSession` to inject in its place, that sends nothing and writes down what it was asked.
 *
 * `get`, `find` and their kin answer from the given objects and those that were added, by plain values (`{ owner: 'Ada' }`);
 * operators, relations in conditions and the query builder are refused with an error that says so. `add`, `delete`, `merge`
 * and `flush` keep lists: no key is made, nothing cascades, a change of an object is there at once and stays.
 *
 * @param answers - what statements answer; left out, no rows
 * @param options - `objects`, as if they were stored; `key`, what names an object's row, by default its `id`
 *
 * @example
 * ```ts
 * import { fakeSession } from 'nestjs-scoped-session/testing';
 * class Account {
 *   constructor(readonly id: number, public cents: number) {}
 * }
 * const { session, statements } = fakeSession(() => [{ cents: 5 }], { objects: [new Account(1, 100)] });
 * const account = await session.getOrFail(Account, 1);
 * await session.scalar('SELECT cents FROM account WHERE id = :id', { id: 1 });
 * console.log(account.cents, statements);
 * ```
 */
export function fakeSession(
  answers: FakeAnswers = () => undefined,
  options: FakeObjectsOptions = {},
): {
  readonly session: SessionBase;
  readonly scopedSession: ScopedSession;
  readonly statements: FakeStatement[];
  readonly events: FakeEvent[];
} {
  const statements: FakeStatement[] = [];
  const events: FakeEvent[] = [];
  const session = new FakeSession(
    (statement) => {
      statements.push(statement);
      return answers(statement);
    },
    (event) => events.push(event),
    options,
  );
  return { session, scopedSession: new FakeScopedSession(session), statements, events };
}

class FakeSession extends FakeObjectSession {
  readonly #answer: FakeAnswers;
  readonly #note: (event: FakeEvent) => void;
  readonly #hooks = new TransactionHooks({
    label: 'a fake session',
    warn: (message) => process.emitWarning(message),
  });
  #hasBegun = false;

  constructor(answer: FakeAnswers, note: (event: FakeEvent) => void, options: FakeObjectsOptions) {
    super(options);
    this.#answer = answer;
    this.#note = note;
  }

  override inTransaction(): boolean {
    return this.#hasBegun;
  }

  override async begin(): Promise<void> {
    this.#hasBegun = true;
    this.#note('begin');
  }

  override async commit(): Promise<void> {
    await this.#hooks.beforeCommit();
    this.#hasBegun = false;
    this.objects.flush();
    this.#note('commit');
    await this.#ended('committed');
  }

  override async rollback(): Promise<void> {
    this.#hasBegun = false;
    this.objects.rollback();
    this.#note('rollback');
    await this.#ended('rolledBack');
  }

  async #ended(outcome: Outcome): Promise<void> {
    this.#hooks.ended(outcome);
    await this.#hooks.tell();
  }

  override beforeCommit(hook: () => Promise<void> | void): void {
    this.#hooks.add('beforeCommit', hook, 0);
  }

  override afterCommit(hook: () => Promise<void> | void): void {
    this.#hooks.add('afterCommit', hook, 0);
  }

  override afterRollback(hook: () => Promise<void> | void): void {
    this.#hooks.add('afterRollback', hook, 0);
  }

  override afterCompletion(hook: (outcome: Outcome) => Promise<void> | void): void {
    this.#hooks.add('afterCompletion', hook, 0);
  }

  override async close(): Promise<void> {
    this.objects.rollback();
    if (this.#hasBegun) await this.rollback();
  }

  override async reset(): Promise<void> {
    await this.close();
  }

  override async invalidate(): Promise<void> {
    await this.close();
  }

  override setRollbackOnly(): void {
    // There is nothing that could be kept.
  }

  override get writePosition(): undefined {
    return undefined;
  }

  override readAfter(): void {
    // There is one place to read from.
  }

  // The handle has no meaning without a database; the block runs as it is.
  override async beginNested(fn?: () => Promise<unknown>): Promise<never> {
    if (fn === undefined)
      throw new InvalidOptionError('A fake session knows beginNested(fn) only, not the handle.');
    this.#note('beginNested');
    return (await fn()) as never;
  }

  override async execute<Row>(
    sql: string,
    parameters: StatementParameters | readonly StatementParameters[] = {},
  ): Promise<StatementResult<Row>> {
    return this.#ask<Row>(sql, parameters);
  }

  override query<E extends ObjectLiteral>(target: EntityClass<E>, alias?: string): SessionQuery<E>;
  override query<T = unknown>(sql: string, positional?: readonly unknown[]): Promise<T>;
  override query(sql: unknown, positional?: unknown): unknown {
    if (typeof sql === 'string') return this.#query(sql, positional);
    throw unknown('a query builder');
  }

  override async *stream<Row>(sql: unknown, parameters: StatementParameters = {}): AsyncGenerator<Row> {
    if (typeof sql !== 'string') throw unknown('a query builder');
    yield* this.#ask<Row>(sql, parameters).rows;
  }

  override async paginate(): Promise<never> {
    throw unknown('paginate');
  }

  override async firstOr404(): Promise<never> {
    throw unknown('firstOr404');
  }

  override async oneOr404(): Promise<never> {
    throw unknown('oneOr404');
  }

  async #query(sql: string, positional: unknown = []): Promise<unknown> {
    return this.#ask(sql, positional).rows;
  }

  #ask<Row>(sql: string, parameters: unknown): StatementResult<Row> {
    this.#hasBegun = true;
    const answer = this.#answer({ sql, parameters }) ?? [];
    if (Array.isArray(answer)) return new StatementResult<Row>(answer as Row[], 0, undefined);
    const { rows = [], affectedRows = 0, insertId } = answer as Exclude<FakeAnswer, readonly object[]>;
    return new StatementResult<Row>(rows as Row[], affectedRows, insertId);
  }
}

class FakeScopedSession extends ScopedSession {
  readonly #session: FakeSession;

  constructor(session: FakeSession) {
    super(sessionFactory(undefined, { trackModifications: true }), new FakePlace(session));
    this.#session = session;
  }

  override async remove(): Promise<void> {
    await this.#session.close();
  }
}
