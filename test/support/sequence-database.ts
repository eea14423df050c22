/** A database with the tables that random sequences work on, and what is asked of it between them. */
import { createEngine, sessionFactory } from 'nestjs-scoped-session';
import { DataSource } from 'typeorm';
import type { TestDatabase } from './databases.js';
import { CLASSES } from './sequence-entities.js';
import type { TestedDatabase } from './sequences.js';
import { StatementLog } from './statement-log.js';

const TABLES = ['seq_post_tag', 'seq_remark', 'seq_post', 'seq_tag', 'seq_author'] as const;

export async function sequenceDatabase(database: TestDatabase): Promise<TestedDatabase> {
  const log = new StatementLog();
  const dataSource = new DataSource(
    database.options({
      entities: Object.values(CLASSES),
      synchronize: true,
      dropSchema: true,
      logger: log,
    }),
  );
  const engine = await createEngine(dataSource, database.engine).initialize();
  database.watch({ dataSource, close: () => engine.dispose().then(() => dataSource.destroy()) });
  let writes = 0;
  return {
    dataSource,
    factory: sessionFactory(engine),
    writes: () => {
      writes += log.take().filter(({ sql }) => /^\s*(insert|update|delete)\b/i.test(sql)).length;
      return writes;
    },
    empty: async () => {
      for (const table of TABLES) await dataSource.query(`DELETE FROM ${table}`);
      // The same keys again for the same sequence.
      if (database.kind === 'sqljs') await dataSource.query('DELETE FROM sqlite_sequence');
    },
  };
}
