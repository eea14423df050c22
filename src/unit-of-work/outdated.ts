/** Which tracked objects may not be what their rows are any more, after a write past them. */
import type { EntityMetadata } from 'typeorm';
import type { RelationMetadata } from 'typeorm/metadata/RelationMetadata.js';
import { shapeOf } from './entity-shape.js';
import type { IdentityMap } from './identity-map.js';
import { onDelete } from './on-delete.js';
import type { TrackedObject } from './tracked-object.js';

/** Objects, and those of their relations whose rows are in other tables. */
export type Outdated = Map<TrackedObject, readonly RelationMetadata[]>;

/** The object of one row; what is expired is loaded anew by whoever needs it. */
export function ofRow(map: IdentityMap, metadata: EntityMetadata, key: string): Outdated {
  const known = map.get(metadata, key);
  return known !== undefined && isLoaded(known) ? new Map([[known, []]]) : new Map();
}

/** @param keys - left out, any row of the class's table */
export function ofClass(map: IdentityMap, metadata: EntityMetadata, keys?: ReadonlySet<string>): Outdated {
  const { root } = shapeOf(metadata);
  const found: Outdated = new Map();
  for (const tracked of map) {
    if (tracked.shape.root !== root || !isLoaded(tracked)) continue;
    if (keys === undefined || keys.has(tracked.key!)) found.set(tracked, []);
  }
  return found;
}

/** Those that refer to rows which were deleted, where the database does something about it. */
export function referringTo(map: IdentityMap, metadata: EntityMetadata, key?: string): Outdated {
  const { root } = shapeOf(metadata);
  const found: Outdated = new Map();
  for (const tracked of map) {
    if (!isLoaded(tracked)) continue;
    const refers = tracked.shape.metadata.relationsWithJoinColumns.some((relation) => {
      const end = tracked.relations.get(relation);
      const isOne = key === undefined ? typeof end === 'string' : end === key;
      return (
        isOne && shapeOf(relation.inverseEntityMetadata).root === root && onDelete(relation) !== undefined
      );
    });
    if (refers) found.set(tracked, []);
  }
  return found;
}

/** Those whose relations over this junction were loaded. */
export function leadingThrough(map: IdentityMap, junction: EntityMetadata): Outdated {
  const found: Outdated = new Map();
  for (const tracked of map) {
    if (!isLoaded(tracked)) continue;
    const relations = tracked.shape.metadata.manyToManyRelations.filter(
      (relation) => relation.junctionEntityMetadata === junction && tracked.relations.has(relation),
    );
    if (relations.length > 0) found.set(tracked, relations);
  }
  return found;
}

function isLoaded({ isExpired, state }: TrackedObject): boolean {
  return state === 'persistent' && !isExpired;
}
