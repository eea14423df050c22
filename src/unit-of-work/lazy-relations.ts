/** TypeORM's loader of lazy relations, which tells the identity map what a relation held when it was loaded. */
import type { DataSource, ObjectLiteral, QueryRunner } from 'typeorm';
import type { RelationMetadata } from 'typeorm/metadata/RelationMetadata.js';
import { RelationLoader } from 'typeorm/query-builder/RelationLoader.js';
import { DetachedInstanceError } from '../errors.js';
import type { IdentityMap } from './identity-map.js';
import { keepRelation, propertiesOf } from './loaded-relations.js';
import { trackedOf } from './stamp.js';

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

  /** TypeORM's own getter keeps a load that failed for ever, and makes a second promise of it, which nobody can catch. */
  override enableLazyLoad(relation: RelationMetadata, entity: ObjectLiteral, runner?: QueryRunner): void {
    super.enableLazyLoad(relation, entity, runner);
    const accessor = Object.getOwnPropertyDescriptor(entity, relation.propertyName)!;
    const [value, isLoaded, loading] = propertiesOf(relation) as [string, string, string];
    const load = async (owner: ObjectLiteral): Promise<unknown> => {
      const found = await this.load(relation, owner, runner);
      return relation.isOneToMany || relation.isManyToMany ? found : (found[0] ?? null);
    };
    const get = function (this: ObjectLiteral): unknown {
      if (this[isLoaded] === true || this[value] !== undefined || this[loading] !== undefined)
        return accessor.get!.call(this);
      const promise = load(this);
      this[loading] = promise;
      const settle = (loaded: ObjectLiteral): void => {
        // Something else was assigned meanwhile.
        if (this[loading] !== promise) return;
        delete this[loading];
        Object.assign(this, loaded);
      };
      promise.then(
        (found) => settle({ [value]: found, [isLoaded]: true }),
        () => settle({}),
      );
      return promise;
    };
    Object.defineProperty(entity, relation.propertyName, { ...accessor, get });
  }

  override async load(...given: Parameters<RelationLoader['load']>): Promise<ObjectLiteral[]> {
    const [relation, entity] = given;
    const tracked = Array.isArray(entity) ? undefined : trackedOf(entity);
    if (tracked !== undefined && tracked.owner !== this.map) throw detached(relation);
    const found = (await super.load(...given)) as ObjectLiteral[];
    const isMany = relation.isOneToMany || relation.isManyToMany;
    if (tracked !== undefined) keepRelation(tracked, relation, isMany ? found : (found[0] ?? null));
    return found;
  }
}

/** TypeORM would take another connection, outside of every transaction. */
function detached({ entityMetadata, propertyPath }: RelationMetadata): DetachedInstanceError {
  return new DetachedInstanceError(
    `The ${entityMetadata.name} of the lazy relation ${propertyPath} belongs to no session any more that could load it. ` +
      'Await the relation before the session ends, or load it with the object: relations: { … }.',
  );
}
