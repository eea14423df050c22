/** The rows that a flush of the model inserts and updates, and what their objects know of them afterwards. */
import { SHAPES } from './sequence-entities.js';
import { renameRow } from './sequence-flush-keys.js';
import type { FlushPlan } from './sequence-flush-plan.js';
import type { Model } from './sequence-model.js';
import { type Scalar, textOf } from './sequence-tables.js';
import { isStale, type Thing } from './sequence-thing.js';

export class FlushedRows {
  readonly #model: Model;

  constructor(
    private readonly plan: FlushPlan,
    private readonly keyOf: (thing: Thing) => Scalar,
  ) {
    this.#model = plan.model;
  }

  insert(thing: Thing): void {
    const { kind, memory } = thing;
    const { key: keyColumn, columns } = SHAPES[kind];
    const given = memory.columns[keyColumn];
    const key = given ?? this.keyOf(thing);
    const row: Record<string, Scalar> = { [keyColumn]: key };
    for (const column of columns) row[column] = memory.columns[column] ?? (column === 'version' ? 1 : null);
    for (const column of columns)
      if (row[column] === null && column !== 'nick' && column !== 'note') this.plan.outcome.isRefused = true;
    const before = this.#model.of(kind, String(key));
    if (before !== undefined && this.plan.doomed.has(before)) {
      // One row goes and another of its name comes: the row is changed.
      this.plan.doomed.delete(before);
      before.state = 'deleted';
      before.isMarked = false;
    } else if (this.#model.tables.rows[kind].has(String(key))) {
      this.plan.outcome.isRefused = true;
      if (before !== undefined && before.memory.columns[keyColumn] !== key)
        this.plan.outcome.isUnclear = true;
    }
    thing.row = String(key);
    this.#model.tables.rows[kind].set(thing.row, row);
    this.plan.outcome.isStored = true;
  }

  /** The ends of new rows may be new rows too, so that they come last. */
  settle(thing: Thing): void {
    const { kind, memory, base } = thing;
    const { key, ends } = SHAPES[kind];
    const row: Record<string, Scalar> = { ...this.#model.tables.rows[kind].get(thing.row!) };
    for (const end of Object.keys(ends)) {
      row[end] = this.#endKey(thing, end);
      if (end === 'author' && row[end] === null) this.plan.outcome.isRefused = true;
      if (memory.ends[end] !== undefined || this.plan.implied.get(thing)?.[end] !== undefined)
        base.ends[end] = textOf(row[end]);
    }
    this.#model.tables.rows[kind].set(thing.row!, row);
    memory.columns[key] = row[key]!;
    if (kind === 'author') memory.columns['version'] = row['version']!;
    for (const column of ['nick', 'note'])
      if (SHAPES[kind].columns.includes(column)) memory.columns[column] ??= null;
    base.columns = { ...memory.columns };
    for (const [list, names] of Object.entries(memory.lists)) if (names.length === 0) base.lists[list] = [];
    this.#followImplied(thing);
    thing.state = 'persistent';
    this.#model.frame.created.add(thing.name);
    this.#model.frame.touched.add(thing.name);
  }

  #endKey(thing: Thing, end: string): Scalar {
    const implied = this.plan.implied.get(thing)?.[end];
    const name = thing.memory.ends[end];
    const leadsTo = implied === undefined ? (name ? this.#model.things.get(name)! : null) : implied;
    if (leadsTo === null) return null;
    const { to } = SHAPES[thing.kind].ends[end]!;
    const row = leadsTo.row === undefined ? undefined : this.#model.tables.rows[to].get(leadsTo.row);
    if (this.plan.doomed.has(leadsTo)) this.plan.outcome.isUnclear = true;
    if (row === undefined) this.plan.outcome.isRefused = true;
    return row?.['id'] ?? null;
  }

  #followImplied(thing: Thing): void {
    for (const [end, leadsTo] of Object.entries(this.plan.implied.get(thing) ?? {}))
      if (thing.memory.ends[end] !== undefined) thing.memory.ends[end] = leadsTo?.name ?? null;
  }

  update(thing: Thing): void {
    const { kind, memory, base } = thing;
    const { key, ends } = SHAPES[kind];
    const changed = Object.keys(memory.columns).filter(
      (column) => memory.columns[column] !== base.columns[column],
    );
    const implied = this.plan.implied.get(thing) ?? {};
    const moved = Object.keys(ends).filter(
      (end) =>
        (implied[end] !== undefined && (implied[end]?.row ?? null) !== base.ends[end]) ||
        (implied[end] === undefined && this.#model.isEndChanged(thing, end)),
    );
    if (changed.length + moved.length === 0) return;
    this.plan.outcome.isStored = true;
    this.#model.frame.touched.add(thing.name);
    const was = this.#model.rowOf(thing);
    if (was === undefined || isStale(thing, was)) {
      this.plan.outcome.isRefused = true;
      return;
    }
    const row: Record<string, Scalar> = { ...was };
    for (const column of changed) {
      row[column] = memory.columns[column]!;
      if (row[column] === null && column !== 'nick' && column !== 'note') this.plan.outcome.isRefused = true;
    }
    for (const end of moved) {
      row[end] = this.#endKey(thing, end);
      base.ends[end] = textOf(row[end]);
      if (end === 'author' && row[end] === null) this.plan.outcome.isRefused = true;
    }
    if (kind === 'author') {
      row['version'] = Number(row['version']) + 1;
      memory.columns['version'] = row['version'];
      thing.expired.delete('version');
    }
    base.columns = { ...memory.columns };
    this.#followImplied(thing);
    if (changed.includes(key)) renameRow(this.plan, thing, String(row[key]));
    this.#model.tables.rows[kind].set(thing.row!, row);
  }
}
