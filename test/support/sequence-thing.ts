/** One object of a random sequence in plain words: its state, what it holds, and what it held when it was stored. */
import { type KindOfThing, SHAPES } from './sequence-entities.js';
import type { Row, Scalar } from './sequence-tables.js';

/** What is known of a row, or was assigned to an object: what is missing is not loaded. */
interface Known {
  columns: Record<string, Scalar>;
  /** Names of things; of what is stored, keys of rows. */
  ends: Record<string, string | null>;
  lists: Record<string, string[]>;
}

/** One object, as the application sees it. */
export interface Thing {
  readonly name: string;
  readonly kind: KindOfThing;
  state: 'transient' | 'pending' | 'persistent' | 'deleted' | 'detached';
  /** To be deleted by the next flush. */
  isMarked: boolean;
  /** Its deletion was committed, or its session was closed since: it cannot be added again. */
  isGone: boolean;
  /** The key of its row. */
  row: string | undefined;
  memory: Known;
  /** What it held when it was loaded or stored last. */
  base: Known;
  expired: Set<string>;
}

const nothing = (): Known => ({ columns: {}, ends: {}, lists: {} });

export function newThing(name: string, kind: KindOfThing, columns: Record<string, Scalar>): Thing {
  return {
    name,
    kind,
    state: 'transient',
    isMarked: false,
    isGone: false,
    row: undefined,
    memory: { ...nothing(), columns: { ...columns } },
    base: nothing(),
    expired: new Set(),
  };
}

/** All but its key is not known any more. */
export function expireThing(thing: Thing): void {
  const { key } = SHAPES[thing.kind];
  const { memory, base } = thing;
  const lost = [memory.columns, base.columns, memory.ends, memory.lists].flatMap(Object.keys);
  for (const property of lost) if (property !== key) thing.expired.add(property);
  const columns = { [key]: base.columns[key]! };
  thing.memory = { ...nothing(), columns: { ...columns } };
  thing.base = { ...nothing(), columns };
}

/** It has no row any more. */
export function makeTransient(thing: Thing): void {
  thing.state = 'transient';
  thing.row = undefined;
  thing.base = nothing();
  thing.expired.clear();
}

/** The session does not have it any more. */
export function leaveSession(thing: Thing): void {
  thing.isGone ||= thing.state === 'deleted';
  thing.state = 'detached';
  thing.isMarked = false;
}

export function copyThing(thing: Thing): Thing {
  return {
    ...thing,
    memory: copyKnown(thing.memory),
    base: copyKnown(thing.base),
    expired: new Set(thing.expired),
  };
}

function copyKnown({ columns, ends, lists }: Known): Known {
  const copies = Object.entries(lists).map(([list, names]) => [list, [...names]]);
  return { columns: { ...columns }, ends: { ...ends }, lists: Object.fromEntries(copies) };
}

/** Somebody else has changed its row since. */
export function isStale({ base }: Thing, row: Row): boolean {
  const { version } = base.columns;
  return version !== undefined && version !== row['version'];
}
