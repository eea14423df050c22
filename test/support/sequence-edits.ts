/** What an application does to objects between two flushes, as changes of the model; the real objects are changed alike. */
import { type KindOfThing, SHAPES } from './sequence-entities.js';
import { doomedIn, verdictOf } from './sequence-flush.js';
import type { Model } from './sequence-model.js';
import type { Scalar } from './sequence-tables.js';
import type { Thing } from './sequence-thing.js';

export interface NewThing {
  readonly name: string;
  readonly kind: KindOfThing;
  readonly columns: Record<string, Scalar>;
  readonly ends?: Record<string, string | null>;
  readonly lists?: Record<string, readonly NewThing[]>;
}

export type Edit =
  | { readonly do: 'add'; readonly thing: NewThing }
  | { readonly do: 'add again'; readonly name: string; readonly keepsKey: boolean }
  | { readonly do: 'change'; readonly name: string; readonly column: string; readonly value: Scalar }
  | { readonly do: 'point'; readonly name: string; readonly end: string; readonly to: string | null }
  | { readonly do: 'put in'; readonly owner: string; readonly list: string; readonly thing: NewThing }
  | { readonly do: 'move in'; readonly owner: string; readonly list: string; readonly name: string }
  | { readonly do: 'take out'; readonly owner: string; readonly list: string; readonly name: string }
  | { readonly do: 'delete'; readonly name: string }
  | { readonly do: 'replace'; readonly name: string; readonly by: NewThing };

/** Changes the model; false where the edit makes no sense now, or where nobody could say what it leads to. */
export function edit(model: Model, one: Edit): boolean {
  const copy = model.copy();
  if (!apply(copy, one) || verdictOf(copy) === 'unclear') return false;
  return apply(model, one);
}

function apply(model: Model, one: Edit): boolean {
  switch (one.do) {
    case 'add': {
      const thing = makeNew(model, one.thing);
      if (thing !== undefined) thing.state = 'pending';
      return thing !== undefined;
    }
    case 'add again':
      return addAgain(model, one.name, one.keepsKey);
    case 'change':
      return change(model, one.name, one.column, one.value);
    case 'point':
      return point(model, one.name, one.end, one.to);
    case 'put in': {
      const names = listOf(model, one.owner, one.list);
      const thing = names === undefined ? undefined : makeNew(model, one.thing);
      if (thing !== undefined) names!.push(thing.name);
      return thing !== undefined;
    }
    case 'move in':
      return moveIn(model, one.owner, one.list, one.name);
    case 'take out':
      return takeOut(model, one.owner, one.list, one.name);
    case 'delete':
      return remove(model, one.name);
    default: {
      const key = model.things.get(one.name)?.row;
      const code = one.by.columns['code'];
      if (key === undefined || key !== code || !remove(model, one.name)) return false;
      const thing = makeNew(model, one.by);
      if (thing !== undefined) thing.state = 'pending';
      return thing !== undefined;
    }
  }
}

/** One that can be changed: in the session, and to stay there. */
function usable(model: Model, name: string): Thing | undefined {
  const thing = model.things.get(name);
  const isAttached = thing?.state === 'pending' || thing?.state === 'persistent';
  if (!isAttached || thing.isMarked || doomedIn(model).has(thing)) return undefined;
  if (thing.state === 'persistent' && model.rowOf(thing) === undefined) return undefined;
  return thing;
}

/** Whether unflushed changes of relations concern it. */
function isEntangled(model: Model, { name, row }: Thing): boolean {
  for (const thing of model.things.values()) {
    const { memory, base, kind } = thing;
    if (thing.state === 'deleted' || thing.state === 'detached') continue;
    const ends = Object.keys(memory.ends).filter((end) => model.isEndChanged(thing, end));
    if (ends.some((end) => thing.name === name || memory.ends[end] === name)) return true;
    for (const [list, { by }] of Object.entries(SHAPES[kind].lists)) {
      if (memory.lists[list] === undefined || !model.isListChanged(thing, list)) continue;
      const isMember = memory.lists[list].includes(name) || base.lists[list]?.includes(row ?? '') === true;
      if (thing.name === name || (isMember && (by !== undefined || row === undefined))) return true;
    }
  }
  return false;
}

function makeNew(model: Model, { name, kind, columns, ends = {}, lists = {} }: NewThing): Thing | undefined {
  if (model.things.has(name)) return undefined;
  for (const end of Object.values(ends)) if (end !== null && !usable(model, end)) return undefined;
  const thing = model.make(name, kind, columns);
  thing.memory.ends = { ...ends };
  for (const [list, members] of Object.entries(lists)) {
    thing.memory.lists[list] = members.map((member) => member.name);
    for (const member of members) if (makeNew(model, member) === undefined) return undefined;
  }
  return thing;
}

