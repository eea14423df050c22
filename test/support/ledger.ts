/** Transfers of money, each in a unit of work of its own, and what was told of them. */
import { randomUUID } from 'node:crypto';
import { CommitOutcomeUnknownError, type RunOptions, type ScopedSession } from 'nestjs-scoped-session';
import { ACCOUNTS, Books, OPENING, type Told } from './books.js';
import type { TestDatabase } from './databases.js';

export interface TransferOptions extends Pick<RunOptions, 'timeoutMs' | 'retry'> {
  /** Another way to the same books, such as another node of a cluster. */
  readonly session?: ScopedSession;
  /** From 0 to 1. */
  readonly random?: () => number;
}

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
  async transfer(options: TransferOptions = {}): Promise<Told> {
    const { session = this.session, random = Math.random, ...run } = options;
    const request = randomUUID();
    this.write(request, 'nothing');
    const from = Math.floor(random() * ACCOUNTS);
    const to = (from + 1 + Math.floor(random() * (ACCOUNTS - 1))) % ACCOUNTS;
    const answer = await session
      .run(() => move(session, { request, from, to }), run)
      .then(
        (): Told => 'ok',
        (error: unknown): Told => (error instanceof CommitOutcomeUnknownError ? 'unknown' : 'rolledBack'),
      );
    this.write(request, answer);
    return answer;
  }
}

interface Move {
  readonly request: string;
  readonly from: number;
  readonly to: number;
}

async function move(session: ScopedSession, { request, from, to }: Move): Promise<void> {
  const both = [
    { seq: 1, acct: from, delta: -1 },
    { seq: 2, acct: to, delta: 1 },
  ];
  // In the order of the accounts, so that transfers do not deadlock.
  for (const { acct, delta } of both.toSorted((one, other) => one.acct - other.acct))
    await session.execute('UPDATE account SET balance = balance + :delta WHERE id = :acct', {
      acct,
      delta,
    });
  await session.execute(
    'INSERT INTO ledger VALUES (:request, :seq, :acct, :delta)',
    both.map((row) => ({ request, ...row })),
  );
}
