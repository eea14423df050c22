/** TypeORM's entity manager over one runner, whose objects are those of its identity map. */
import { type DataSource, EntityManager, type QueryRunner, SelectQueryBuilder } from 'typeorm';
import { type IdentityRunner, TRACKS_EVERYTHING } from './identity.js';
import { trackingBuilder, trackingDataSource } from './identity-query-builder.js';

/** Not the runner's own manager, which stays as its users know it. */
export function trackingManager(dataSource: DataSource, runner: QueryRunner): EntityManager {
  const manager = new EntityManager(trackingDataSource(dataSource, runner));
  return Object.assign(manager, { queryRunner: runner });
}

/** A builder of TypeORM's own managers: what it loads is tracked where its runner's session tracks everything. */
export function trackedBuilder<Builder>(builder: Builder): Builder {
  if (!(builder instanceof SelectQueryBuilder)) return builder;
  const { queryRunner } = builder as unknown as { queryRunner?: IdentityRunner };
  return queryRunner?.[TRACKS_EVERYTHING] === true ? (trackingBuilder(builder) as Builder) : builder;
}
