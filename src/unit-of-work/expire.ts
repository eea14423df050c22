/** Says of an object that what it holds is not to be trusted any more: whatever loads its row next refreshes it. */
import { takeRelations } from './relation-values.js';
import type { TrackedObject } from './tracked-object.js';

/** Unflushed changes are given up with the rest; what is assigned from now on is a change again. */
export function expire(tracked: TrackedObject): void {
  tracked.takeSnapshot();
  tracked.relations.clear();
  takeRelations(tracked);
  tracked.isExpired = true;
}
