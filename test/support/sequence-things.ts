/** The tables of the model and the objects that stand for their rows: who is who, what is loaded, what has changed. */
import { type KindOfThing, SHAPES } from './sequence-entities.js';
import { noTables, type Row, type Scalar, type Tables, textOf } from './sequence-tables.js';
import { newThing, type Thing } from './sequence-thing.js';

export class Things {
  tables: Tables = noTables();
  readonly things = new Map<string, Thing>();

  make(name: string, kind: KindOfThing, columns: Record<string, Scalar>): Thing {
    const thing = newThing(name, kind, columns);
    this.things.set(name, thing);
    return thing;
  }

  /** A thing of a row that was loaded for the first time. */
  loadNew(name: string, kind: KindOfThing, key: string): Thing {
    const thing = this.make(name, kind, {});
    thing.state = 'persistent';
    thing.row = key;
    this.load(thing);
    return thing;
  }

  *attached(): Generator<Thing> {
    for (const thing of this.things.values())
      if (thing.state === 'pending' || thing.state === 'persistent') yield thing;
  }

  of(kind: KindOfThing, key: string | null | undefined): Thing | undefined {
    if (key === null || key === undefined) return undefined;
    for (const thing of this.attached())
      if (thing.kind === kind && thing.row === key && thing.state === 'persistent') return thing;
    return undefined;
  }

  rowOf({ kind, row }: Thing): Row | undefined {
    return row === undefined ? undefined : this.tables.rows[kind].get(row);
  }

  /** Its row was read: what was not loaded is now. */
  load(thing: Thing): void {
    const row = this.rowOf(thing);
    if (row === undefined) return;
    const { key, columns, ends } = SHAPES[thing.kind];
    const { memory, base } = thing;
    for (const column of [key, ...columns]) {
      if (base.columns[column] === undefined) base.columns[column] = row[column]!;
      if (memory.columns[column] === undefined) memory.columns[column] = row[column]!;
      thing.expired.delete(column);
    }
    for (const end of Object.keys(ends)) {
      if (base.ends[end] === undefined) base.ends[end] = textOf(row[end]!);
    }
  }

  /** Whether a flush would store something of it, by itself. */
  isChanged(thing: Thing): boolean {
    const { memory, base } = thing;
    return (
      Object.keys(memory.columns).some((column) => memory.columns[column] !== base.columns[column]) ||
      Object.keys(memory.ends).some((end) => this.isEndChanged(thing, end)) ||
      Object.keys(memory.lists).some((list) => this.isListChanged(thing, list))
    );
  }

  isEndChanged(thing: Thing, end: string): boolean {
    const now = thing.memory.ends[end];
    if (now === undefined) return false;
    const key = now === null ? null : this.things.get(now)!.row;
    return key === undefined || key !== thing.base.ends[end];
  }

  isListChanged({ memory, base }: Thing, list: string): boolean {
    const now = memory.lists[list];
    if (now === undefined) return false;
    const was = new Set(base.lists[list]);
    const keys = now.map((name) => this.#keyOf(this.things.get(name)!));
    return keys.length !== was.size || keys.some((key) => key === undefined || !was.has(key));
  }

  /** Also of one whose row was rolled back: it keeps its key. */
  #keyOf({ kind, row, memory }: Thing): string | undefined {
    const key = memory.columns[SHAPES[kind].key];
    return row ?? (key === undefined ? undefined : String(key));
  }
}
