/** Whether an object has changes that a flush would store; other objects' collections may say so too, and are not asked. */
import type { RelationMetadata } from 'typeorm/metadata/RelationMetadata.js';
import { isRelationChanged } from './loaded-relations.js';
import type { TrackedObject } from './tracked-object.js';

export function isChanged(tracked: TrackedObject, withCollections = true): boolean {
  if (tracked.hasChangedColumns) return true;
  for (const relation of tracked.shape.metadata.relations) {
    if ((withCollections || !isCollection(relation)) && isRelationChanged(tracked, relation)) return true;
  }
  return false;
}

/** The names of the properties that were changed. */
export function changedProperties(tracked: TrackedObject): string[] {
  const { columns, metadata } = tracked.shape;
  return [
    ...tracked.changedColumns().map((place) => columns[place]!.propertyPath),
    ...metadata.relations
      .filter((relation) => isRelationChanged(tracked, relation))
      .map(({ propertyPath }) => propertyPath),
  ];
}

function isCollection({ isOneToMany, isManyToMany }: RelationMetadata): boolean {
  return isOneToMany || isManyToMany;
}
