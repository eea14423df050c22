/** Deletes rows: those that refer before those to which they refer. */
import type { DirtyWalk } from './dirty-walk.js';
import { parentsOf } from './parents.js';
import type { RowStore } from './row-store.js';
import { inTableOrder } from './table-order.js';
import type { TrackedObject } from './tracked-object.js';

export async function removeRows(objects: readonly TrackedObject[], store: RowStore): Promise<void> {
  const order = inTableOrder(objects.map(({ shape }) => shape.metadata)).toReversed();
  for (const metadata of order) {
    let left = objects.filter(({ shape }) => shape.metadata === metadata);
    while (left.length > 0) {
      const ready = unreferred(left, store.walk);
      // In a circle nobody is first: the database decides whether all may go at once.
      const next = ready.length > 0 ? ready : left;
      await store.remove(next);
      const gone = new Set(next);
      left = left.filter((tracked) => !gone.has(tracked));
    }
  }
}

/** Those to which none of the others refers. */
function unreferred(objects: readonly TrackedObject[], walk: DirtyWalk): TrackedObject[] {
  const referred = new Set<TrackedObject>();
  for (const tracked of objects) {
    for (const parent of parentsOf(walk, tracked)) if (parent !== tracked) referred.add(parent);
  }
  return objects.filter((tracked) => !referred.has(tracked));
}
