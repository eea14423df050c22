/** The rows that a flush of the model deletes, and those that the database deletes or cuts off with them. */
import { type KindOfThing, SHAPES } from './sequence-entities.js';
import type { FlushPlan } from './sequence-flush-plan.js';
import type { Model } from './sequence-model.js';
import { textOf } from './sequence-tables.js';
import { isStale, type Thing } from './sequence-thing.js';

export class FlushedDeletes {
  readonly #model: Model;

  constructor(private readonly plan: FlushPlan) {
    this.#model = plan.model;
  }

  remove(thing: Thing): void {
    const row = this.#model.rowOf(thing);
    this.plan.outcome.isStored = true;
    if (thing.kind === 'author' && (row === undefined || isStale(thing, row)))
      this.plan.outcome.isRefused = true;
    if (row !== undefined) this.#removeRow(thing.kind, thing.row!);
    thing.state = 'deleted';
    thing.isMarked = false;
  }

  /** With what the database does to the rows that refer to it, and what is known of them. */
  #removeRow(kind: KindOfThing, key: string, isSeen = true): void {
    const { rows, pairs } = this.#model.tables;
    rows[kind].delete(key);
    for (const pair of Array.from(pairs)) {
      const [post, tag] = pair.split(' ');
      if ((kind === 'post' && post === key) || (kind === 'tag' && tag === key)) pairs.delete(pair);
    }
    for (const other of ['post', 'remark'] as const) {
      for (const [end, { to, onDelete }] of Object.entries(SHAPES[other].ends)) {
        if (to !== kind) continue;
        for (const [otherKey, row] of Array.from(rows[other])) {
          if (textOf(row[end]!) !== key) continue;
          const thing = this.#model.of(other, otherKey);
          const isKnown = isSeen && thing !== undefined && thing.base.ends[end] === key;
          if (onDelete === 'cascade') {
            if (isKnown) Object.assign(thing, { state: 'deleted', isMarked: false });
            // What follows from the deletion of somebody who is not known to be deleted is not known either.
            this.#removeRow(other, otherKey, isKnown || (thing !== undefined && this.plan.doomed.has(thing)));
          } else {
            rows[other].set(otherKey, { ...row, [end]: null });
            if (isKnown && !this.plan.doomed.has(thing)) this.#cutOff(thing, end);
          }
        }
      }
    }
  }

  #cutOff(thing: Thing, end: string): void {
    thing.base.ends[end] = null;
    if (thing.memory.ends[end] !== undefined) thing.memory.ends[end] = null;
    this.#model.frame.touched.add(thing.name);
  }
}
