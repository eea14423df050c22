/** The books of a bank: whatever fails, money is neither made nor lost, and everybody was told the truth (I4, I8). */
import { randomUUID } from 'node:crypto';
import { CommitOutcomeUnknownError, type ScopedSession } from 'nestjs-scoped-session';
import type { TestDatabase } from './databases.js';

export const ACCOUNTS = 5;
const OPENING = 1_000;

/** `nothing`: no answer came, or none yet. */
export type Told = 'ok' | 'rolledBack' | 'unknown' | 'nothing';

/** How many rows of a transfer there may be: never one. */
const POSSIBLE: Record<Told, readonly number[]> = {
  ok: [2],
  rolledBack: [0],
  unknown: [0, 2],
  nothing: [0, 2],
};

export class Ledger {
  /** What whoever asked for a transfer was told. */
  readonly told = new Map<string, Told>();

  private constructor(
    private readonly database: TestDatabase,
    private readonly session: ScopedSession,
  ) {}

  /** Empty books, and accounts with the same money each. */
  static async open(database: TestDatabase, session: ScopedSession): Promise<Ledger> {
    for (const sql of [
      'DROP TABLE IF EXISTS ledger',
      'DROP TABLE IF EXISTS account',
      'CREATE TABLE account (id INT PRIMARY KEY, balance BIGINT NOT NULL)',
      'CREATE TABLE ledger (req CHAR(36), seq INT, acct INT, delta BIGINT, PRIMARY KEY (req, seq))',
      `INSERT INTO account VALUES ${Array.from({ length: ACCOUNTS }, (_, id) => `(${id}, ${OPENING})`).join()}`,
    ])
      await session.sessionFactory.engine!.dataSource.query(sql);
    return new Ledger(database, session);
  }

  /** Moves a little money in a unit of work of its own; never rejects. */
  async transfer(options: { timeoutMs?: number } = {}): Promise<Told> {
    const request = randomUUID();
    const from = Math.floor(Math.random() * ACCOUNTS);
    const to = (from + 1 + Math.floor(Math.random() * (ACCOUNTS - 1))) % ACCOUNTS;
    const answer = await this.session
      .run(() => this.#move(request, from, to), options)
      .then(
        (): Told => 'ok',
        (error: unknown): Told => (error instanceof CommitOutcomeUnknownError ? 'unknown' : 'rolledBack'),
      );
    this.told.set(request, answer);
    return answer;
  }

  /** How many were told what. */
  counts(): Record<Told, number> {
    const counts = { ok: 0, rolledBack: 0, unknown: 0, nothing: 0 };
    for (const told of this.told.values()) counts[told] += 1;
    return counts;
  }

  async #move(request: string, from: number, to: number): Promise<void> {
    const both = [
      { seq: 1, acct: from, delta: -1 },
      { seq: 2, acct: to, delta: 1 },
    ];
    // In the order of the accounts, so that transfers do not deadlock.
    for (const { acct, delta } of both.toSorted((one, other) => one.acct - other.acct))
      await this.session.execute('UPDATE account SET balance = balance + :delta WHERE id = :acct', {
        acct,
        delta,
      });
    await this.session.execute(
      'INSERT INTO ledger VALUES (:request, :seq, :acct, :delta)',
      both.map((row) => ({ request, ...row })),
    );
  }

  /** Where what the server has does not fit what was told. */
  async wrong(): Promise<string[]> {
    const stored = new Map<string, number>();
    for (const { req } of await this.database.ask<{ req: string }>('SELECT req FROM ledger'))
      stored.set(req, (stored.get(req) ?? 0) + 1);
    const found = [...this.told]
      .filter(([request, told]) => !POSSIBLE[told].includes(stored.get(request) ?? 0))
      .map(([request, told]) => `${stored.get(request) ?? 0} rows of a transfer that was told ${told}`);
    for (const request of stored.keys()) {
      if (!this.told.has(request)) found.push('rows of a transfer that nobody asked for');
    }
    const accounts = await this.database.ask<{ balance: string; deltas: string }>(
      `SELECT balance, ${OPENING} + COALESCE((SELECT SUM(delta) FROM ledger WHERE acct = id), 0) AS deltas FROM account`,
    );
    for (const { balance, deltas } of accounts) {
      if (Number(balance) !== Number(deltas)) found.push(`a balance of ${balance} instead of ${deltas}`);
    }
    const sum = accounts.reduce((total, { balance }) => total + Number(balance), 0);
    if (sum !== ACCOUNTS * OPENING) found.push(`${sum} of ${ACCOUNTS * OPENING} in all`);
    return found;
  }
}
