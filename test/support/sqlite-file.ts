/** better-sqlite3 as the tests use it, past everything that is tested. */
import { createRequire } from 'node:module';

export interface SqliteHandle {
  readonly open: boolean;
  readonly inTransaction: boolean;
  prepare<Row>(sql: string): { all(...parameters: unknown[]): Row[] };
  exec(sql: string): unknown;
  pragma(text: string, options?: { simple: true }): unknown;
  close(): void;
}

/** The package has no types of its own. */
export const Database = createRequire(import.meta.url)('better-sqlite3') as new (
  file: string,
  options?: { timeout?: number; readonly?: boolean },
) => SqliteHandle;
