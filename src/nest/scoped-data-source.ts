/** `scopedDataSource`: a DataSource that is prepared before anybody sees it. */
import { DataSource, type DataSourceOptions } from 'typeorm';
import { prepare } from '../engine/index.js';
import { InvalidOptionError } from '../errors.js';

/**
 * Makes a DataSource whose managers join from the first one on, also those that are made before `forRoot()` adopts it. For
 * `TypeOrmModule.forRootAsync({ dataSourceFactory: scopedDataSource })`.
 *
 * @throws `SS_ERR_INVALID_OPTION` without options
 *
 * @example
 * ```ts
 * import { TypeOrmModule } from '@nestjs/typeorm';
 * import { scopedDataSource } from 'nestjs-scoped-session';
 * export const database = TypeOrmModule.forRootAsync({
 *   useFactory: () => ({ type: 'sqljs', autoLoadEntities: true }),
 *   dataSourceFactory: scopedDataSource,
 * });
 * ```
 */
export async function scopedDataSource(options?: DataSourceOptions): Promise<DataSource> {
  if (options === undefined) throw new InvalidOptionError('scopedDataSource needs TypeORM options.');
  const dataSource = new DataSource(options);
  prepare(dataSource);
  return dataSource;
}
