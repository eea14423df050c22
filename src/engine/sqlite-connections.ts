/** The option that gives each unit of work on a SQLite file a handle of its own, and where it makes no sense. */
import type { DataSource } from 'typeorm';
import { InvalidOptionError } from '../errors.js';
import type { EngineOptions } from './engine-options.js';

/** A database without a file is one handle's own: a second one would find it empty. */
const IN_NO_FILE = /^\s*$|:memory:|\bmode=memory\b/;

/** @throws {@link InvalidOptionError} `SS_ERR_INVALID_OPTION` for `perSession` on anything else than a file of better-sqlite3 */
export function refuseHandlesWithoutFile(
  { options }: DataSource,
  { sqliteConnections }: EngineOptions,
): void {
  if (sqliteConnections !== 'perSession') return;
  const { type, database } = options;
  if (type === 'better-sqlite3' && typeof database === 'string' && !IN_NO_FILE.test(database)) return;
  const given = type === 'better-sqlite3' ? 'a database in memory, or a temporary one' : type;
  throw new InvalidOptionError(
    `sqliteConnections 'perSession' needs a database file opened by better-sqlite3, not ${given}: leave it out, or 'shared'.`,
  );
}
