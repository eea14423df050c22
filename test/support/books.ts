/** The books of a bank: whatever fails, money is neither made nor lost, and everybody was told the truth (I4, I8). */
import type { TestDatabase } from './databases.js';

export const ACCOUNTS = 5;
export const OPENING = 1_000;

/** `nothing`: no answer came, or none yet. */
export type Told = 'ok' | 'rolledBack' | 'unknown' | 'nothing';

/** How many rows of a transfer there may be: never one. */
const POSSIBLE: Record<Told, readonly number[]> = {
  ok: [2],
  rolledBack: [0],
  unknown: [0, 2],
  nothing: [0, 2],
};

export class Books {
  /** What whoever asked for a transfer was told. */
  readonly told = new Map<string, Told>();

  /** @param heard - is told the same as the books */
  constructor(
    protected readonly database: Pick<TestDatabase, 'ask'>,
    private readonly heard: (request: string, told: Told) => void = () => undefined,
  ) {}

  write(request: string, told: Told): void {
    this.told.set(request, told);
    this.heard(request, told);
  }

  /** How many were told what. */
  counts(): Record<Told, number> {
    const counts = { ok: 0, rolledBack: 0, unknown: 0, nothing: 0 };
    for (const told of this.told.values()) counts[told] += 1;
    return counts;
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
