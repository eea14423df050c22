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
  /** The transaction is over; the next one starts afresh. */
  ended(): void;
}

/** Where nobody is told. */
export const NO_CHANGES: Changes = {
  record: () => undefined,
  opened: () => undefined,
  released: () => undefined,
  rolledBackTo: () => undefined,
  ended: () => undefined,
};

type Frame = Map<object, ModelOperation>;

export class ChangeLog implements Changes {
  /** The transaction's own, and one for each open savepoint. */
  #frames: Frame[] = [new Map()];
  #isBegun = false;

  /** @param begun - told of the first flush of each transaction, and what tells what it has stored in all */
  constructor(private readonly begun: (stored: () => ModelChange[]) => void) {}

  record({ created, changed, deleted }: FlushedWork): void {
    const frame = this.#frames.at(-1)!;
    for (const { entity } of created) note(frame, entity, 'insert');
    for (const { entity } of changed) note(frame, entity, 'update');
    for (const { entity } of deleted) note(frame, entity, 'delete');
    if (this.#isBegun) return;
    this.#isBegun = true;
    const frames = this.#frames;
    this.begun(() => listOf(frames));
  }

  opened(): void {
    this.#frames.push(new Map());
  }

  /** The savepoint number `number` (1 is the outermost) is kept, and those inside it. */
  released(number: number): void {
    while (this.#frames.length > number) merge(this.#frames.at(-2)!, this.#frames.pop()!);
  }

  rolledBackTo(number: number): void {
    if (this.#frames.length > number) this.#frames.length = number;
  }

  ended(): void {
    // Whoever is told afterwards has the old ones.
    this.#frames = [new Map()];
    this.#isBegun = false;
  }
}

/** One for each object, with what became of it in all. */
function listOf(frames: readonly Frame[]): ModelChange[] {
  const all: Frame = new Map();
  for (const frame of frames) merge(all, frame);
  return [...all].map(([entity, operation]) => ({ entity, operation }));
}

function merge(frame: Frame, later: Frame): void {
  for (const [entity, operation] of later) note(frame, entity, operation);
}

/** What two operations on one row are together. */
function note(frame: Frame, entity: object, next: ModelOperation): void {
  const before = frame.get(entity);
  if (before === 'insert' && next === 'delete') frame.delete(entity);
  else if (before === 'delete' && next === 'insert') frame.set(entity, 'update');
  else if (before === undefined || next === 'delete') frame.set(entity, next);
}
