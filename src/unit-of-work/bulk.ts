/** Bulk operations: rows are sent as they are given, no object is tracked, nobody is told and nothing cascades. */
import type { DataSource, EntityMetadata, EntityTarget, ObjectLiteral, QueryRunner } from 'typeorm';
import { InvalidParameterError, ObjectStateError } from '../errors.js';
import { copyOfMapping, copyOfObject, readMappings, requireKey } from './bulk-copies.js';
import { DirtyWalk } from './dirty-walk.js';
import { type EntityShape, shapeOf } from './entity-shape.js';
import { EntityWrites } from './entity-writes.js';
import { IdentityMap } from './identity-map.js';
import { insertRows } from './insert-rows.js';
import { takeRelations } from './relation-values.js';
import { isWrittenWithFunctions } from './row-store.js';
import { type RowValues, valuesToInsert, valuesToUpdate } from './row-values.js';
import { stamp, trackedOf } from './stamp.js';
import { TrackedObject } from './tracked-object.js';
import type { UnitOfWork } from './unit-of-work.js';
import { updateRows } from './update-rows.js';

/** One row, ready to be sent. */
export interface BulkRow {
  readonly kind: 'insert' | 'update';
  /** A copy of what was given: that stays as it is until everything is stored. */
  readonly tracked: TrackedObject;
  readonly values: RowValues;
  readonly source: object;
  /** Whether the source is an object of the class, and no mapping. */
  readonly isObject: boolean;
}

/** Nobody but the rows themselves says where their relations lead. */
const alone = (): DirtyWalk => new DirtyWalk(new IdentityMap());

export function rowsOfObjects(
  work: UnitOfWork,
  entities: Iterable<object>,
  updateChangedOnly: boolean,
): BulkRow[] {
  const walk = alone();
  return [...entities].map((entity) => {
    const shape = work.shapeFor(entity);
    const known = trackedOf(entity);
    refuseFunctions(shape.metadata, work.dataSource);
    if (known === undefined) {
      const row = toInsert(copyOfObject(entity, shape, undefined), shape, entity, walk);
      return { ...row, isObject: true };
    }
    if (known.state === 'pending')
      throw new ObjectStateError(
        `This object of class ${shape.metadata.name} was added to a session, whose flush stores it. Expunge it first.`,
      );
    const changed = copied(copyOfObject(entity, shape, known), known);
    const values = valuesToUpdate(changed, changed, walk);
    return toUpdate(changed, updateChangedOnly ? values : everything(changed, values, walk), entity);
  });
}

/** @param rendersNulls - whether null is stored as it is, also where the column has a default */
export function rowsToInsert(
  dataSource: DataSource,
  target: EntityTarget<ObjectLiteral>,
  mappings: Iterable<object>,
  rendersNulls: boolean,
): BulkRow[] {
  const [shape, walk] = [shapeFor(target, dataSource), alone()];
  return readMappings(shape, mappings).map((mapping) =>
    toInsert(copyOfMapping(mapping, shape, rendersNulls), shape, mapping, walk),
  );
}

export function rowsToUpdate(
  dataSource: DataSource,
  target: EntityTarget<ObjectLiteral>,
  mappings: Iterable<object>,
): BulkRow[] {
  const [shape, walk] = [shapeFor(target, dataSource), alone()];
  return readMappings(shape, mappings).map((mapping, place) => {
    const copy = copyOfMapping(mapping, shape, true);
    requireKey(shape, copy, place);
    const tracked = namingRow(new TrackedObject(copy, shape, shape.keyOf(copy)));
    return toUpdate(tracked, valuesToUpdate(tracked, tracked, walk), mapping);
  });
}

/**
 * Sends rows in their order, those that follow each other and are alike together.
 *
 * @param returnDefaults - what the database made of new rows, keys above all, is written into what they were made from
 */
