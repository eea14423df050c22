/** The databases of the consumer: the server's and sql.js, each with somebody who looks at it from outside. */
import { createConnection } from 'mysql2/promise';
import type { DataSource, DataSourceOptions } from 'typeorm';
import { Account, Note } from './entities.js';

export type Row = Record<string, unknown>;

export interface Database {
  readonly name: string;
  readonly hasServer: boolean;
  readonly options: DataSourceOptions;
  /** Asks from a connection that is none of the application's; on sql.js, which has but one, from outside of every scope. */
  ask(dataSource: DataSource, sql: string): Promise<Row[]>;
  close(): Promise<void>;
}

const COMMON = { entities: [Account, Note], synchronize: true };

export async function mysqlDatabase(url: string): Promise<Database> {
  const outside = await createConnection(url);
  return {
    name: 'mysql2',
    hasServer: true,
    options: { type: 'mysql', url, ...COMMON },
    ask: async (_dataSource, sql) => {
      const [rows] = await outside.query(sql);
      return Array.isArray(rows) ? (rows as Row[]) : [];
    },
    close: () => outside.end(),
  };
}

export function memoryDatabase(): Database {
  return {
    name: 'sql.js',
    hasServer: false,
    options: { type: 'sqljs', ...COMMON },
    ask: (dataSource, sql) => dataSource.query<Row[]>(sql),
    close: async () => undefined,
  };
}
