/** What is to be written into an object's row: the values of its columns, and the keys of what its relations lead to. */
import { randomUUID } from 'node:crypto';
import type { ColumnMetadata } from 'typeorm/metadata/ColumnMetadata.js';
import type { RelationMetadata } from 'typeorm/metadata/RelationMetadata.js';
import { IllegalStateChangeError } from '../errors.js';
import type { DirtyWalk } from './dirty-walk.js';
import type { EntityWrites } from './entity-writes.js';
import { freeze, isSame } from './frozen-value.js';
import { isObject, keyOfRelated } from './relation-values.js';
import type { TrackedObject } from './tracked-object.js';

/** Values as the application knows them, by column; in the order of the table's columns. */
export type RowValues = ReadonlyMap<ColumnMetadata, unknown>;

/** @param later - relations that are left empty for now, because what they lead to is not stored yet */
export function valuesToInsert(
  tracked: TrackedObject,
  walk: DirtyWalk,
  writes: EntityWrites,
  later: ReadonlySet<RelationMetadata> = new Set(),
): RowValues {
  const { entity, shape } = tracked;
  const { metadata } = shape;
  const values = new Map<ColumnMetadata, unknown>();
  for (const column of shape.columns) {
    if (!column.isInsert || column.asExpression !== undefined) continue;
    const given = column.getEntityValue(entity) as unknown;
    const isUnset = given === undefined || (given === null && (column.isGenerated || column.isVersion));
    const value = isUnset ? unsetValue(column, entity, writes) : given;
    if (value !== undefined) values.set(column, value);
  }
  for (const relation of metadata.relationsWithJoinColumns) {
    const end = later.has(relation) ? null : walk.endOf(tracked, relation);
    // A relation that is null leaves the word to the column, where the class has it.
    const isSilent = end === null && !later.has(relation) && !walk.isImplied(tracked, relation);
    for (const [column, value] of foreignKey(relation, end)) {
      if (value !== undefined && !(isSilent && values.has(column))) values.set(column, value);
      else if (column.isVirtual && isEmptyByDefault(column)) values.set(column, null);
    }
  }
  const { discriminatorColumn, discriminatorValue } = metadata;
  if (discriminatorColumn !== undefined) values.set(discriminatorColumn, discriminatorValue);
  return inOrder(values, metadata.columns);
}

/** Empty where nothing is to be stored. */
export function valuesToUpdate(tracked: TrackedObject, base: TrackedObject, walk: DirtyWalk): RowValues {
  const { entity, shape } = tracked;
  const values = new Map<ColumnMetadata, unknown>();
  for (const place of tracked.changedColumns(base.snapshot)) {
    const column = shape.columns[place]!;
    if (isWritable(column)) values.set(column, column.getEntityValue(entity));
  }
  for (const relation of shape.metadata.relationsWithJoinColumns) {
    if (!isEndChanged(relation, tracked, base, walk)) continue;
    for (const [column, value] of foreignKey(relation, walk.endOf(tracked, relation))) {
      if (isWritable(column)) values.set(column, value);
    }
  }
  return inOrder(values, shape.metadata.columns);
}

/** Whether `valuesToUpdate` will find anything; it can be asked before what the relations lead to is stored. */
export function isToBeUpdated(tracked: TrackedObject, base: TrackedObject, walk: DirtyWalk): boolean {
  const { columns, metadata } = tracked.shape;
  const isUnchanged = tracked === base && !tracked.hasChangedColumns;
  return (
    (!isUnchanged && tracked.changedColumns(base.snapshot).some((place) => isWritable(columns[place]!))) ||
    metadata.relationsWithJoinColumns.some((relation) => isEndChanged(relation, tracked, base, walk))
  );
}

/** The columns of a relation, and the key of what it leads to; undefined where that is not loaded. */
export function foreignKey(relation: RelationMetadata, end: unknown): [ColumnMetadata, unknown][] {
  return relation.joinColumns.map((column) => {
    if (!isObject(end)) return [column, end];
    const value = column.referencedColumn!.getEntityValue(end) as unknown;
    if (value !== undefined && value !== null) return [column, value];
    throw new IllegalStateChangeError(
      `${relation.entityMetadata.name}.${relation.propertyPath} leads to an object of class ` +
        `${relation.inverseEntityMetadata.name} that is not stored. Add it to the session, or let the relation ` +
        "cascade: { cascade: ['insert'] }.",
    );
  });
}

/** Whether an owning relation is to lead elsewhere than the row says. */
export function isEndChanged(
  relation: RelationMetadata,
  tracked: TrackedObject,
  base: TrackedObject,
  walk: DirtyWalk,
): boolean {
  const end = walk.endOf(tracked, relation);
  if (end === undefined || !relation.persistenceEnabled) return false;
  const was = base.relations.get(relation);
  if (was !== undefined) return was !== (end === null ? null : keyOfRelated(relation, end));
  // It was not loaded before: its columns tell, where the class has them.
  return relation.joinColumns.some((column) => {
    const place = tracked.shape.columns.indexOf(column);
    if (place < 0) return true;
    const value = isObject(end) ? column.referencedColumn!.getEntityValue(end) : end;
    return !isSame(freeze(value), base.snapshot[place]);
  });
}

/** The version is counted by the statement itself. */
function isWritable(column: ColumnMetadata): boolean {
  return column.isUpdate && !column.isVersion && column.asExpression === undefined;
}

function unsetValue(column: ColumnMetadata, entity: object, writes: EntityWrites): unknown {
  if (column.isVersion) return 1;
  if (column.isGenerated && column.generationStrategy === 'uuid') {
    writes.set(column, entity, randomUUID());
    return column.getEntityValue(entity) as unknown;
  }
  // Named like every other value, so that rows without it can be stored together with rows that have it.
  return isEmptyByDefault(column) ? null : undefined;
}

function isEmptyByDefault({ isNullable, isGenerated, default: byDefault }: ColumnMetadata): boolean {
  return isNullable && !isGenerated && (byDefault === undefined || byDefault === null);
}

function inOrder(values: Map<ColumnMetadata, unknown>, columns: readonly ColumnMetadata[]): RowValues {
  return new Map(
    columns.filter((column) => values.has(column)).map((column) => [column, values.get(column)]),
  );
}