export async function storeRows(
  runner: QueryRunner,
  rows: readonly BulkRow[],
  returnDefaults: boolean,
): Promise<void> {
  const writes = returnDefaults ? new EntityWrites() : undefined;
  for (const batch of batchesOf(rows)) {
    // One after the other. oxlint-disable-next-line no-await-in-loop
    if (batch[0]!.kind === 'insert') await insertRows(runner, batch, writes);
    // oxlint-disable-next-line no-await-in-loop
    else await updateRows(runner, batch.map(withBase), undefined);
  }
  if (returnDefaults) for (const row of rows) if (row.kind === 'insert') giveBack(row);
}

function toInsert(copy: object, shape: EntityShape, source: object, walk: DirtyWalk): BulkRow {
  const tracked = new TrackedObject(copy, shape, shape.keyOf(copy));
  tracked.state = 'pending';
  const values = valuesToInsert(tracked, walk, new EntityWrites());
  return { kind: 'insert', tracked, values, source, isObject: false };
}

function toUpdate(tracked: TrackedObject, values: RowValues, source: object): BulkRow {
  return { kind: 'update', tracked, values, source, isObject: false };
}

/** What the copy holds, against what the object held when it was loaded. */
function copied(copy: object, known: TrackedObject): TrackedObject {
  const tracked = new TrackedObject(copy, known.shape, known.key);
  tracked.snapshot = [...known.snapshot];
  for (const [relation, snapshot] of known.relations) tracked.relations.set(relation, snapshot);
  return tracked;
}

/** Of its row no more is known than what names it: whatever else it holds is to be stored. */
function namingRow(tracked: TrackedObject): TrackedObject {
  const { columns } = tracked.shape;
  tracked.snapshot = tracked.snapshot.map((value, place) =>
    columns[place]!.isPrimary || columns[place]!.isVersion ? value : undefined,
  );
  return tracked;
}

/** What was changed, and all the rest; the changes tell where a relation leads whose key is a column too. */
function everything(changed: TrackedObject, changes: RowValues, walk: DirtyWalk): RowValues {
  const whole = namingRow(copied(changed.entity, changed));
  whole.relations.clear();
  return new Map([...valuesToUpdate(whole, whole, walk), ...changes]);
}

/** A row that comes twice is changed twice. */
function batchesOf(rows: readonly BulkRow[]): BulkRow[][] {
  const batches: BulkRow[][] = [];
  const keys = new Set<string>();
  for (const row of rows) {
    const { kind, tracked, values } = row;
    if (kind === 'update' && values.size === 0) continue;
    const last = batches.at(-1)?.[0];
    const isAlike = last?.kind === kind && last.tracked.shape === tracked.shape;
    const isAgain = kind === 'update' && keys.has(tracked.key!);
    if (!isAlike || isAgain) {
      batches.push([]);
      keys.clear();
    }
    batches.at(-1)!.push(row);
    if (tracked.key !== undefined) keys.add(tracked.key);
  }
  return batches;
}

function withBase({ tracked, values }: BulkRow): Parameters<typeof updateRows>[1][number] {
  return { tracked, base: tracked, values };
}

/** Objects are detached then: they stand for rows, and no session has them. */
function giveBack({ tracked: { entity: copy, shape }, source, isObject }: BulkRow): void {
  for (const column of shape.columns) {
    const value = column.getEntityValue(copy) as unknown;
    const own = column.getEntityValue(source) as unknown;
    if (value !== undefined && value !== null && (own === undefined || own === null))
      column.setEntityValue(source, value);
  }
  if (!isObject) return;
  const tracked = new TrackedObject(source, shape, shape.keyOf(source));
  tracked.state = 'detached';
  takeRelations(tracked);
  stamp(tracked);
}

function shapeFor(target: EntityTarget<ObjectLiteral>, dataSource: DataSource): EntityShape {
  const metadata = dataSource.getMetadata(target);
  refuseFunctions(metadata, dataSource);
  return shapeOf(metadata);
}

/** TypeORM writes these with functions around their values, or into more than one row. */
function refuseFunctions(metadata: EntityMetadata, { driver }: DataSource): void {
  if (metadata.treeType === undefined && !isWrittenWithFunctions(metadata, driver)) return;
  throw new InvalidParameterError(
    `${metadata.name} is a tree, or has a column that is written with a function: bulk operations cannot store it. Use add().`,
  );
}
