/** Compares what an application can see of a session with the model, and takes over what a query has loaded. */
import type { SessionBase } from 'nestjs-scoped-session';
import { CLASSES, KINDS_OF_THINGS, SHAPES } from './sequence-entities.js';
import type { Model } from './sequence-model.js';
import { textOf } from './sequence-tables.js';
import type { Thing } from './sequence-thing.js';

/** The library and the model do not agree. */
export class Difference extends Error {}

const EXPIRED = Symbol('expired');
const CODES = ['SS_ERR_EXPIRED_PROPERTY', 'SS_ERR_DETACHED_INSTANCE'];

export class Comparison {
  readonly #objects = new Map<string, object>();
  readonly #names = new WeakMap<object, string>();

  constructor(private readonly model: Model) {}

  know(name: string, object: object): void {
    this.#objects.set(name, object);
    this.#names.set(object, name);
  }

  object(name: string): object {
    return this.#objects.get(name)!;
  }

  thing(object: object): Thing | undefined {
    const name = this.#names.get(object);
    return name === undefined ? undefined : this.model.things.get(name);
  }

  /** Objects that queries and merges brought into the session. */
  takeNew(session: SessionBase): void {
    for (const object of session) {
      if (this.thing(object) !== undefined) continue;
      const kind = KINDS_OF_THINGS.find((one) => object instanceof CLASSES[one])!;
      const key = String(Reflect.get(object, SHAPES[kind].key));
      if (!this.model.tables.rows[kind].has(key)) throw new Difference(`an object of no row: ${kind} ${key}`);
      let name = `${kind}_${key}`;
      while (this.model.things.has(name)) name += '+';
      this.know(name, object);
      this.model.loadNew(name, kind, key);
    }
  }

  /** @param isLoading - whether the last operation was one that may load what was not loaded */
  all(session: SessionBase, isLoading: boolean): void {
    this.takeNew(session);
    for (const thing of this.model.things.values()) this.#one(session, thing, isLoading);
    this.#sets(session);
    const rows = [...this.model.attached()].filter(({ state }) => state === 'persistent');
    const keys = new Set(rows.map(({ kind, row }) => `${kind} ${row}`));
    if (keys.size < rows.length) throw new Difference('one row has two objects');
  }

  #sets(session: SessionBase): void {
    const { model } = this;
    const things = [...model.attached()];
    const persistent = things.filter(({ state, isMarked }) => state === 'persistent' && !isMarked);
    this.#same('session', session, things);
    this.#same(
      'new',
      session.new,
      things.filter(({ state }) => state === 'pending'),
    );
    this.#same(
      'deleted',
      session.deleted,
      things.filter(({ isMarked }) => isMarked),
    );
    this.#same(
      'dirty',
      session.dirty,
      persistent.filter((thing) => model.isChanged(thing)),
    );
  }

  #same(what: string, objects: Iterable<object>, things: readonly Thing[]): void {
    equal(
      what,
      [...objects].map((object) => this.#names.get(object)!).toSorted(),
      things.map(({ name }) => name).toSorted(),
    );
  }

  #one(session: SessionBase, thing: Thing, isLoading: boolean): void {
    const object = this.object(thing.name);
    const { state } = session.inspect(object);
    equal(`state of ${thing.name}`, state, thing.state);
    const { key, columns, ends, lists } = SHAPES[thing.kind];
    const known = [key, ...columns].some(
      (column) => thing.memory.columns[column] === undefined && isThere(read(object, column)),
    );
    if (known && isLoading && state === 'persistent') this.model.load(thing);
    for (const column of [key, ...columns]) {
      const expected = thing.expired.has(column) ? EXPIRED : thing.memory.columns[column];
      equal(`${thing.name}.${column}`, read(object, column), expected);
    }
    for (const end of Object.keys(ends)) this.#end(thing, end, isLoading);
    for (const list of Object.keys(lists)) this.#list(thing, list, isLoading);
  }

  #end(thing: Thing, end: string, isLoading: boolean): void {
    const value = read(this.object(thing.name), end);
    const expected = thing.memory.ends[end];
    const isKnown = expected !== undefined;
    if (!isThere(value)) return this.#notLoaded(thing, 'ends', end, value, isLoading);
    const name = value === null ? null : this.#nameOf(value as object, `${thing.name}.${end}`);
    if (isKnown) return equal(`${thing.name}.${end}`, name, expected);
    this.#mayLoad(`${thing.name}.${end}`, isLoading);
    const key = textOf(this.model.rowOf(thing)?.[end] ?? null);
    equal(`key of ${thing.name}.${end}`, name === null ? null : this.model.things.get(name)!.row, key);
    thing.memory.ends[end] = name;
    thing.base.ends[end] = key;
    thing.expired.delete(end);
  }

  #list(thing: Thing, list: string, isLoading: boolean): void {
    const value = read(this.object(thing.name), list);
    const expected = thing.memory.lists[list];
    if (!isThere(value)) return this.#notLoaded(thing, 'lists', list, value, isLoading);
    const names = (value as object[]).map((one) => this.#nameOf(one, `${thing.name}.${list}`));
    if (expected !== undefined)
      return equal(`${thing.name}.${list}`, names.toSorted(), [...expected].toSorted());
    this.#mayLoad(`${thing.name}.${list}`, isLoading);
    const keys = names.map((name) => this.model.things.get(name)!.row!);
    equal(`keys of ${thing.name}.${list}`, keys.toSorted(), this.#storedList(thing, list).toSorted());
    thing.memory.lists[list] = names;
    thing.base.lists[list] = keys;
    thing.expired.delete(list);
  }

  #storedList({ kind, row }: Thing, list: string): string[] {
    const { of, by } = SHAPES[kind].lists[list]!;
    const { pairs, rows } = this.model.tables;
    if (by === undefined)
      return [...pairs].filter((pair) => pair.startsWith(`${row} `)).map((pair) => pair.split(' ')[1]!);
    return [...rows[of]].filter(([, one]) => textOf(one[by]!) === row).map(([key]) => key);
  }

  #notLoaded(
    thing: Thing,
    what: 'ends' | 'lists',
    property: string,
    value: unknown,
    isLoading: boolean,
  ): void {
    const isExpected = thing.memory[what][property] === undefined;
    const isExpired = thing.expired.has(property);
    if (isLoading) {
      // A query that renews an object may let go of a relation that it did not load.
      if (!isExpected && !isExpired) throw new Difference(`${thing.name}.${property} is not loaded any more`);
      if (value === undefined) thing.expired.delete(property);
      return;
    }
    const expected = isExpired ? EXPIRED : thing.memory[what][property];
    equal(`${thing.name}.${property}`, value, expected);
  }

  #mayLoad(what: string, isLoading: boolean): void {
    if (!isLoading) throw new Difference(`${what} is there, and was not loaded`);
  }

  #nameOf(object: object, where: string): string {
    const name = this.#names.get(object);
    if (name === undefined) throw new Difference(`${where} leads to an object of no session`);
    return name;
  }
}

const isThere = (value: unknown): boolean => value !== undefined && value !== EXPIRED;

function read(object: object, property: string): unknown {
  try {
    return Reflect.get(object, property);
  } catch (error) {
    if (CODES.includes((error as { code: string }).code)) return EXPIRED;
    throw error;
  }
}

export function equal(what: string, found: unknown, expected: unknown): void {
  const [a, b] = [shown(found), shown(expected)];
  if (a !== b) throw new Difference(`${what} is ${a}, the model says ${b}`);
}

function shown(value: unknown): string {
  return typeof value === 'symbol' || value === undefined ? String(value) : JSON.stringify(value);
}
