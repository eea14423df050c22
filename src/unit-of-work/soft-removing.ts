/** Marks rows as deleted by their @DeleteDateColumn, as the rule for orphans can say. */
import { Subject } from 'typeorm/persistence/Subject.js';
import { databaseEntity } from './database-entity.js';
import type { RowStore } from './row-store.js';
import { StoringExecutor } from './storing-executor.js';
import type { TrackedObject } from './tracked-object.js';

export async function softRemoveRows(objects: readonly TrackedObject[], store: RowStore): Promise<void> {
  if (objects.length === 0) return;
  const subjects = objects.map((tracked) => {
    const { entity, shape } = tracked;
    store.writes.remember(shape.columns, entity);
    store.sent.set(tracked, [...tracked.snapshot]);
    const subject = new Subject({ metadata: shape.metadata, entity, canBeSoftRemoved: true });
    subject.databaseEntity = databaseEntity(tracked, tracked, store.walk.map);
    subject.databaseEntityLoaded = true;
    return subject;
  });
  await new StoringExecutor(store.runner, subjects).execute();
}
