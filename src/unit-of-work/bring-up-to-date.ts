/** Loads tracked objects anew after a write past them: what was changed and not flushed stays, what is gone is deleted. */
import type { EntityManager, EntityMetadata, ObjectLiteral } from 'typeorm';
import type { IdentityQueryBuilder } from './identity-query-builder.js';
import { loadedMembers, treeOf } from './loading.js';
import type { Outdated } from './outdated.js';
import { inChunks } from './statement-text.js';
import { storedKey } from './stored-row.js';
import { takeOut } from './taken-over.js';
import type { TrackedObject } from './tracked-object.js';
import type { UnitOfWork } from './unit-of-work.js';

/** One SELECT for each class, and one for each of the relations. */
export async function bringUpToDate(
  work: UnitOfWork,
  manager: EntityManager,
  outdated: Outdated,
): Promise<void> {
  const gone: TrackedObject[] = [];
  const isHere = (tracked: TrackedObject): boolean =>
    tracked.state === 'persistent' && work.map.of(tracked.entity) === tracked;
  const before = new Map([...outdated.keys()].filter(isHere).map((tracked) => [tracked, storedOf(tracked)]));
  for (const [metadata, objects] of byClass([...before.keys()])) {
    for (const chunk of inChunks(objects, metadata.primaryColumns.length)) {
      // One connection. oxlint-disable-next-line no-await-in-loop
      const found = await load(manager, metadata, chunk, outdated);
      gone.push(...chunk.filter((tracked) => !found.has(tracked.entity) && isHere(tracked)));
    }
  }
  const changed = [...before].filter(([tracked, was]) => isHere(tracked) && was !== storedOf(tracked));
  work.undo.record({
    created: [],
    deleted: [],
    changed: changed.map(([tracked]) => tracked),
    renamed: new Map(),
  });
  takeOut(work, gone);
}

async function load(
  manager: EntityManager,
  metadata: EntityMetadata,
  objects: readonly TrackedObject[],
  outdated: Outdated,
): Promise<ReadonlySet<object>> {
  const { name, target } = metadata;
  const builder = manager
    .createQueryBuilder(target, name)
    .whereInIds(objects.map((tracked) => keyMapOf(tracked)));
  // Whole rows: where they lead to is said by columns that are no properties.
  const hidden = objects
    .flatMap((tracked) => loadedMembers(tracked).columns)
    .filter(({ isSelect }) => !isSelect);
  for (const { propertyPath } of new Set(hidden)) builder.addSelect(`${name}.${propertyPath}`);
  const relations = new Set(objects.flatMap((tracked) => outdated.get(tracked) ?? []));
  builder.setFindOptions({
    relations: treeOf([...relations].map(({ propertyPath }) => propertyPath)),
    relationLoadStrategy: 'query',
    loadEagerRelations: false,
    withDeleted: true,
  });
  const found = await (builder as IdentityQueryBuilder<ObjectLiteral>).populateExisting('refresh').getMany();
  return new Set(found);
}

/** By the key that its row has, not by one that it was given since. */
function keyMapOf(tracked: TrackedObject): ObjectLiteral {
  const { entity, key, shape } = tracked;
  if (shape.keyOf(entity) === key) return shape.metadata.getEntityIdMap(entity)!;
  const map: ObjectLiteral = {};
  for (const [column, value] of storedKey(tracked, tracked)) column.setEntityValue(map, value);
  return map;
}

/** What a savepoint's rollback would have to take back, if it becomes another. */
function storedOf({ relations, shape, snapshot }: TrackedObject): string {
  const related = shape.metadata.relations.map((relation) => relations.get(relation));
  return JSON.stringify([snapshot, related], (_, value: unknown) =>
    typeof value === 'bigint' ? `${value}` : value,
  );
}

function byClass(objects: readonly TrackedObject[]): Map<EntityMetadata, TrackedObject[]> {
  const classes = new Map<EntityMetadata, TrackedObject[]>();
  for (const tracked of objects) {
    const { metadata } = tracked.shape;
    const others = classes.get(metadata);
    if (others === undefined) classes.set(metadata, [tracked]);
    else others.push(tracked);
  }
  return classes;
}
