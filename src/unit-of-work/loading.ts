/** Loads objects by their keys: from the identity map where they are there, else from the database. */
import type { EntityManager, EntityMetadata, FindOneOptions, ObjectLiteral } from 'typeorm';
import type { ColumnMetadata } from 'typeorm/metadata/ColumnMetadata.js';
import type { RelationMetadata } from 'typeorm/metadata/RelationMetadata.js';
import { InvalidParameterError, ObjectDeletedError } from '../errors.js';
import { expire, expireMembers } from './expire.js';
import { forgetAllExpired } from './expired-properties.js';
import type { Identity } from './identifier.js';
import type { IdentityQueryBuilder } from './identity-query-builder.js';
import { isRelationItself, rootOf } from './property-roots.js';
import { relationValue } from './relation-values.js';
import type { TrackedObject } from './tracked-object.js';
import type { UnitOfWork } from './unit-of-work.js';

/** How a row is asked for. */
export interface RowOptions {
  readonly lock?: string | undefined;
  readonly populateExisting?: boolean | undefined;
  readonly relations?: FindOneOptions['relations'];
  readonly withDeleted?: boolean | undefined;
  readonly select?: FindOneOptions['select'];
  readonly loadEagerRelations?: boolean;
}

/** The loaded object of a row, where it can be given without asking. */
export function loaded({ map }: UnitOfWork, metadata: EntityMetadata, { key }: Identity): object | undefined {
  const known = map.get(metadata, key);
  return known?.state === 'persistent' && !known.isExpired ? known.entity : undefined;
}

/** Whether an object that is there is one of the class that was asked for. */
export function isOf(metadata: EntityMetadata, entity: object): boolean {
  return typeof metadata.target !== 'function' || entity instanceof metadata.target;
}

export async function selectRow(
  manager: EntityManager,
  metadata: EntityMetadata,
  { where }: Pick<Identity, 'where'>,
  { lock, populateExisting = false, ...options }: RowOptions = {},
): Promise<object | null> {
  const builder = manager.createQueryBuilder(metadata.target, metadata.name).whereInIds([where]);
  builder.setFindOptions({
    ...options,
    ...(lock !== undefined && { lock: { mode: lock } as FindOneOptions['lock'] }),
  });
  if (populateExisting) (builder as IdentityQueryBuilder<ObjectLiteral>).populateExisting();
  return builder.getOne();
}

/** An expired object whose row turned out to be gone is forgotten. */
export function forgetGone({ map }: UnitOfWork, metadata: EntityMetadata, { key }: Identity): void {
  const known = map.get(metadata, key);
  // The row of another class of the tree is there, and was not asked for.
  if (known?.isExpired !== true || !isOf(metadata, known.entity)) return;
  map.remove(known);
  known.state = 'detached';
}

/** What of an object is to be loaded anew. */
interface Refreshed {
  readonly columns: readonly ColumnMetadata[];
  readonly relations: readonly RelationMetadata[];
}

/** @param properties - names of properties; left out, all columns and the relations that were loaded */
export async function refresh(
  manager: EntityManager,
  tracked: TrackedObject,
  properties?: readonly string[],
  lock?: string,
): Promise<void> {
  const { entity, shape } = tracked;
  const { metadata } = shape;
  const members = properties === undefined ? loadedMembers(tracked) : membersNamed(metadata, properties);
  if (properties === undefined) expire(tracked);
  else expireMembers(tracked, members.columns, members.relations);
  const options = {
    lock,
    relations: treeOf(
      members.relations.map(({ propertyPath }) => propertyPath),
    ) as FindOneOptions['relations'],
    relationLoadStrategy: 'query',
    // A row that is selected as a whole tells also where relations lead that are not loaded.
    ...(properties === undefined && members.columns.every(({ isSelect }) => isSelect)
      ? {}
      : { select: selectionOf([...metadata.primaryColumns, ...members.columns]) }),
    loadEagerRelations: false,
    withDeleted: true,
  } as RowOptions;
  const found = await selectRow(manager, metadata, { where: metadata.getEntityIdMap(entity)! }, options);
  if (found !== entity)
    throw new ObjectDeletedError(
      `The row of this ${metadata.name} has been deleted, or is otherwise not present: it could not be refreshed.`,
    );
  if (properties === undefined) forgetAllExpired(tracked);
}

/** @throws `SS_ERR_INVALID_PARAMETER` for what is no column and no relation */
export function membersNamed(metadata: EntityMetadata, properties: readonly string[]): Refreshed {
  const columns: ColumnMetadata[] = [];
  const relations: RelationMetadata[] = [];
  for (const property of properties) {
    const named = (member: ColumnMetadata | RelationMetadata): boolean =>
      member.propertyPath === property || rootOf(member) === property;
    const found = metadata.columns.filter(
      (column) => !column.isVirtual && !isRelationItself(column) && named(column),
    );
    const related = metadata.relations.filter(named);
    if (found.length + related.length === 0)
      throw new InvalidParameterError(`${metadata.name} has no column and no relation named ${property}.`);
    columns.push(...found);
    relations.push(...related);
  }
  return { columns, relations };
}

/** What of it a refresh loads. */
export function loadedMembers({ entity, expired, shape, snapshot }: TrackedObject): Refreshed {
  const isAsked = (column: ColumnMetadata): boolean => {
    const place = shape.columns.indexOf(column);
    return column.isSelect || snapshot[place] !== undefined || expired?.has(shape.roots[place]!) === true;
  };
  return {
    columns: shape.columns.filter((column) => !isRelationItself(column) && isAsked(column)),
    relations: shape.metadata.relations.filter(
      (relation) =>
        !relation.isLazy &&
        (relationValue(relation, entity) !== undefined || expired?.has(rootOf(relation)) === true),
    ),
  };
}

function selectionOf(columns: readonly ColumnMetadata[]): FindOneOptions['select'] {
  return treeOf(columns.map(({ propertyPath }) => propertyPath));
}

/** `['id', 'size.width']` is `{ id: true, size: { width: true } }`. */
export function treeOf(paths: readonly string[]): ObjectLiteral {
  const tree: ObjectLiteral = {};
  for (const path of paths) {
    const names = path.split('.');
    let branch = tree;
    for (const name of names.slice(0, -1)) branch = (branch[name] ??= {}) as ObjectLiteral;
    branch[names.at(-1)!] = true;
  }
  return tree;
}
