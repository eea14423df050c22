/** A unit of work in plain words: tables of rows, the objects that stand for them, and copies of both to go back to. */
import { KINDS_OF_THINGS, type KindOfThing, SHAPES } from './sequence-entities.js';

export type Scalar = string | number | null;
export type Row = Readonly<Record<string, Scalar>>;
/** Rows by their keys as text; pairs of a post and a tag as `post tag`. */
export interface Tables {
  readonly rows: Readonly<Record<KindOfThing, Map<string, Row>>>;
  readonly pairs: Set<string>;
}

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

/** What a rollback has to take back. */
interface Frame {
  readonly tables: Tables;
  readonly created: Set<string>;
  readonly touched: Set<string>;
  /** The keys that rows had. */
  readonly keys: Map<string, string>;
}

const nothing = (): Known => ({ columns: {}, ends: {}, lists: {} });
const noRows = (): Tables['rows'] => ({
  author: new Map(),
  post: new Map(),
  remark: new Map(),
  tag: new Map(),
});

export class Model {
  committed: Tables = { rows: noRows(), pairs: new Set() };
  tables: Tables = copyTables(this.committed);
  readonly things = new Map<string, Thing>();
  frames: Frame[] = [this.#frame()];

  copy(): Model {
    const copy = new Model();
    copy.committed = this.committed;
    copy.tables = copyTables(this.tables);
    for (const [name, thing] of this.things) copy.things.set(name, copyThing(thing));
    copy.frames = this.frames.map(({ tables, created, touched, keys }) => ({
      tables,
      created: new Set(created),
      touched: new Set(touched),
      keys: new Map(keys),
    }));
    return copy;
  }

  get frame(): Frame {
    return this.frames.at(-1)!;
  }

  get savepoints(): number {
    return this.frames.length - 1;
  }

  make(name: string, kind: KindOfThing, columns: Record<string, Scalar>): Thing {
    const thing: Thing = {
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

  expire(thing: Thing): void {
    const { key } = SHAPES[thing.kind];
    const { memory, base } = thing;
    const lost = [memory.columns, base.columns, memory.ends, memory.lists].flatMap(Object.keys);
    for (const property of lost) if (property !== key) thing.expired.add(property);
    const columns = { [key]: base.columns[key]! };
    thing.memory = { ...nothing(), columns: { ...columns } };
    thing.base = { ...nothing(), columns };
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

  // --- savepoints and the end ---

  begin(): void {
    this.frames.push(this.#frame());
  }

  release(count: number): void {
    while (this.savepoints >= count) {
      const { created, touched, keys } = this.frames.pop()!;
      for (const name of created) this.frame.created.add(name);
      for (const name of touched) this.frame.touched.add(name);
      for (const [name, key] of keys) if (!this.frame.keys.has(name)) this.frame.keys.set(name, key);
    }
  }

  rollBackTo(count: number): void {
    this.release(count + 1);
    const frame = this.frames.pop()!;
    this.tables = copyTables(frame.tables);
    const touched = [...this.things.values()].filter(
      (thing) =>
        frame.touched.has(thing.name) ||
        ((thing.state === 'persistent' || thing.state === 'deleted') && this.isChanged(thing)),
    );
    this.#restore(frame);
    for (const thing of [...touched, ...this.#touchedAndBack(frame)])
      if (thing.state === 'persistent') this.expire(thing);
  }

  rollBack(): void {
    this.release(1);
    this.tables = copyTables(this.committed);
    this.#restore(this.frame);
    for (const thing of this.attached()) this.expire(thing);
    this.frames = [this.#frame()];
  }

  commit(expires: boolean): void {
    this.committed = copyTables(this.tables);
    for (const thing of this.things.values()) {
      if (thing.state === 'deleted') this.#leave(thing);
      if (expires && thing.state === 'persistent') this.expire(thing);
    }
    this.frames = [this.#frame()];
  }

  close(): void {
    this.tables = copyTables(this.committed);
    for (const thing of this.things.values()) {
      if (thing.state === 'pending') thing.state = 'transient';
      else if (thing.state !== 'transient') this.#leave(thing);
    }
    this.frames = [this.#frame()];
  }

  #leave(thing: Thing): void {
    thing.isGone ||= thing.state === 'deleted';
    thing.state = 'detached';
    thing.isMarked = false;
  }

  /** A savepoint's frame tells of things that were deleted after they were changed in it. */
  #touchedAndBack({ touched }: Frame): Thing[] {
    return [...touched].map((name) => this.things.get(name)!).filter(({ state }) => state === 'persistent');
  }

  #restore({ created, keys }: Frame): void {
    for (const [name, key] of keys) {
      const thing = this.things.get(name)!;
      if (created.has(name) || (thing.state !== 'persistent' && thing.state !== 'deleted')) continue;
      thing.row = key;
      thing.memory.columns[SHAPES[thing.kind].key] = thing.base.columns[SHAPES[thing.kind].key] = key;
    }
    for (const thing of this.things.values()) {
      if (thing.state !== 'pending' && thing.state !== 'persistent' && thing.state !== 'deleted') continue;
      thing.isMarked = false;
      if (thing.state === 'pending' || created.has(thing.name)) {
        thing.state = 'transient';
        thing.row = undefined;
        thing.base = nothing();
        thing.expired.clear();
      }
    }
    for (const thing of this.things.values()) {
      const isBack = this.rowOf(thing) !== undefined && this.of(thing.kind, thing.row) === undefined;
      if (thing.state === 'deleted' && isBack) thing.state = 'persistent';
    }
  }

  #frame(): Frame {
    return {
      tables: copyTables(this.tables),
      created: new Set(),
      touched: new Set(),
      keys: new Map(),
    };
  }
}

/** Rows are never changed, only replaced. */
export function copyTables({ rows, pairs }: Tables): Tables {
  return {
    rows: {
      author: new Map(rows.author),
      post: new Map(rows.post),
      remark: new Map(rows.remark),
      tag: new Map(rows.tag),
    },
    pairs: new Set(pairs),
  };
}

function copyThing(thing: Thing): Thing {
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

export const textOf = (value: Scalar): string | null => (value === null ? null : String(value));

/** For messages and comparisons: sorted, one line per row. */
export function linesOf({ rows, pairs }: Tables): string[] {
  const lines = KINDS_OF_THINGS.flatMap((kind) =>
    [...rows[kind].values()].map((row) => `${kind} ${JSON.stringify(row, Object.keys(row).toSorted())}`),
  );
  return [...lines, ...[...pairs].map((pair) => `pair ${pair}`)].toSorted();
}
