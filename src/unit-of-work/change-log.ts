/** What flushes have stored in a transaction, object by object, for whoever is told at its COMMIT. */
import type { FlushedWork } from './settle.js';

/** What became of an object's row. */
export const MODEL_OPERATIONS = ['insert', 'update', 'delete'] as const;
/** One of `MODEL_OPERATIONS`. */
export type ModelOperation = (typeof MODEL_OPERATIONS)[number];

/** An object that a transaction has stored, and how. */
export interface ModelChange {
  readonly entity: object;
  readonly operation: ModelOperation;
}

/** Follows the transaction and its savepoints. */
export interface Changes {
  record(flushed: FlushedWork): void;
  opened(): void;
  released(number: number): void;
  rolledBackTo(number: number): void;
  clear(): void;
  /** One for each object, with what became of it in all. */
  list(): ModelChange[];
}

/** Where nobody is told. */
export const NO_CHANGES: Changes = {
  record: () => undefined,
  opened: () => undefined,
  released: () => undefined,
  rolledBackTo: () => undefined,
  clear: () => undefined,
  list: () => [],
};

type Frame = Map<object, ModelOperation>;

export class ChangeLog implements Changes {
  /** The transaction's own, and one for each open savepoint. */
  #frames: Frame[] = [new Map()];

  record({ created, changed, deleted }: FlushedWork): void {
    const frame = this.#frames.at(-1)!;
    for (const { entity } of created) note(frame, entity, 'insert');
    for (const { entity } of changed) note(frame, entity, 'update');
    for (const { entity } of deleted) note(frame, entity, 'delete');
  }

  opened(): void {
    this.#frames.push(new Map());
  }

  /** The savepoint number `number` (1 is the outermost) is kept, and those inside it. */
  released(number: number): void {
    while (this.#frames.length > number) {
      const frame = this.#frames.pop()!;
      for (const [entity, operation] of frame) note(this.#frames.at(-1)!, entity, operation);
    }
  }

  rolledBackTo(number: number): void {
    if (this.#frames.length > number) this.#frames.length = number;
  }

  clear(): void {
    this.#frames = [new Map()];
  }

  list(): ModelChange[] {
    this.released(1);
    return [...this.#frames[0]!].map(([entity, operation]) => ({ entity, operation }));
  }
}

/** What two operations on one row are together. */
function note(frame: Frame, entity: object, next: ModelOperation): void {
  const before = frame.get(entity);
  if (before === 'insert' && next === 'delete') frame.delete(entity);
  else if (before === 'delete' && next === 'insert') frame.set(entity, 'update');
  else if (before === undefined || next === 'delete') frame.set(entity, next);
}
