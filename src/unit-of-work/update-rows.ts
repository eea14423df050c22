/** Changes rows: those whose same columns were changed with one statement, each by its key and its version. */
import type { QueryRunner } from 'typeorm';
import type { ColumnMetadata } from 'typeorm/metadata/ColumnMetadata.js';
import type { EntityWrites } from './entity-writes.js';
import { readBack } from './read-back.js';
import type { RowValues } from './row-values.js';
import { staleRows } from './stale-rows.js';
import { inChunks, StatementText } from './statement-text.js';
import { inKeyOrder, storedKey, storedVersion } from './stored-row.js';
import type { TrackedObject } from './tracked-object.js';
import { dataSourceOf } from './typeorm-versions.js';

export interface RowToUpdate {
  readonly tracked: TrackedObject;
  /** What the row holds: the object as it was, or another that had the row before. */
  readonly base: TrackedObject;
  readonly values: RowValues;
}

/**
 * Rows of one class.
 *
 * @param writes - left out where nobody wants to know what the database makes of them
 */
export async function updateRows(
  runner: QueryRunner,
  rows: readonly RowToUpdate[],
  writes: EntityWrites | undefined,
): Promise<void> {
  for (const group of groupsOf(rows)) {
    const columns = [...group[0]!.values.keys()];
    const { primaryColumns } = group[0]!.tracked.shape.metadata;
    const valuesOfRow = (columns.length + 1) * (primaryColumns.length + 1) + 1;
    // Everybody locks rows in the same order.
    for (const chunk of inChunks(inKeyOrder(group), valuesOfRow))
      await updateChunk(runner, chunk, columns, writes);
  }
}

async function updateChunk(
  runner: QueryRunner,
  rows: readonly RowToUpdate[],
  columns: readonly ColumnMetadata[],
  writes: EntityWrites | undefined,
): Promise<void> {
  const { metadata, columns: all } = rows[0]!.tracked.shape;
  const { versionColumn, updateDateColumn } = metadata;
  const text = new StatementText(dataSourceOf(runner).driver);
  const changes = columns.map((column) => `${text.name(column)} = ${newValue(text, rows, column)}`);
  if (versionColumn !== undefined)
    changes.push(`${text.name(versionColumn)} = ${text.name(versionColumn)} + 1`);
  const isDated = updateDateColumn !== undefined && !columns.includes(updateDateColumn);
  if (isDated)
    changes.push(`${text.name(updateDateColumn)} = ${updateDateColumn.onUpdate ?? 'CURRENT_TIMESTAMP'}`);
  const found = rows.map(({ tracked, base }) => [...storedKey(tracked, base), ...storedVersion(base)]);
  const sql = `UPDATE ${text.table(metadata)} SET ${changes.join(', ')} WHERE ${text.anyOf(found)}`;
  const { affected } = await runner.query(sql, text.parameters, true);
  if (affected !== rows.length)
    throw staleRows(`UPDATE of table ${metadata.tableName} was to change ${rows.length} row(s)`, affected);
  if (writes === undefined) return;
  const made = all.filter(
    (column) => column.asExpression !== undefined || (isDated && column === updateDateColumn),
  );
  if (versionColumn !== undefined) {
    if (storedVersion(rows[0]!.base).length === 0) made.push(versionColumn);
    else {
      for (const { tracked, base } of rows)
        writes.set(versionColumn, tracked.entity, Number(storedVersion(base)[0]![1]) + 1);
    }
  }
  await readBack(
    runner,
    rows.map(({ tracked }) => tracked),
    made,
    writes,
  );
}

function newValue(text: StatementText, rows: readonly RowToUpdate[], column: ColumnMetadata): string {
  if (rows.length === 1) return text.bind(rows[0]!.values.get(column), column);
  // The column itself, which no row takes, gives the whole the column's type: PostgreSQL would take it for text.
  const [key, ...others] = rows[0]!.tracked.shape.metadata.primaryColumns;
  // With one column for a key it is compared, and looked up by the server, once for all rows.
  const isSimple = others.length === 0;
  const cases = rows.map(({ tracked, base, values }) => {
    const named = storedKey(tracked, base);
    const when = isSimple ? text.bind(named[0]![1], key!) : text.all(named);
    return `WHEN ${when} THEN ${text.bind(values.get(column), column)}`;
  });
  return `CASE ${isSimple ? `${text.name(key!)} ` : ''}${cases.join(' ')} ELSE ${text.name(column)} END`;
}

/** A row that gets another key goes alone, so that the others are found by theirs. */
function groupsOf(rows: readonly RowToUpdate[]): RowToUpdate[][] {
  const groups = new Map<unknown, RowToUpdate[]>();
  for (const row of rows) {
    const columns = [...row.values.keys()];
    const isVersioned = storedVersion(row.base).length > 0;
    const name = columns.some(({ isPrimary }) => isPrimary)
      ? row
      : [isVersioned, ...columns.map(({ databaseName }) => databaseName)].join('\u0001');
    const group = groups.get(name);
    if (group === undefined) groups.set(name, [row]);
    else group.push(row);
  }
  return [...groups.values()];
}
