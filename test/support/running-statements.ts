/** Statements that do not end by themselves, and whether a server still works on them. */
import type { TestDatabase } from './databases.js';

export const endless = ({ kind }: TestDatabase): string =>
  kind === 'mariadb' ? 'SELECT SLEEP(3600)' : 'SELECT pg_sleep(3600)';

/** Whether the server works on the statement. */
export async function isRunning(database: TestDatabase, statement: string): Promise<boolean> {
  const sql =
    database.kind === 'mariadb'
      ? 'SELECT info AS statement FROM information_schema.processlist'
      : "SELECT query AS statement FROM pg_stat_activity WHERE state = 'active'";
  const rows = await database.ask<{ statement: string | null }>(sql);
  return rows.some((row) => row.statement === statement);
}
