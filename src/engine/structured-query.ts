/** TypeORM's own query, with the last argument that is missing in its interface. */
import type { QueryResult, QueryRunner } from 'typeorm';

export type StructuredQuery = (
  this: QueryRunner,
  sql: string,
  parameters: unknown[] | undefined,
  useStructuredResult: true,
) => Promise<QueryResult>;
