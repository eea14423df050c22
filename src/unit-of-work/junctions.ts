/** Stores many-to-many relations: TypeORM compares and writes the junction rows, with the snapshot instead of a SELECT. */
import type { RelationMetadata } from 'typeorm/metadata/RelationMetadata.js';
import { Subject } from 'typeorm/persistence/Subject.js';
import { ManyToManySubjectBuilder } from 'typeorm/persistence/subject-builder/ManyToManySubjectBuilder.js';
import { SubjectDatabaseEntityLoader } from 'typeorm/persistence/SubjectDatabaseEntityLoader.js';
import { databaseEntity } from './database-entity.js';
import { relationValue } from './relation-values.js';
import type { RowStore } from './row-store.js';
import { StoringExecutor } from './storing-executor.js';
import type { TrackedObject } from './tracked-object.js';

export async function storeJunctions(owners: readonly TrackedObject[], store: RowStore): Promise<void> {
  const subjects = await subjectsOf(owners, 'save', store);
  for (const tracked of owners) store.walk.hold(tracked, tracked.shape.metadata.manyToManyRelations);
  new ManyToManySubjectBuilder(subjects).build();
  await execute(subjects, store);
}

/** Before their owners are deleted; the database does it itself where the foreign keys say so, as TypeORM's do. */
export async function removeJunctions(owners: readonly TrackedObject[], store: RowStore): Promise<void> {
  const bare = owners.filter(({ shape }) => shape.metadata.manyToManyRelations.some(isLeftBehind));
  const subjects = await subjectsOf(bare, 'remove', store);
  const builder = new ManyToManySubjectBuilder(subjects);
  // The builder adds to the list.
  const removed = subjects.slice();
  for (const subject of removed) builder.buildForAllRemoval(subject);
  await execute(subjects, store);
}

/** By the foreign key of the owner's own side. */
function isLeftBehind({
  isManyToManyOwner,
  junctionEntityMetadata: junction,
  persistenceEnabled,
}: RelationMetadata): boolean {
  const [column] = (isManyToManyOwner ? junction?.ownerColumns : junction?.inverseColumns) ?? [];
  const key = junction?.foreignKeys.find(({ columns }) => columns.includes(column!));
  return persistenceEnabled && key?.onDelete !== 'CASCADE';
}

async function subjectsOf(
  owners: readonly TrackedObject[],
  operation: 'save' | 'remove',
  { runner, walk }: RowStore,
): Promise<Subject[]> {
  const subjects: Subject[] = [];
  const unknown: Subject[] = [];
  for (const tracked of owners) {
    const subject = new Subject({ metadata: tracked.shape.metadata, entity: tracked.entity });
    subject.databaseEntityLoaded = true;
    subjects.push(subject);
    if (tracked.state === 'pending') continue;
    if (isCovered(tracked, operation)) subject.databaseEntity = databaseEntity(tracked, tracked, walk.map);
    else unknown.push(subject);
  }
  if (unknown.length > 0) await new SubjectDatabaseEntityLoader(runner, unknown).load(operation);
  return subjects;
}

/** Whether the snapshot has all that is compared. */
function isCovered({ entity, relations, shape }: TrackedObject, operation: 'save' | 'remove'): boolean {
  return shape.metadata.manyToManyRelations.every(
    (relation) =>
      relations.has(relation) || (operation === 'save' && relationValue(relation, entity) === undefined),
  );
}

/** Both sides may tell of the same pair. */
async function execute(subjects: readonly Subject[], { runner }: RowStore): Promise<void> {
  const pairs = new Map<string, Subject>();
  for (const subject of subjects) {
    if (subject.metadata.isJunction) pairs.set(nameOf(subject), subject);
  }
  if (pairs.size > 0) await new StoringExecutor(runner, [...pairs.values()]).execute();
}

function nameOf({ metadata, identifier, changeMaps, mustBeRemoved }: Subject): string {
  const columns = metadata.columns.map((column) => {
    if (mustBeRemoved) return String(column.getEntityValue(identifier!));
    const { value } = changeMaps.find((change) => change.column === column)!;
    const end = value instanceof Subject ? value.entity! : (value as object);
    return String(column.referencedColumn!.getEntityValue(end));
  });
  return [metadata.name, mustBeRemoved, ...columns].join('\u0001');
}
