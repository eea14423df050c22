/** createEngine: an engine from a URL, from TypeORM's options, or on a DataSource that is there already. */
import { DataSource, type DataSourceOptions } from 'typeorm';
import { InvalidOptionError, UnusableDataSourceError } from '../errors.js';
import { dataSourceOptionsFromUrl } from './database-url.js';
import { refuseLargerPool } from './driver-limit.js';
import { ENGINE_DEFAULTS, ENGINE_RULES, type EngineOptions } from './engine-options.js';
import { Engine } from './engine.js';
import { isPlainObject, readOptions } from './option-rules.js';

/** One engine a DataSource: two would not see each other's holders (and a SQLite database would have two gates). */
const ENGINES = new WeakMap<DataSource, Engine>();

/**
 * Makes an engine. Nothing is connected before `initialize()`.
 *
 * @param target - a URL of SQLAlchemy's form (`mysql+mysql2://user:pw@host:3306/db?charset=utf8mb4`, `postgresql://…`,
 *   `sqlite:///file`, `sqlite:///:memory:`), TypeORM's DataSource options, or a DataSource
 * @param options - the pool's options
 * @throws {@link InvalidOptionError} `SS_ERR_INVALID_OPTION` for a URL or option that makes no sense
 * @throws {@link UnusableDataSourceError} `SS_ERR_UNUSABLE_DATA_SOURCE` for an unsupported driver, or when the DataSource
 *   has an engine already
 *
 * @example
 * ```ts
 * import { createEngine, sessionFactory } from 'nestjs-scoped-session';
 * const engine = await createEngine('sqlite+sqljs:///:memory:', { gateTimeoutMs: 1_000 }).initialize();
 * const sessions = sessionFactory(engine);
 * ```
 */
export function createEngine(
  target: string | DataSourceOptions | DataSource,
  options?: EngineOptions,
): Engine {
  const read = readOptions('createEngine', options, ENGINE_RULES);
  if (isDataSource(target)) {
    if (ENGINES.has(target))
      throw new UnusableDataSourceError('This DataSource has an engine already; use that one.');
    refuseLargerPool(target, read);
    return register(target, read, false);
  }
  const given = typeof target === 'string' ? dataSourceOptionsFromUrl(target) : target;
  if (!isPlainObject(given) || typeof given.type !== 'string') {
    throw new InvalidOptionError(
      'createEngine takes a database URL, TypeORM DataSource options or a DataSource.',
    );
  }
  const poolSize =
    read.poolSize ?? ('poolSize' in given ? given.poolSize : undefined) ?? ENGINE_DEFAULTS.poolSize;
  const limit = poolSize + (read.maxOverflow ?? 0);
  return register(
    new DataSource({ ...given, poolSize: limit } as DataSourceOptions),
    { ...read, poolSize },
    true,
  );
}

/** The engine of a DataSource, made with the defaults when there is none yet. */
export function engineOf(dataSource: DataSource): Engine {
  return ENGINES.get(dataSource) ?? createEngine(dataSource);
}

/** Whether somebody has made an engine of it. */
export function hasEngine(dataSource: DataSource): boolean {
  return ENGINES.has(dataSource);
}

function register(dataSource: DataSource, options: EngineOptions, ownsDataSource: boolean): Engine {
  const engine = new Engine(dataSource, options, {
    ownsDataSource,
    disposed: () => ENGINES.delete(dataSource),
  });
  ENGINES.set(dataSource, engine);
  return engine;
}

/** Not `instanceof`: an application may have another copy of TypeORM than this package. */
export function isDataSource(value: unknown): value is DataSource {
  return (
    typeof value === 'object' &&
    value !== null &&
    (value as { '@instanceof'?: unknown })['@instanceof'] === Symbol.for('DataSource')
  );
}
