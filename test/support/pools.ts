/** Pools of the conformance rows: those who hold their connections, and what the server itself counts. */
import type { SessionBase } from 'nestjs-scoped-session';
import type { TestDatabase } from './databases.js';
import { type Users, users } from './users.js';

export const named = (name: string): { name: string; nick: null } => ({ name, nick: null });

/** A pool of `size`, which on SQLite is always one, for writers. */
export const pool = (database: TestDatabase, size: number, timeoutMs = 30_000): Promise<Users> =>
  users(database, {
    dataSource: { poolSize: size },
    engine: { poolTimeoutMs: timeoutMs, gateTimeoutMs: timeoutMs },
  });

/** A deadline for those who come from now on; opening a connection takes a part of it too. */
export const setDeadline = ({ engine }: Users, timeoutMs: number): void =>
  engine.configure({ poolTimeoutMs: timeoutMs, gateTimeoutMs: timeoutMs });

/** Sessions that hold one connection each. */
export async function hold(test: Users, count: number): Promise<SessionBase[]> {
  const sessions = Array.from({ length: count }, (_, number) =>
    test.factory.create({ label: `holder ${number + 1}` }),
  );
  for (const session of sessions) await session.execute('SELECT 1');
  return sessions;
}

/** How many connections of the test's user the server itself counts. */
export async function connections(database: TestDatabase): Promise<number> {
  const rows = await database.ask<{ count: number | string }>(
    database.kind === 'mariadb'
      ? `SELECT COUNT(*) AS count FROM information_schema.processlist WHERE user = '${database.user}'`
      : `SELECT COUNT(*) AS count FROM pg_stat_activity WHERE usename = '${database.user}'`,
  );
  return Number(rows[0]?.count);
}
