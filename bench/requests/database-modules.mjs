/** @nestjs/typeorm's modules, the same for every variant. */
import { TypeOrmModule } from '@nestjs/typeorm';
import { ENTITIES } from './accounts.mjs';

export function databaseModules(database) {
  return [TypeOrmModule.forRoot({ ...database, entities: ENTITIES }), TypeOrmModule.forFeature(ENTITIES)];
}
