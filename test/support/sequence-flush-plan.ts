/** Who comes and who goes with a flush of the model, before any row is written. */
import { SHAPES } from './sequence-entities.js';
import type { Model } from './sequence-model.js';
import { copyTables, type Tables, textOf } from './sequence-tables.js';
import type { Thing } from './sequence-thing.js';
import { Outcome } from './sequence-verdict.js';

export class FlushPlan {
  readonly doomed = new Set<Thing>();
  readonly newcomers: Thing[] = [];
  /** Ends that only a list speaks of. */
  readonly implied = new Map<Thing, Record<string, Thing | null>>();
  readonly outcome = new Outcome();
  readonly before: Tables;

  constructor(readonly model: Model) {
    this.before = copyTables(model.tables);
  }

  markDeletes(): void {
    for (const thing of this.model.attached()) if (thing.isMarked) this.doom(thing);
  }

  /** Cascades go over what is loaded, and belongs to the owner still. */
  doom(thing: Thing): void {
    if (this.doomed.has(thing) || thing.state !== 'persistent') return;
    this.doomed.add(thing);
    const { lists } = SHAPES[thing.kind];
    for (const [list, { by }] of Object.entries(lists)) {
      for (const name of thing.memory.lists[list] ?? []) {
        const member = this.model.things.get(name)!;
        if (by !== undefined && this.belongsTo(member, by, thing)) this.doom(member);
      }
    }
  }

  belongsTo(member: Thing, by: string, owner: Thing): boolean {
    if (this.model.isEndChanged(member, by)) return member.memory.ends[by] === owner.name;
    const known = member.base.ends[by];
    const stored = textOf(this.model.rowOf(member)?.[by] ?? null);
    if (known === undefined && stored !== owner.row && member.state === 'persistent')
      this.outcome.isUnclear = true;
    return (known ?? stored) === owner.row;
  }

  findNewcomers(): void {
    const alive = [...this.model.attached()].filter(({ isMarked }) => !isMarked);
    this.newcomers.push(...alive.filter(({ state }) => state === 'pending'));
    // The list grows while it is gone through.
    for (const { memory, base } of alive) {
      for (const [list, names] of Object.entries(memory.lists)) {
        for (const member of names.map((name) => this.model.things.get(name)!)) {
          if (member.state !== 'transient' || this.newcomers.includes(member)) continue;
          const key = member.memory.columns[SHAPES[member.kind].key];
          // A new object with a key that is there only names the row, where nobody added it.
          if (key !== undefined && this.#isTaken(member)) this.outcome.isUnclear = true;
          if (key !== undefined && base.lists[list]?.includes(String(key)) === true) continue;
          if (key !== undefined && member.kind !== 'tag') this.outcome.isUnclear = true;
          this.newcomers.push(member);
          alive.push(member);
        }
      }
    }
  }

  #isTaken({ kind, memory }: Thing): boolean {
    const key = memory.columns[SHAPES[kind].key]!;
    const isOther = ({ kind: other, memory: { columns } }: Thing): boolean =>
      other === kind && columns !== memory.columns && columns[SHAPES[kind].key] === key;
    return (
      this.model.tables.rows[kind].has(String(key)) ||
      [...this.model.attached()].some(isOther) ||
      this.newcomers.some(isOther)
    );
  }

  imply(member: Thing, by: string, owner: Thing | null): void {
    const implied = this.implied.get(member) ?? {};
    if (implied[by] !== undefined && implied[by] !== owner) this.outcome.isUnclear = true;
    this.implied.set(member, { ...implied, [by]: owner });
  }
}
