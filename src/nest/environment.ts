/** The database that the environment names: DATABASE_URL, or DB_TYPE, DB_HOST and so on. */
import type { DataSourceOptions } from 'typeorm';
import { dataSourceOptionsFromUrl, SUPPORTED_DRIVERS } from '../engine/index.js';
import { InvalidOptionError, NoDataSourceError } from '../errors.js';

type Environment = Readonly<Record<string, string | undefined>>;

const DB_KEYS = ['DB_TYPE', 'DB_HOST', 'DB_PORT', 'DB_USERNAME', 'DB_PASSWORD', 'DB_DATABASE'] as const;

/**
 * TypeORM's options for the database that the environment names, also for TypeORM's command line. Reads no file.
 *
 * @param environment - `DATABASE_URL` (SQLAlchemy's form), else `DB_TYPE`, `DB_HOST`, `DB_PORT`, `DB_USERNAME`,
 *   `DB_PASSWORD`, `DB_DATABASE`. Default `process.env`
 * @throws `SS_ERR_NO_DATA_SOURCE` when it names none, `SS_ERR_INVALID_OPTION` when it names one wrongly
 *
 * @example
 * ```ts
 * import { dataSourceOptionsFromEnv } from 'nestjs-scoped-session';
 * import { DataSource } from 'typeorm';
 * const environment = { DATABASE_URL: 'mysql+mysql2://app:secret@127.0.0.1:3306/bank?charset=utf8mb4' };
 * export const dataSource = new DataSource({ ...dataSourceOptionsFromEnv(environment), entities: [] });
 * ```
 */
export function dataSourceOptionsFromEnv(environment: Environment = process.env): DataSourceOptions {
  const options = readEnvironment(environment);
  if (options !== undefined) return options;
  throw new NoDataSourceError(
    'The environment names no database: set DATABASE_URL=mysql+mysql2://user:password@host:3306/database, or DB_TYPE, ' +
      'DB_HOST, DB_PORT, DB_USERNAME, DB_PASSWORD and DB_DATABASE.',
  );
}

/** The same; undefined when the environment names no database. */
export function readEnvironment(environment: Environment = process.env): DataSourceOptions | undefined {
  const { DATABASE_URL: url } = environment;
  if (url !== undefined && url !== '') return dataSourceOptionsFromUrl(url);
  const given = DB_KEYS.filter((key) => (environment[key] ?? '') !== '');
  return given.length === 0 ? undefined : fromParts(environment, given);
}

function fromParts(environment: Environment, given: readonly string[]): DataSourceOptions {
  const {
    DB_TYPE: type,
    DB_HOST: host,
    DB_PORT: port,
    DB_USERNAME,
    DB_PASSWORD,
    DB_DATABASE: database,
  } = environment;
  const isServer = type === 'mysql' || type === 'mariadb' || type === 'postgres';
  if (!SUPPORTED_DRIVERS.includes(type as never)) {
    throw new InvalidOptionError(
      `DB_TYPE must be one of ${SUPPORTED_DRIVERS.join(', ')} (set are ${given.join(', ')}; DATABASE_URL is not).`,
    );
  }
  if (isServer && (database ?? '') === '')
    throw new InvalidOptionError(`DB_DATABASE must name the ${type} database.`);
  if (port !== undefined && port !== '' && !isPort(port))
    throw new InvalidOptionError('DB_PORT must be a number from 1 to 65535.');
  if (type === 'sqljs') return database ? { type, location: database, autoSave: true } : { type };
  if (type === 'better-sqlite3') return { type, database: database || ':memory:' };
  const parts = {
    type,
    host: host || 'localhost',
    port: port ? Number(port) : undefined,
    username: DB_USERNAME || undefined,
    password: DB_PASSWORD || undefined,
    database,
  };
  return Object.fromEntries(
    Object.entries(parts).filter(([, value]) => value !== undefined),
  ) as unknown as DataSourceOptions;
}

function isPort(text: string): boolean {
  return /^\d{1,5}$/.test(text) && Number(text) >= 1 && Number(text) <= 65_535;
}
