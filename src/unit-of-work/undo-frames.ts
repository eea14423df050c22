/** What was flushed since the transaction began and since each savepoint: a rollback takes it back out of the objects. */
import { expire } from './expire.js';
import { forgetAllExpired } from './expired-properties.js';
import type { IdentityMap } from './identity-map.js';
import { isChanged } from './is-changed.js';
import type { FlushedWork, OldName } from './settle.js';
import { unstamp } from './stamp.js';
import type { TrackedObject } from './tracked-object.js';

class Frame {
  readonly created = new Set<TrackedObject>();
  readonly deleted = new Set<TrackedObject>();
  readonly changed = new Set<TrackedObject>();
  readonly renamed = new Map<TrackedObject, OldName>();

  take({ created, deleted, changed, renamed }: FlushedWork | Frame): void {
    for (const tracked of created) this.created.add(tracked);
    for (const tracked of deleted) this.deleted.add(tracked);
    for (const tracked of changed) this.changed.add(tracked);
    // The oldest name is the one to go back to.
    for (const [tracked, name] of renamed) if (!this.renamed.has(tracked)) this.renamed.set(tracked, name);
  }
}

export class UndoFrames {
  /** The transaction's own, and one for each open savepoint. */
  #frames = [new Frame()];

  constructor(private readonly map: IdentityMap) {}

  record(work: FlushedWork): void {
    this.#frames.at(-1)!.take(work);
  }

  opened(): void {
    this.#frames.push(new Frame());
  }

  /** The savepoint number `number` (1 is the outermost) is kept, and those inside it. */
  released(number: number): void {
    while (this.#frames.length > number) {
      const frame = this.#frames.pop()!;
      this.#frames.at(-1)!.take(frame);
    }
  }

  /** Only what changed inside it is restored. */
  rolledBackTo(number: number): void {
    if (this.#frames.length <= number) return;
    this.released(number + 1);
    const undone = this.#frames.pop()!;
    // Looked at before the new ones go: what they did to others is a change too.
    const touched = [...this.map, ...undone.deleted].filter(
      (tracked) => undone.changed.has(tracked) || isChanged(tracked),
    );
    this.#restore(undone);
    for (const tracked of touched) if (this.map.of(tracked.entity) === tracked) expire(tracked);
  }

  /** The whole transaction: what it saw may be seen otherwise by the next. */
  rolledBack(): void {
    this.released(1);
    this.#restore(this.#frames[0]!);
    for (const tracked of this.map) expire(tracked);
    this.#frames = [new Frame()];
  }

  committed(): void {
    this.#detachDeleted();
    this.#frames = [new Frame()];
  }

  /** Flushed as deleted in this transaction. */
  hasDeleted(tracked: TrackedObject): boolean {
    return tracked.state === 'deleted' && this.#frames.some(({ deleted }) => deleted.has(tracked));
  }

  /** What a rollback would bring back. */
  get deleted(): TrackedObject[] {
    return this.#frames.flatMap(({ deleted }) => [...deleted]).filter(({ state }) => state === 'deleted');
  }

  /** A rollback will not bring it back. */
  forget(tracked: TrackedObject): void {
    for (const { created, deleted, changed } of this.#frames)
      for (const objects of [created, deleted, changed]) objects.delete(tracked);
  }

  #detachDeleted(): void {
    for (const { deleted } of this.#frames) {
      for (const tracked of deleted) {
        if (tracked.state !== 'deleted') continue;
        tracked.state = 'detached';
        tracked.wasDeleted = true;
      }
    }
  }

  #restore({ created, deleted, renamed }: Frame): void {
    const added = [...this.map].filter(({ state }) => state === 'pending');
    for (const tracked of [...created, ...added]) makeTransient(this.map, tracked);
    for (const tracked of deleted) {
      if (created.has(tracked) || tracked.state !== 'deleted') continue;
      tracked.state = 'persistent';
      this.map.add(tracked);
    }
    for (const tracked of this.map) tracked.isMarkedDeleted = false;
    for (const [tracked, { key, values }] of renamed) {
      if (this.map.of(tracked.entity) === undefined) continue;
      for (const [column, value] of values) column.setEntityValue(tracked.entity, value);
      tracked.takeKey();
      this.map.rename(tracked, key);
    }
  }
}

/** It keeps its values, also the key that the database made. */
export function makeTransient(map: IdentityMap, tracked: TrackedObject): void {
  if (map.of(tracked.entity) !== undefined) map.remove(tracked);
  forgetAllExpired(tracked);
  unstamp(tracked);
}
