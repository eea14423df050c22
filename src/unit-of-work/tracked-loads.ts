/** TypeORM's entity manager over one runner, whose objects are those of its identity map. */
import { type DataSource, EntityManager, type QueryRunner } from 'typeorm';
import { trackingDataSource } from './identity-query-builder.js';

/** Not the runner's own manager, which stays as its users know it. */
export function trackingManager(dataSource: DataSource, runner: QueryRunner): EntityManager {
  const manager = new EntityManager(trackingDataSource(dataSource, runner));
  return Object.assign(manager, { queryRunner: runner });
}
