/** The drivers that sessions are built on; any other is refused rather than half-served. */
import type { DataSource } from 'typeorm';
import { UnusableDataSourceError } from '../errors.js';
import type { Backend, BackendNeeds } from './backend.js';
import { betterSqlite3Backend } from './better-sqlite3-backend.js';
import { mysqlBackend } from './mysql-backend.js';
import { postgresBackend } from './postgres-backend.js';
import { sqliteBackend } from './sqlite-backend.js';

/** TypeORM's names of the drivers that sessions are built on. */
export const SUPPORTED_DRIVERS = ['mysql', 'mariadb', 'postgres', 'better-sqlite3', 'sqljs'] as const;
/** One of `SUPPORTED_DRIVERS`. */
export type SupportedDriver = (typeof SUPPORTED_DRIVERS)[number];

type BackendFactory = (needs: BackendNeeds) => Backend;

const BACKENDS: Readonly<Record<SupportedDriver, BackendFactory>> = {
  mysql: mysqlBackend,
  mariadb: mysqlBackend,
  postgres: postgresBackend,
  'better-sqlite3': betterSqlite3Backend,
  sqljs: sqliteBackend,
};

/** @throws {@link UnusableDataSourceError} `SS_ERR_UNUSABLE_DATA_SOURCE` for a driver outside the list */
export function backendFor(dataSource: DataSource): BackendFactory {
  const { type } = dataSource.options;
  if (Object.hasOwn(BACKENDS, type)) return BACKENDS[type as SupportedDriver];
  throw new UnusableDataSourceError(
    `Sessions are not built on the driver "${type}". Supported are ${SUPPORTED_DRIVERS.join(', ')}.`,
  );
}
