/** How many connections a DataSource's own pool may open: ours never asks it for more. */
import type { DataSource } from 'typeorm';
import { InvalidOptionError } from '../errors.js';
import type { EngineOptions } from './engine-options.js';

export function driverLimit({ options }: DataSource): number {
  const extra = options.extra as { connectionLimit?: number; max?: number } | undefined;
  return extra?.connectionLimit ?? extra?.max ?? (options as { poolSize?: number }).poolSize ?? 10;
}

/** @throws {@link InvalidOptionError} `SS_ERR_INVALID_OPTION` when the DataSource's own pool is smaller */
export function refuseLargerPool(dataSource: DataSource, { poolSize, maxOverflow = 0 }: EngineOptions): void {
  // TypeORM's SQLite drivers have no pool.
  if (['better-sqlite3', 'sqljs'].includes(dataSource.options.type)) return;
  const limit = driverLimit(dataSource);
  const wanted = (poolSize ?? limit) + maxOverflow;
  if (wanted <= limit) return;
  const overflow = maxOverflow === 0 ? '' : ` with maxOverflow ${maxOverflow}`;
  throw new InvalidOptionError(
    `poolSize ${poolSize ?? limit}${overflow} is above the limit of the DataSource's own pool, ${limit}. Raise poolSize there.`,
  );
}
