/** What a flush does to the tables and the objects of the model, and whether a database would take it. */
import { FlushedDeletes } from './sequence-flush-deletes.js';
import { FlushedLists } from './sequence-flush-lists.js';
import { FlushPlan } from './sequence-flush-plan.js';
import { FlushedRows } from './sequence-flush-rows.js';
import type { Model } from './sequence-model.js';
import type { Scalar } from './sequence-tables.js';
import type { Thing } from './sequence-thing.js';
import type { Verdict } from './sequence-verdict.js';

export function verdictOf(model: Model): Verdict {
  return flush(model.copy(), ({ name }) => `new ${name}`);
}

/** @param keyOf - the key that the database made for a new row */
export function flushModel(model: Model, keyOf: (thing: Thing) => Scalar): void {
  if (verdictOf(model) !== 'nothing') flush(model, keyOf);
}

/** The things whose rows would go, with all that goes with them. */
export function doomedIn(model: Model): ReadonlySet<Thing> {
  const plan = new FlushPlan(model);
  plan.markDeletes();
  return plan.doomed;
}

function flush(model: Model, keyOf: (thing: Thing) => Scalar): Verdict {
  const plan = new FlushPlan(model);
  const lists = new FlushedLists(plan);
  const rows = new FlushedRows(plan, keyOf);
  const deletes = new FlushedDeletes(plan);
  plan.findNewcomers();
  plan.markDeletes();
  const changed = lists.changed();
  for (const [owner, list] of changed) lists.takeIn(owner, list);
  for (const [owner, list] of changed) lists.letGo(owner, list);
  for (const thing of plan.newcomers) rows.insert(thing);
  for (const thing of model.attached())
    if (thing.state === 'persistent' && !plan.doomed.has(thing)) rows.update(thing);
  for (const thing of plan.newcomers) rows.settle(thing);
  for (const [owner, list] of changed) lists.store(owner, list);
  for (const thing of plan.doomed) deletes.remove(thing);
  checkNicks(plan);
  return plan.outcome.verdict;
}

/** One nick for one author; where it goes from one to another, the order of the statements decides. */
function checkNicks(plan: FlushPlan): void {
  const before = plan.before.rows.author;
  const now = plan.model.tables.rows.author;
  const seen = new Set<Scalar>();
  for (const [key, { nick }] of now) {
    if (nick === null || nick === undefined) continue;
    if (seen.has(nick)) plan.outcome.isRefused = true;
    seen.add(nick);
    if (before.get(key)?.['nick'] === nick) continue;
    for (const [other, row] of before)
      if (other !== key && row['nick'] === nick && now.get(other)?.['nick'] !== nick)
        plan.outcome.isUnclear = true;
  }
}
