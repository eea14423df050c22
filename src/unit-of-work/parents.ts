/** Who has to be stored before an object, and deleted after it. */
import type { RelationMetadata } from 'typeorm/metadata/RelationMetadata.js';
import type { DirtyWalk } from './dirty-walk.js';
import { keyFrom } from './identity-key.js';
import { isObject } from './relation-values.js';
import type { TrackedObject } from './tracked-object.js';

/** The tracked objects to which an object's owning relations lead, and to which they led. */
export function* parentsOf(walk: DirtyWalk, tracked: TrackedObject): Generator<TrackedObject> {
  const { relations, shape } = tracked;
  for (const relation of shape.metadata.relationsWithJoinColumns) {
    const end = walk.endOf(tracked, relation);
    const was = relations.get(relation);
    const parent = isObject(end) ? walk.of(end) : byForeignKey(walk, tracked, relation);
    const former = typeof was === 'string' ? walk.map.get(relation.inverseEntityMetadata, was) : undefined;
    if (parent !== undefined) yield parent;
    if (former !== undefined && former !== parent) yield former;
  }
}

/** A parent that is not loaded into the relation may still be in the map. */
function byForeignKey(
  { map }: DirtyWalk,
  tracked: TrackedObject,
  relation: RelationMetadata,
): TrackedObject | undefined {
  const columns = relation.joinColumns;
  if (columns.some(({ isVirtual, referencedColumn }) => isVirtual || referencedColumn?.isPrimary !== true))
    return undefined;
  const key = keyFrom(columns.map((column) => column.getEntityValue(tracked.entity) as unknown));
  return key === undefined ? undefined : map.get(relation.inverseEntityMetadata, key);
}
