/** Tables in the order in which their rows can be stored: those that are referred to before those that refer. */
import type { EntityMetadata } from 'typeorm';
import { shapeOf } from './entity-shape.js';

/** A cycle of tables is entered where it is met first; the rows themselves then say which goes first. */
export function inTableOrder(classes: Iterable<EntityMetadata>): EntityMetadata[] {
  const given = [...new Set(classes)];
  const ordered = new Set<EntityMetadata>();
  const visited = new Set<EntityMetadata>();
  const visit = (metadata: EntityMetadata): void => {
    if (visited.has(metadata)) return;
    visited.add(metadata);
    for (const parent of parentsOf(metadata)) visit(parent);
    for (const one of given) if (shapeOf(one).root === metadata) ordered.add(one);
  };
  for (const metadata of given) visit(shapeOf(metadata).root);
  return [...ordered];
}

/** The tables to which a table's rows refer, whether the database checks it or not. */
function parentsOf(root: EntityMetadata): EntityMetadata[] {
  return [root, ...root.childEntityMetadatas].flatMap(({ relationsWithJoinColumns }) =>
    relationsWithJoinColumns.map(({ inverseEntityMetadata }) => shapeOf(inverseEntityMetadata).root),
  );
}