function addAgain(model: Model, name: string, keepsKey: boolean): boolean {
  const thing = model.things.get(name);
  if (thing?.state === 'detached') {
    if (thing.isGone || model.of(thing.kind, thing.row) !== undefined) return false;
    // A database may give the key of a row that was rolled back to another one.
    if (refersToStrangers(model, thing) || model.rowOf(thing) === undefined) return false;
    thing.state = 'persistent';
    return true;
  }
  if (thing?.state !== 'transient' || refersToStrangers(model, thing)) return false;
  const { key } = SHAPES[thing.kind];
  if (thing.kind !== 'tag') {
    // The database may make this very key for another new row of the same flush.
    const others = [...model.attached()].some(({ kind, row }) => kind === thing.kind && row === undefined);
    if (!keepsKey) delete thing.memory.columns[key];
    else if (others || thing.memory.columns[key] === undefined) return false;
  }
  thing.state = 'pending';
  return true;
}

/** Objects that left the session belong to others that did. */
function refersToStrangers(model: Model, { memory }: Thing): boolean {
  const names = [...Object.values(memory.ends), ...Object.values(memory.lists).flat()];
  return names.some((name) => name !== null && usable(model, name) === undefined);
}

function change(model: Model, name: string, column: string, value: Scalar): boolean {
  const thing = usable(model, name);
  if (thing === undefined) return false;
  const { key } = SHAPES[thing.kind];
  if (column === key && (thing.state !== 'persistent' || thing.base.columns[key] === undefined)) return false;
  if (column === key && (isEntangled(model, thing) || [...model.attached()].some(({ row }) => row === value)))
    return false;
  if (column === key && isMember(model, thing)) return false;
  thing.memory.columns[column] = value;
  thing.expired.delete(column);
  return true;
}

/** Not done yet: a list that holds an object whose key changes takes it for another one. */
function isMember(model: Model, { row }: Thing): boolean {
  return [...model.things.values()].some(
    ({
      memory: {
        lists: { tags = [] },
      },
      base,
    }) => [...(base.lists['tags'] ?? []), ...tags.map((name) => model.things.get(name)!.row)].includes(row),
  );
}

function point(model: Model, name: string, end: string, to: string | null): boolean {
  const thing = usable(model, name);
  if (thing === undefined || (to !== null && usable(model, to) === undefined)) return false;
  if (isEntangled(model, thing)) return false;
  thing.memory.ends[end] = to;
  thing.expired.delete(end);
  return true;
}

function listOf(model: Model, owner: string, list: string): string[] | undefined {
  const thing = usable(model, owner);
  if (thing === undefined) return undefined;
  if (thing.state === 'pending') return (thing.memory.lists[list] ??= []);
  return thing.memory.lists[list];
}

function moveIn(model: Model, owner: string, list: string, name: string): boolean {
  const names = listOf(model, owner, list);
  const member = usable(model, name);
  if (names === undefined || member === undefined || names.includes(name)) return false;
  const { by, of } = SHAPES[model.things.get(owner)!.kind].lists[list]!;
  if (member.kind !== of) return false;
  const keys = names.map((one) => model.things.get(one)!.row);
  if (member.row !== undefined && keys.includes(member.row)) return false;
  if (by === undefined) {
    names.push(name);
    return true;
  }
  if (isEntangled(model, member)) return false;
  for (const { memory } of model.attached()) {
    const former = memory.lists[list];
    if (former?.includes(name) === true) former.splice(former.indexOf(name), 1);
  }
  names.push(name);
  return true;
}

function takeOut(model: Model, owner: string, list: string, name: string): boolean {
  const names = listOf(model, owner, list);
  const member = model.things.get(name);
  if (names === undefined || member === undefined || !names.includes(name)) return false;
  const { by } = SHAPES[model.things.get(owner)!.kind].lists[list]!;
  if (by !== undefined && isEntangled(model, member)) return false;
  names.splice(names.indexOf(name), 1);
  return true;
}

function remove(model: Model, name: string): boolean {
  const thing = usable(model, name);
  if (thing?.state !== 'persistent' || isEntangled(model, thing)) return false;
  thing.isMarked = true;
  return [...doomedIn(model)].every((one) => one === thing || !isEntangled(model, one));
}
