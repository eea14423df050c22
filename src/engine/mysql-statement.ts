/** Sends a statement through mysql2 as TypeORM's runner does, without its promises, where no subscriber listens. */
import { type DataSource, QueryFailedError, QueryResult, type QueryRunner } from 'typeorm';
import type { StatementSender } from './backend.js';

interface Connection {
  query(
    sql: string | { sql: string; timeout: number },
    parameters: unknown[] | undefined,
    answered: (error: Error | null, raw: unknown) => void,
  ): void;
}

interface Options {
  readonly maxQueryExecutionTime?: number;
  readonly enableQueryTimeout?: boolean;
}

/** Logs, limits and reports as TypeORM: what an application has set up to watch its statements sees these too. */
export function mysqlSender(dataSource: DataSource): StatementSender {
  const { logger } = dataSource;
  const { maxQueryExecutionTime: slowMs, enableQueryTimeout } = dataSource.options as Options;
  const limited = enableQueryTimeout === true && slowMs !== undefined && slowMs > 0;

  return (runner: QueryRunner, connection, sql, parameters, resolve, reject) => {
    logger.logQuery(sql, parameters, runner);
    const sentAt = slowMs === undefined ? 0 : Date.now();
    const answered = (error: Error | null, raw: unknown): void => {
      const tookMs = slowMs === undefined ? 0 : Date.now() - sentAt;
      if (slowMs !== undefined && slowMs > 0 && tookMs > slowMs)
        logger.logQuerySlow(tookMs, sql, parameters, runner);
      if (error === null) return resolve(resultOf(raw));
      logger.logQueryError(error, sql, parameters, runner);
      reject(new QueryFailedError(sql, parameters, error));
    };
    (connection as Connection).query(limited ? { sql, timeout: slowMs } : sql, parameters, answered);
  };
}

function resultOf(raw: unknown): QueryResult {
  const result = new QueryResult();
  result.raw = raw;
  if (Array.isArray(raw)) result.records = [...raw] as unknown[];
  else {
    const { affectedRows } = raw as { affectedRows?: number };
    if (affectedRows !== undefined) result.affected = affectedRows;
  }
  return result;
}
