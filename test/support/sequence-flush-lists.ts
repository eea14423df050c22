/** What changed lists lead to in a flush of the model: members that come and go, and pairs. */
import { SHAPES } from './sequence-entities.js';
import type { FlushPlan } from './sequence-flush-plan.js';
import type { Model } from './sequence-model.js';
import type { Thing } from './sequence-thing.js';

export class FlushedLists {
  readonly #model: Model;

  constructor(private readonly plan: FlushPlan) {
    this.#model = plan.model;
  }

  changed(): [Thing, string][] {
    return [...this.#model.attached(), ...this.plan.newcomers.filter(({ state }) => state === 'transient')]
      .filter((thing) => !this.plan.doomed.has(thing))
      .flatMap((thing) =>
        Object.keys(thing.memory.lists)
          .filter((list) => this.#model.isListChanged(thing, list))
          .map((list): [Thing, string] => [thing, list]),
      );
  }

  #members(owner: Thing, list: string): Thing[] {
    return owner.memory.lists[list]!.map((name) => this.#model.things.get(name)!);
  }

  takeIn(owner: Thing, list: string): void {
    const { by } = SHAPES[owner.kind].lists[list]!;
    const was = new Set(owner.base.lists[list]);
    for (const member of this.#members(owner, list)) {
      if (member.row !== undefined && was.has(member.row)) continue;
      if (this.plan.doomed.has(member) || member.state === 'detached' || member.state === 'deleted')
        this.plan.outcome.isUnclear = true;
      if (by === undefined) continue;
      const isNew = this.plan.newcomers.includes(member);
      const isSilent = isNew
        ? (member.memory.ends[by] ?? null) === null
        : !this.#model.isEndChanged(member, by);
      if (isSilent) this.plan.imply(member, by, owner);
    }
  }

  letGo(owner: Thing, list: string): void {
    const { by, of, orphan } = SHAPES[owner.kind].lists[list]!;
    if (by === undefined) return;
    const now = new Set(this.#members(owner, list).map(({ row }) => row));
    for (const key of owner.base.lists[list] ?? []) {
      if (now.has(key)) continue;
      const member = this.#model.of(of, key);
      if (member === undefined || this.plan.doomed.has(member)) continue;
      if (this.plan.implied.get(member)?.[by] !== undefined) continue;
      if (this.#model.isEndChanged(member, by) || !this.plan.belongsTo(member, by, owner)) continue;
      if (orphan === 'deleted') this.plan.doom(member);
      else this.plan.imply(member, by, null);
    }
  }

  store(owner: Thing, list: string): void {
    const { by } = SHAPES[owner.kind].lists[list]!;
    const members = this.#members(owner, list).filter(({ row }) => row !== undefined);
    const was = owner.base.lists[list] ?? [];
    const now = [...new Set(members.map(({ row }) => row!))];
    if (by === undefined) {
      const { pairs, rows } = this.#model.tables;
      for (const key of was) if (!now.includes(key)) pairs.delete(`${owner.row} ${key}`);
      for (const key of now) {
        if (was.includes(key)) continue;
        if (!rows.tag.has(key) || pairs.has(`${owner.row} ${key}`)) this.plan.outcome.isRefused = true;
        pairs.add(`${owner.row} ${key}`);
      }
      if (!rows.post.has(owner.row!)) this.plan.outcome.isRefused = true;
      this.plan.outcome.isStored = true;
    }
    owner.base.lists[list] = now;
    this.#model.frame.touched.add(owner.name);
  }
}
