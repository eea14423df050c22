/** Stores objects of one class: with statements of our own, and through TypeORM where somebody listens or it must be. */
import type { Driver, EntityMetadata, QueryRunner } from 'typeorm';
import type { RelationMetadata } from 'typeorm/metadata/RelationMetadata.js';
import { Subject } from 'typeorm/persistence/Subject.js';
import { databaseEntity } from './database-entity.js';
import { deleteRows } from './delete-rows.js';
import type { DirtyWalk } from './dirty-walk.js';
import type { EntityWrites } from './entity-writes.js';
import type { FrozenValue } from './frozen-value.js';
import { insertRows } from './insert-rows.js';
import { isSqlite } from './key-making.js';
import { isListenedTo, type Write } from './listeners.js';
import { readBack } from './read-back.js';
import { isEndChanged, valuesToInsert, valuesToUpdate } from './row-values.js';
import { StoringExecutor } from './storing-executor.js';
import type { TrackedObject } from './tracked-object.js';
import { dataSourceOf } from './typeorm-versions.js';
import { updateRows } from './update-rows.js';
import { checkVersions } from './version-check.js';

/** An object whose row is there, and what the row holds: the object as it was, or another whose place it takes. */
export interface RowOf {
  readonly tracked: TrackedObject;
  readonly base: TrackedObject;
}

/** The relations that an object's INSERT leaves empty. */
export type Later = ReadonlyMap<TrackedObject, ReadonlySet<RelationMetadata>>;

export class RowStore {
  /** What was sent, as it was then: whatever is changed while the database works is a change still. */
  readonly sent = new Map<TrackedObject, FrozenValue[]>();

  constructor(
    readonly runner: QueryRunner,
    readonly walk: DirtyWalk,
    readonly writes: EntityWrites,
    readonly warn: (message: string) => void,
  ) {}

