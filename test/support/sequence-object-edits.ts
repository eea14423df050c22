/** What an application does to objects between two flushes, done to the real objects as the model says. */
import { edit } from './sequence-edits.js';
import { CLASSES } from './sequence-entities.js';
import { verdictOf } from './sequence-flush.js';
import type { Operation } from './sequence-operations.js';
import type { SequenceState } from './sequence-state.js';
import { expireThing, type Thing } from './sequence-thing.js';

export async function editObjects(
  run: SequenceState,
  operation: Parameters<typeof edit>[1],
): Promise<boolean> {
  const before = run.model.copy();
  if (!edit(run.model, operation)) return false;
  const changed = [...run.model.things.values()];
  for (const thing of changed) {
    if (!before.things.has(thing.name)) run.comparison.know(thing.name, new CLASSES[thing.kind]());
  }
  for (const thing of changed) assign(run, thing, before.things.get(thing.name));
  for (const thing of changed) {
    const was = before.things.get(thing.name);
    if (thing.isMarked && was?.isMarked !== true) run.session.delete(run.object(thing));
    const isAdded = thing.state === 'pending' || thing.state === 'persistent';
    if (isAdded && thing.state !== was?.state) run.session.add(run.object(thing));
  }
  return true;
}

function assign(run: SequenceState, thing: Thing, was: Thing | undefined): void {
  const object = run.object(thing);
  const { columns, ends, lists } = thing.memory;
  const before = was?.memory ?? { columns: {}, ends: {}, lists: {} };
  for (const column of new Set([...Object.keys(columns), ...Object.keys(before.columns)]))
    if (columns[column] !== before.columns[column]) object[column] = columns[column];
  const known = (name: string): object => run.comparison.object(name);
  for (const [end, to] of Object.entries(ends))
    if (to !== before.ends[end]) object[end] = to === null ? null : known(to);
  for (const [list, names] of Object.entries(lists)) {
    const former = before.lists[list];
    if (former !== undefined && JSON.stringify(former) === JSON.stringify(names)) continue;
    const value = names.map(known);
    // Both ways of changing a list are usual.
    if (former !== undefined && names.length % 2 === 0)
      (object[list] as object[]).splice(0, Infinity, ...value);
    else object[list] = value;
  }
}

export async function expireObject(run: SequenceState, name: string): Promise<boolean> {
  const thing = run.persistent(name);
  if (thing === undefined) return false;
  const copy = run.model.copy();
  expireThing(copy.things.get(name)!);
  if (verdictOf(copy) === 'unclear') return false;
  run.session.expire(run.object(thing));
  expireThing(thing);
  return true;
}

export async function changeAndBack(
  run: SequenceState,
  { name, column, value }: Operation & { do: 'change and back' },
): Promise<boolean> {
  const thing = run.persistent(name);
  const was = thing?.memory.columns[column];
  if (thing === undefined || was === undefined) return false;
  const object = run.object(thing);
  object[column] = value;
  object[column] = was;
  return true;
}
