/** The isolation levels of SQLite: it has two, which differ only where connections share a cache. */
import type { IsolationLevel } from './isolation.js';

export function levelPragma(isolation: IsolationLevel): string {
  return `PRAGMA read_uncommitted = ${isolation === 'READ UNCOMMITTED' ? 1 : 0}`;
}