  insert(objects: readonly TrackedObject[], later: Later): Promise<void> {
    const rows = objects.map((tracked) => ({ tracked, base: tracked }));
    return this.#store('insert', rows, (some) => {
      const toInsert = some.map(({ tracked }) => {
        this.#look(tracked);
        const values = valuesToInsert(tracked, this.walk, this.writes, later.get(tracked));
        return { tracked, values };
      });
      return insertRows(this.runner, toInsert, this.writes);
    });
  }

  update(rows: readonly RowOf[]): Promise<void> {
    return this.#store('update', rows, (some) => {
      const toUpdate = some.map(({ tracked, base }) => {
        this.#look(tracked);
        return { tracked, base, values: valuesToUpdate(tracked, base, this.walk) };
      });
      const changed = toUpdate.filter(({ values }) => values.size > 0);
      return updateRows(this.runner, changed, this.writes);
    });
  }

  remove(objects: readonly TrackedObject[]): Promise<void> {
    const rows = objects.map((tracked) => ({ tracked, base: tracked }));
    return this.#store('remove', rows, (some) =>
      deleteRows(
        this.runner,
        some.map(({ tracked }) => tracked),
        this.warn,
      ),
    );
  }

  /** Listeners had their turn: this is what is sent. */
  #look(tracked: TrackedObject): void {
    this.walk.hold(tracked, tracked.shape.metadata.relationsWithJoinColumns);
    this.sent.set(tracked, this.walk.ownKeys.sentValues(tracked));
  }

  async #store(
    write: Write,
    rows: readonly RowOf[],
    ourselves: (rows: readonly RowOf[]) => Promise<void>,
  ): Promise<void> {
    const { metadata } = rows[0]!.tracked.shape;
    const isTypeOrms = (row: RowOf): boolean => needsTypeOrm(write, row, this.runner, this.walk);
    const theirs = rows.filter(isTypeOrms);
    if (theirs.length > 0) await this.#leaveToTypeOrm(write, theirs);
    const ours = theirs.length === 0 ? rows : rows.filter((row) => !theirs.includes(row));
    if (ours.length === 0) return;
    return isListenedTo(metadata, write, dataSourceOf(this.runner))
      ? this.#tellAndStore(write, ours, ourselves)
      : ourselves(ours);
  }

  async #leaveToTypeOrm(write: Write, rows: readonly RowOf[]): Promise<void> {
    if (write !== 'insert') await checkVersions(this.runner, write, rows);
    const subjects = rows.map((row) => this.#subjectOf(row, write));
    for (const { tracked } of rows) {
      this.writes.remember(tracked.shape.columns, tracked.entity);
      if (write !== 'remove') this.#look(tracked);
    }
    await new StoringExecutor(this.runner, subjects).execute();
    const { treeType, versionColumn } = rows[0]!.tracked.shape.metadata;
    // TypeORM writes the path of a new row with a statement of its own, which counts the version once more.
    if (write !== 'insert' || treeType !== 'materialized-path' || versionColumn === undefined) return;
    const objects = rows.map(({ tracked }) => tracked);
    await readBack(this.runner, objects, [versionColumn], this.writes);
  }

  async #tellAndStore(
    write: Write,
    rows: readonly RowOf[],
    ourselves: (rows: readonly RowOf[]) => Promise<void>,
  ): Promise<void> {
    const left = new Map<object, RowOf>(rows.map((row) => [row.tracked.entity, row]));
    const subjects = rows.map((row) => this.#subjectOf(row, write));
    const store = async (what: Write, told: readonly Subject[]): Promise<void> => {
      if (what !== write || told.length === 0) return;
      await ourselves(told.map(({ entity }) => left.get(entity!)!));
      for (const subject of told) {
        left.delete(subject.entity!);
        subject.identifier = subject.metadata.getEntityIdMap(subject.entity);
      }
    };
    await new StoringExecutor(this.runner, subjects, store).execute();
    // What TypeORM does not take for a change, as the form of a date, is one by the snapshot.
    if (left.size > 0) await ourselves([...left.values()]);
  }

  #subjectOf({ tracked, base }: RowOf, write: Write): Subject {
    const { entity, shape } = tracked;
    const subject = new Subject({
      metadata: shape.metadata,
      entity,
      canBeInserted: write === 'insert',
      canBeUpdated: write === 'update',
      mustBeRemoved: write === 'remove',
    });
    subject.databaseEntityLoaded = true;
    if (write !== 'insert') subject.databaseEntity = databaseEntity(tracked, base, this.walk.map);
    for (const relation of shape.metadata.relationsWithJoinColumns) {
      if (write === 'remove' || !this.walk.isToldOtherwise(tracked, relation)) continue;
      const end = this.walk.endOf(tracked, relation) as object | null;
      if (write === 'update' && !isEndChanged(relation, tracked, base, this.walk)) continue;
      subject.changeMaps.push({ relation, value: end as object });
      // Thus TypeORM finds the parent of whom only the parent's children speak.
      if (relation.isTreeParent && end !== null)
        subject.parentSubject = new Subject({ metadata: shape.metadata, entity: end });
    }
    return subject;
  }
}

/** Trees are kept in more than one row, of which all change when one is moved. */
function needsTypeOrm(write: Write, { tracked, base }: RowOf, runner: QueryRunner, walk: DirtyWalk): boolean {
  const { metadata } = tracked.shape;
  const { treeParentRelation: parent } = metadata;
  return (
    (parent !== undefined && (write !== 'update' || isEndChanged(parent, tracked, base, walk))) ||
    isWrittenWithFunctions(metadata, dataSourceOf(runner).driver)
  );
}

/** Whether a column has a type whose values TypeORM puts into a function. */
export function isWrittenWithFunctions({ columns }: EntityMetadata, driver: Driver): boolean {
  const { spatialTypes = [] } = driver as { spatialTypes?: readonly unknown[] };
  return columns.some(({ type }) => spatialTypes.includes(type) || (type === 'jsonb' && isSqlite(driver)));
}
