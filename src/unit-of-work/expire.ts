/** Says of an object that what it holds is not to be trusted any more: whatever loads its row next refreshes it. */
import type { ColumnMetadata } from 'typeorm/metadata/ColumnMetadata.js';
import type { RelationMetadata } from 'typeorm/metadata/RelationMetadata.js';
import { expireProperty } from './expired-properties.js';
import { unloadRelation } from './loaded-relations.js';
import { rootOf } from './property-roots.js';
import { relationValue } from './relation-values.js';
import { storedKey } from './stored-row.js';
import type { TrackedObject } from './tracked-object.js';

/** Unflushed changes are given up with the rest; what is assigned from now on is a change again. The key stays readable. */
export function expire(tracked: TrackedObject): void {
  const { entity, shape } = tracked;
  for (const [column, value] of storedKey(tracked, tracked)) column.setEntityValue(entity, value);
  expireMembers(tracked, shape.columns, shape.metadata.relations);
  tracked.isExpired = true;
}

/** The same of some of its columns and relations. */
export function expireMembers(
  tracked: TrackedObject,
  columns: readonly ColumnMetadata[],
  relations: readonly RelationMetadata[],
): void {
  const { entity, shape, snapshot } = tracked;
  const roots = new Set<string>();
  for (const column of columns) {
    const place = shape.columns.indexOf(column);
    if (column.isPrimary || place < 0) continue;
    if (snapshot[place] !== undefined || tracked.read(place) !== undefined) roots.add(rootOf(column));
  }
  for (const relation of relations) {
    const isLoaded = relationValue(relation, entity) !== undefined;
    tracked.relations.delete(relation);
    if (relation.isLazy) unloadRelation(relation, entity);
    else if (isLoaded) roots.add(rootOf(relation));
  }
  // What is embedded goes as a whole: it is one property.
  for (const [place, column] of shape.columns.entries()) {
    if (roots.has(rootOf(column)) && !column.isPrimary) snapshot[place] = undefined;
  }
  for (const root of roots) expireProperty(tracked, root);
}
