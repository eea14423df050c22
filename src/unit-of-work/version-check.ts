/** Checks the versions of rows that TypeORM is going to write itself: it would not look at them. */
import type { QueryRunner } from 'typeorm';
import { isSqlite } from './key-making.js';
import type { Write } from './listeners.js';
import { staleRows } from './stale-rows.js';
import { inChunks, StatementText } from './statement-text.js';
import { inKeyOrder, storedKey, storedVersion } from './stored-row.js';
import type { TrackedObject } from './tracked-object.js';
import { dataSourceOf } from './typeorm-versions.js';

/** Rows of one class; they are locked, so that what was found is true until they are written. */
export async function checkVersions(
  runner: QueryRunner,
  write: Exclude<Write, 'insert'>,
  rows: readonly { readonly tracked: TrackedObject; readonly base: TrackedObject }[],
): Promise<void> {
  const versioned = inKeyOrder(rows.filter(({ base }) => storedVersion(base).length > 0));
  const [first] = versioned;
  if (first === undefined) return;
  const { metadata } = first.tracked.shape;
  const { driver } = dataSourceOf(runner);
  for (const chunk of inChunks(versioned, metadata.primaryColumns.length + 1)) {
    const text = new StatementText(driver);
    const found = chunk.map(({ tracked, base }) => [...storedKey(tracked, base), ...storedVersion(base)]);
    const sql =
      `SELECT ${text.names(metadata.primaryColumns)} FROM ${text.table(metadata)} WHERE ${text.anyOf(found)}` +
      // SQLite has one writer at a time.
      (isSqlite(driver) ? '' : ' FOR UPDATE');
    const records = (await runner.query(sql, text.parameters)) as unknown[];
    if (records.length === chunk.length) continue;
    const what = write === 'remove' ? 'DELETE from' : 'UPDATE of';
    throw staleRows(`${what} table ${metadata.tableName} was to find ${chunk.length} row(s)`, records.length);
  }
}
