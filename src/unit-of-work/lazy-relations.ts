/** TypeORM's loader of lazy relations, which tells the identity map what a relation held when it was loaded. */
import type { DataSource, ObjectLiteral, QueryRunner } from 'typeorm';
import type { RelationMetadata } from 'typeorm/metadata/RelationMetadata.js';
import { RelationLoader } from 'typeorm/query-builder/RelationLoader.js';
import type { IdentityMap } from './identity-map.js';
import { keepRelation } from './loaded-relations.js';

export class LazyRelations extends RelationLoader {
  constructor(
    dataSource: DataSource,
    private readonly map: IdentityMap,
  ) {
    super(dataSource);
  }

  /** Puts accessors on an object that ask this loader, in place of those of the DataSource's own. */
  enable(relations: readonly RelationMetadata[], entity: ObjectLiteral, runner: QueryRunner): void {
    for (const relation of relations) this.enableLazyLoad(relation, entity, runner);
  }

  override async load(...given: Parameters<RelationLoader['load']>): Promise<ObjectLiteral[]> {
    const found = (await super.load(...given)) as ObjectLiteral[];
    const [relation, entity] = given;
    const tracked = Array.isArray(entity) ? undefined : this.map.of(entity);
    const isMany = relation.isOneToMany || relation.isManyToMany;
    if (tracked !== undefined) keepRelation(tracked, relation, isMany ? found : (found[0] ?? null));
    return found;
  }
}
