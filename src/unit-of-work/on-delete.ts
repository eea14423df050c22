/** What a database does to the rows that refer to a deleted one (ON DELETE), told to the objects that have those rows. */
import type { EntityMetadata } from 'typeorm';
import type { RelationMetadata } from 'typeorm/metadata/RelationMetadata.js';
import { shapeOf } from './entity-shape.js';
import type { IdentityMap } from './identity-map.js';
import { assignRelation, unloadRelation } from './loaded-relations.js';
import { keyOfRelated, relationValue } from './relation-values.js';
import type { TrackedObject } from './tracked-object.js';

const ACTIONS = ['CASCADE', 'SET NULL', 'SET DEFAULT'] as const;

interface Reference {
  readonly child: TrackedObject;
  readonly relation: RelationMetadata;
}

/** What a deletion took with it, and what was cut off by it. */
export interface DatabaseWork {
  readonly deleted: readonly TrackedObject[];
  readonly changed: readonly TrackedObject[];
}

/** @param deleted - those whose rows were deleted by a statement; what they take with them is deleted too */
export function followDatabase(map: IdentityMap, deleted: readonly TrackedObject[]): DatabaseWork {
  if (deleted.length === 0) return { deleted: [], changed: [] };
  const references = referencesIn(map);
  const gone = [...deleted];
  const changed: TrackedObject[] = [];
  // The list grows while it is gone through.
  for (const { key, shape } of gone) {
    for (const { child, relation } of references.get(shape.root)?.get(key!) ?? []) {
      if (child.state !== 'persistent') continue;
      const action = onDelete(relation);
      if (action === 'CASCADE') {
        child.isMarkedDeleted = false;
        child.state = 'deleted';
        map.remove(child);
        gone.push(child);
        continue;
      }
      changed.push(child);
      if (action === 'SET NULL') cutOff(child, relation, key!);
      else forget(child, relation);
    }
  }
  return { deleted: gone.slice(deleted.length), changed };
}

/** Without a foreign key in the database nothing happens there; most refuse. */
export function onDelete({ foreignKeys }: RelationMetadata): (typeof ACTIONS)[number] | undefined {
  const action = foreignKeys[0]?.onDelete;
  return ACTIONS.find((one) => one === action);
}

/** Who refers to which row, where the database does something about it. */
function referencesIn(map: IdentityMap): Map<EntityMetadata, Map<string, Reference[]>> {
  const references = new Map<EntityMetadata, Map<string, Reference[]>>();
  for (const child of map) {
    for (const relation of child.shape.metadata.relationsWithJoinColumns) {
      const key = child.relations.get(relation);
      if (typeof key !== 'string' || onDelete(relation) === undefined) continue;
      const { root } = shapeOf(relation.inverseEntityMetadata);
      let ofTable = references.get(root);
      if (ofTable === undefined) references.set(root, (ofTable = new Map()));
      const ofRow = ofTable.get(key);
      if (ofRow === undefined) ofTable.set(key, [{ child, relation }]);
      else ofRow.push({ child, relation });
    }
  }
  return references;
}

/** What the object was given since then is a change still. */
function cutOff(child: TrackedObject, relation: RelationMetadata, key: string): void {
  const { entity, relations, shape, snapshot } = child;
  for (const column of relation.joinColumns) {
    const place = shape.columns.indexOf(column);
    if (place < 0 || snapshot[place] === undefined) continue;
    if (child.read(place) === snapshot[place]) column.setEntityValue(entity, null);
    snapshot[place] = null;
  }
  const value = relationValue(relation, entity);
  if (value !== undefined && value !== null && keyOfRelated(relation, value) === key)
    assignRelation(relation, entity, null);
  relations.set(relation, null);
}

/** Only the database knows what a column's default is. */
function forget({ entity, relations, shape, snapshot }: TrackedObject, relation: RelationMetadata): void {
  unloadRelation(relation, entity);
  relations.delete(relation);
  for (const column of relation.joinColumns) {
    const place = shape.columns.indexOf(column);
    if (place < 0) continue;
    column.setEntityValue(entity, undefined);
    snapshot[place] = undefined;
  }
}
