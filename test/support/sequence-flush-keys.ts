/** What a key that was changed by hand leads to in a flush of the model. */
import { type KindOfThing, SHAPES } from './sequence-entities.js';
import type { FlushPlan } from './sequence-flush-plan.js';
import type { Thing } from './sequence-thing.js';

/** The database tells the pairs of it. */
export function renameRow(plan: FlushPlan, thing: Thing, key: string): void {
  const { rows, pairs } = plan.model.tables;
  const was = thing.row!;
  if (rows[thing.kind].has(key)) {
    if (plan.before.rows[thing.kind].has(key)) plan.outcome.isRefused = true;
    if (isRenamedOrGone(plan, thing.kind, key)) plan.outcome.isUnclear = true;
  }
  rows[thing.kind].delete(was);
  for (const pair of Array.from(pairs)) {
    const [post, tag] = pair.split(' ');
    if (tag !== was) continue;
    pairs.delete(pair);
    pairs.add(`${post} ${key}`);
  }
  const { keys } = plan.model.frame;
  if (!keys.has(thing.name)) keys.set(thing.name, was);
  thing.row = key;
  for (const { base } of plan.model.things.values()) {
    const tags = base.lists['tags'];
    if (tags !== undefined) base.lists['tags'] = tags.map((tag) => (tag === was ? key : tag));
  }
}

function isRenamedOrGone(plan: FlushPlan, kind: KindOfThing, key: string): boolean {
  const other = plan.model.of(kind, key);
  if (other === undefined) return plan.newcomers.some((thing) => thing.row === key);
  return plan.doomed.has(other) || other.memory.columns[SHAPES[kind].key] !== key;
}
