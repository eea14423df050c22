/** What is stored in the database is what the model says was committed. */
import { equal } from './sequence-comparison.js';
import { KINDS_OF_THINGS, SHAPES } from './sequence-entities.js';
import type { SequenceState } from './sequence-state.js';
import { linesOf, noTables, type Row, type Scalar } from './sequence-tables.js';

/** Asked outside of every transaction. */
export async function compareTables(run: SequenceState): Promise<void> {
  const found = noTables();
  for (const kind of KINDS_OF_THINGS) {
    const { key, columns, ends } = SHAPES[kind];
    const rows = await run.database.dataSource.query<Record<string, Scalar>[]>(`SELECT * FROM seq_${kind}`);
    for (const one of rows) {
      const row: Record<string, Scalar> = {};
      for (const column of [key, ...columns]) row[column] = one[column]!;
      for (const end of Object.keys(ends)) row[end] = one[`${end}Id`]!;
      found.rows[kind].set(String(row[key]), row);
    }
  }
  const pairs = await run.database.dataSource.query<Row[]>('SELECT post, tag FROM seq_post_tag');
  for (const { post, tag } of pairs) found.pairs.add(`${post} ${tag}`);
  equal('what is stored', linesOf(found), linesOf(run.model.committed));
}
