/** Deletes rows, many with one statement, each by its key and its version. */
import type { QueryRunner } from 'typeorm';
import { staleRows } from './stale-rows.js';
import { inChunks, StatementText } from './statement-text.js';
import { inKeyOrder, storedKey, storedVersion } from './stored-row.js';
import type { TrackedObject } from './tracked-object.js';
import { dataSourceOf } from './typeorm-versions.js';

/** Objects of one class. Rows that are gone already are what was wanted: that is only told, unless they had a version. */
export async function deleteRows(
  runner: QueryRunner,
  objects: readonly TrackedObject[],
  warn: (message: string) => void,
): Promise<void> {
  const rows = inKeyOrder(objects.map((tracked) => ({ tracked, base: tracked })));
  for (const isVersioned of [false, true]) {
    const group = rows.filter(({ base }) => storedVersion(base).length > 0 === isVersioned);
    const valuesOfRow = (group[0]?.tracked.shape.metadata.primaryColumns.length ?? 0) + 1;
    for (const chunk of inChunks(group, valuesOfRow)) {
      const { metadata } = chunk[0]!.tracked.shape;
      const text = new StatementText(dataSourceOf(runner).driver);
      const found = chunk.map(({ tracked, base }) => [...storedKey(tracked, base), ...storedVersion(base)]);
      const sql = `DELETE FROM ${text.table(metadata)} WHERE ${text.anyOf(found)}`;
      const { affected } = await runner.query(sql, text.parameters, true);
      if (affected === chunk.length) continue;
      const wanted = `DELETE from table ${metadata.tableName} was to find ${chunk.length} row(s)`;
      if (isVersioned) throw staleRows(wanted, affected);
      warn(`${wanted} and found ${affected ?? 'none'}: the rest were gone already.`);
    }
  }
}
