/** TypeORM's executor: it tells listeners and subscribers, and we send the statements. */
import type { QueryRunner } from 'typeorm';
import type { Subject } from 'typeorm/persistence/Subject.js';
import { SubjectExecutor } from 'typeorm/persistence/SubjectExecutor.js';
import type { Write } from './listeners.js';

/** Stores the subjects' objects as they are once every listener has had its turn. */
export type StoreSubjects = (write: Write, subjects: readonly Subject[]) => Promise<void>;

/** A relation that is null and was null: TypeORM takes that for a change. */
function isNothing({ relation, value }: Subject['changeMaps'][number], { databaseEntity }: Subject): boolean {
  return (
    relation !== undefined &&
    value === null &&
    databaseEntity !== undefined &&
    relation.getEntityValue(databaseEntity) === null
  );
}

export class StoringExecutor extends SubjectExecutor {
  /** @param store - left out where TypeORM is to send the statements, as it must for trees */
  constructor(
    runner: QueryRunner,
    subjects: Subject[],
    private readonly store?: StoreSubjects,
  ) {
    super(runner, subjects);
  }

  protected override recompute(): void {
    super.recompute();
    for (const subject of this.allSubjects) {
      const nothing = new Set(subject.changeMaps.filter((change) => isNothing(change, subject)));
      if (nothing.size === 0) continue;
      const relations = new Set([...nothing].map(({ relation }) => relation));
      subject.changeMaps = subject.changeMaps.filter((change) => !nothing.has(change));
      subject.diffRelations = subject.diffRelations.filter((relation) => !relations.has(relation));
    }
    this.updateSubjects = this.allSubjects.filter((subject) => subject.mustBeUpdated);
  }

  protected override executeInsertOperations(): Promise<void> {
    return this.store?.('insert', this.insertSubjects) ?? super.executeInsertOperations();
  }

  protected override executeUpdateOperations(): Promise<void> {
    return this.store?.('update', this.updateSubjects) ?? super.executeUpdateOperations();
  }

  protected override executeRemoveOperations(): Promise<void> {
    return this.store?.('remove', this.removeSubjects) ?? super.executeRemoveOperations();
  }

  /** Of removed objects TypeORM would take the key away, by which a rollback knows them again. */
  protected override updateSpecialColumnsInPersistedEntities(): void {
    if (this.store !== undefined) return;
    this.updateSpecialColumnsInInsertedAndUpdatedEntities(this.insertSubjects);
    this.updateSpecialColumnsInInsertedAndUpdatedEntities(this.updateSubjects);
    this.updateSpecialColumnsInInsertedAndUpdatedEntities(this.softRemoveSubjects);
  }
}
