/** Transfers of money, each in a unit of work of its own, and what was told of them. */
import { randomUUID } from 'node:crypto';
import { CommitOutcomeUnknownError, type ScopedSession } from 'nestjs-scoped-session';
import { ACCOUNTS, Books, OPENING, type Told } from './books.js';
import type { TestDatabase } from './databases.js';

export class Ledger extends Books {
  private constructor(
    database: Pick<TestDatabase, 'ask'>,
    private readonly session: ScopedSession,
    heard?: (request: string, told: Told) => void,
  ) {
    super(database, heard);
  }

  /** Empty books, and accounts with the same money each. */
  static async open(
    database: Pick<TestDatabase, 'ask'>,
    session: ScopedSession,
    heard?: (request: string, told: Told) => void,
  ): Promise<Ledger> {
    for (const sql of [
      'DROP TABLE IF EXISTS ledger',
      'DROP TABLE IF EXISTS account',
      'CREATE TABLE account (id INT PRIMARY KEY, balance BIGINT NOT NULL)',
      'CREATE TABLE ledger (req CHAR(36), seq INT, acct INT, delta BIGINT, PRIMARY KEY (req, seq))',
      `INSERT INTO account VALUES ${Array.from({ length: ACCOUNTS }, (_, id) => `(${id}, ${OPENING})`).join()}`,
    ])
      await session.sessionFactory.engine!.dataSource.query(sql);
    return new Ledger(database, session, heard);
  }

  /** Moves a little money in a unit of work of its own; never rejects. */
  async transfer(options: { timeoutMs?: number } = {}): Promise<Told> {
    const request = randomUUID();
    this.write(request, 'nothing');
    const from = Math.floor(Math.random() * ACCOUNTS);
    const to = (from + 1 + Math.floor(Math.random() * (ACCOUNTS - 1))) % ACCOUNTS;
    const answer = await this.session
      .run(() => this.#move(request, from, to), options)
      .then(
        (): Told => 'ok',
        (error: unknown): Told => (error instanceof CommitOutcomeUnknownError ? 'unknown' : 'rolledBack'),
      );
    this.write(request, answer);
    return answer;
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
}
