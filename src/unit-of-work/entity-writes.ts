/** What a flush writes into objects (keys, versions, dates), all of which can be taken back. */
import type { ColumnMetadata } from 'typeorm/metadata/ColumnMetadata.js';
import { expireProperty } from './expired-properties.js';
import { rootOf } from './property-roots.js';
import { trackedOf } from './stamp.js';

export class EntityWrites {
  readonly #undo: (() => void)[] = [];
  readonly #written = new Map<object, Set<ColumnMetadata>>();

  set(column: ColumnMetadata, entity: object, value: unknown): void {
    // What is embedded is loaded as a whole.
    if (column.embeddedMetadata !== undefined && expiredRoot(column, entity) !== undefined) return;
    this.remember([column], entity);
    column.setEntityValue(entity, value);
  }

  /** For what somebody else is about to write. */
  remember(columns: readonly ColumnMetadata[], entity: object): void {
    let written = this.#written.get(entity);
    if (written === undefined) this.#written.set(entity, (written = new Set()));
    for (const column of columns) {
      const restore = expiredRoot(column, entity);
      if (restore !== undefined) {
        written.add(column);
        this.#undo.push(restore);
        continue;
      }
      const before = column.getEntityValue(entity) as unknown;
      written.add(column);
      this.#undo.push(() => {
        // An embedded object is not made only to say that it holds nothing.
        if (column.getEntityValue(entity) !== before) column.setEntityValue(entity, before);
      });
    }
  }

  has(column: ColumnMetadata, entity: object): boolean {
    return this.#written.get(entity)?.has(column) ?? false;
  }

  /** Newest first, so that what was written twice is as it was before both. */
  undo(): void {
    for (const step of this.#undo.toReversed()) step();
    this.#undo.length = 0;
  }
}

/** What makes a property throw again that throws now; undefined for one that can be read. */
function expiredRoot(column: ColumnMetadata, entity: object): (() => void) | undefined {
  const tracked = trackedOf(entity);
  const root = rootOf(column);
  return tracked?.expired?.has(root) === true ? () => expireProperty(tracked, root) : undefined;
}
