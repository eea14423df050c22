/** What a flush does to the tables and the objects of the model, and whether a database would take it. */
import { type KindOfThing, SHAPES } from './sequence-entities.js';
import { copyTables, type Model, type Row, type Scalar, textOf, type Thing } from './sequence-model.js';

/** `unclear`: it depends on the order of the statements, or on what nobody promised; no sequence comes there. */
export const VERDICTS = ['nothing', 'stored', 'refused', 'unclear'] as const;
export type Verdict = (typeof VERDICTS)[number];

export function verdictOf(model: Model): Verdict {
  return new Flush(model.copy(), ({ name }) => `new ${name}`).run();
}

/** @param keyOf - the key that the database made for a new row */
export function flushModel(model: Model, keyOf: (thing: Thing) => Scalar): void {
  if (verdictOf(model) !== 'nothing') new Flush(model, keyOf).run();
}

/** The things whose rows would go, with all that goes with them. */
export function doomedIn(model: Model): ReadonlySet<Thing> {
  const flush = new Flush(model, () => null);
  flush.markDeletes();
  return flush.doomed;
}

class Flush {
  readonly doomed = new Set<Thing>();
  readonly #newcomers: Thing[] = [];
  /** Ends that only a list speaks of: names of things. */
  readonly #implied = new Map<Thing, Record<string, Thing | null>>();
  readonly #before: Model['tables'];
  #isRefused = false;
  #isUnclear = false;
  #isStored = false;

  constructor(
    private readonly model: Model,
    private readonly keyOf: (thing: Thing) => Scalar,
  ) {
    this.#before = copyTables(model.tables);
  }

  run(): Verdict {
    this.#findNewcomers();
    this.markDeletes();
    const lists = this.#changedLists();
    for (const [owner, list] of lists) this.#takeIn(owner, list);
    for (const [owner, list] of lists) this.#letGo(owner, list);
    for (const thing of this.#newcomers) this.#insert(thing);
    for (const thing of this.model.attached())
      if (thing.state === 'persistent' && !this.doomed.has(thing)) this.#update(thing);
    for (const thing of this.#newcomers) this.#settle(thing);
    for (const [owner, list] of lists) this.#storeList(owner, list);
    for (const thing of this.doomed) this.#remove(thing);
    this.#checkNicks();
    if (this.#isUnclear) return 'unclear';
    if (this.#isRefused) return 'refused';
    return this.#isStored ? 'stored' : 'nothing';
  }

  markDeletes(): void {
    for (const thing of this.model.attached()) if (thing.isMarked) this.#doom(thing);
  }

  /** Cascades go over what is loaded, and belongs to the owner still. */
  #doom(thing: Thing): void {
    if (this.doomed.has(thing) || thing.state !== 'persistent') return;
    this.doomed.add(thing);
    const { lists } = SHAPES[thing.kind];
    for (const [list, { by }] of Object.entries(lists)) {
      for (const name of thing.memory.lists[list] ?? []) {
        const member = this.model.things.get(name)!;
        if (by !== undefined && this.#belongsTo(member, by, thing)) this.#doom(member);
      }
    }
  }

  #belongsTo(member: Thing, by: string, owner: Thing): boolean {
    if (this.model.isEndChanged(member, by)) return member.memory.ends[by] === owner.name;
    const known = member.base.ends[by];
    const stored = textOf(this.model.rowOf(member)?.[by] ?? null);
    if (known === undefined && stored !== owner.row && member.state === 'persistent') this.#isUnclear = true;
    return (known ?? stored) === owner.row;
  }

  #findNewcomers(): void {
    const alive = [...this.model.attached()].filter(({ isMarked }) => !isMarked);
    this.#newcomers.push(...alive.filter(({ state }) => state === 'pending'));
    // The list grows while it is gone through.
    for (const { memory, base } of alive) {
      for (const [list, names] of Object.entries(memory.lists)) {
        for (const member of names.map((name) => this.model.things.get(name)!)) {
          if (member.state !== 'transient' || this.#newcomers.includes(member)) continue;
          const key = member.memory.columns[SHAPES[member.kind].key];
          // A new object with a key that is there only names the row, where nobody added it.
          if (key !== undefined && this.#isTaken(member)) this.#isUnclear = true;
          if (key !== undefined && base.lists[list]?.includes(String(key)) === true) continue;
          if (key !== undefined && member.kind !== 'tag') this.#isUnclear = true;
          this.#newcomers.push(member);
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
      this.#newcomers.some(isOther)
    );
  }

  #changedLists(): [Thing, string][] {
    return [...this.model.attached(), ...this.#newcomers.filter(({ state }) => state === 'transient')]
      .filter((thing) => !this.doomed.has(thing))
      .flatMap((thing) =>
        Object.keys(thing.memory.lists)
          .filter((list) => this.model.isListChanged(thing, list))
          .map((list): [Thing, string] => [thing, list]),
      );
  }

  #members(owner: Thing, list: string): Thing[] {
    return owner.memory.lists[list]!.map((name) => this.model.things.get(name)!);
  }

  #takeIn(owner: Thing, list: string): void {
    const { by } = SHAPES[owner.kind].lists[list]!;
    const was = new Set(owner.base.lists[list]);
    for (const member of this.#members(owner, list)) {
      if (member.row !== undefined && was.has(member.row)) continue;
      if (this.doomed.has(member) || member.state === 'detached' || member.state === 'deleted')
        this.#isUnclear = true;
      if (by === undefined) continue;
      const isNew = this.#newcomers.includes(member);
      const isSilent = isNew
        ? (member.memory.ends[by] ?? null) === null
        : !this.model.isEndChanged(member, by);
      if (isSilent) this.#imply(member, by, owner);
    }
  }

  #imply(member: Thing, by: string, owner: Thing | null): void {
    const implied = this.#implied.get(member) ?? {};
    if (implied[by] !== undefined && implied[by] !== owner) this.#isUnclear = true;
    this.#implied.set(member, { ...implied, [by]: owner });
  }

  #letGo(owner: Thing, list: string): void {
    const { by, of, orphan } = SHAPES[owner.kind].lists[list]!;
    if (by === undefined) return;
    const now = new Set(this.#members(owner, list).map(({ row }) => row));
    for (const key of owner.base.lists[list] ?? []) {
      if (now.has(key)) continue;
      const member = this.model.of(of, key);
      if (member === undefined || this.doomed.has(member)) continue;
      if (this.#implied.get(member)?.[by] !== undefined) continue;
      if (this.model.isEndChanged(member, by) || !this.#belongsTo(member, by, owner)) continue;
      if (orphan === 'deleted') this.#doom(member);
      else this.#imply(member, by, null);
    }
  }

  // --- rows ---

  #insert(thing: Thing): void {
    const { kind, memory } = thing;
    const { key: keyColumn, columns } = SHAPES[kind];
    const given = memory.columns[keyColumn];
    const key = given ?? this.keyOf(thing);
    const row: Record<string, Scalar> = { [keyColumn]: key };
    for (const column of columns) row[column] = memory.columns[column] ?? (column === 'version' ? 1 : null);
    for (const column of columns)
      if (row[column] === null && column !== 'nick' && column !== 'note') this.#isRefused = true;
    const before = this.model.of(kind, String(key));
    if (before !== undefined && this.doomed.has(before)) {
      // One row goes and another of its name comes: the row is changed.
      this.doomed.delete(before);
      before.state = 'deleted';
      before.isMarked = false;
    } else if (this.model.tables.rows[kind].has(String(key))) {
      this.#isRefused = true;
      if (before !== undefined && before.memory.columns[keyColumn] !== key) this.#isUnclear = true;
    }
    thing.row = String(key);
    this.model.tables.rows[kind].set(thing.row, row);
    this.#isStored = true;
  }

  /** The ends of new rows may be new rows too, so that they come last. */
  #settle(thing: Thing): void {
    const { kind, memory, base } = thing;
    const { key, ends } = SHAPES[kind];
    const row: Record<string, Scalar> = { ...this.model.tables.rows[kind].get(thing.row!) };
    for (const end of Object.keys(ends)) {
      row[end] = this.#endKey(thing, end);
      if (end === 'author' && row[end] === null) this.#isRefused = true;
      if (memory.ends[end] !== undefined || this.#implied.get(thing)?.[end] !== undefined)
        base.ends[end] = textOf(row[end]);
    }
    this.model.tables.rows[kind].set(thing.row!, row);
    memory.columns[key] = row[key]!;
    if (kind === 'author') memory.columns['version'] = row['version']!;
    for (const column of ['nick', 'note'])
      if (SHAPES[kind].columns.includes(column)) memory.columns[column] ??= null;
    base.columns = { ...memory.columns };
    for (const [list, names] of Object.entries(memory.lists)) if (names.length === 0) base.lists[list] = [];
    this.#followImplied(thing);
    thing.state = 'persistent';
    this.model.frame.created.add(thing.name);
    this.model.frame.touched.add(thing.name);
  }

  #endKey(thing: Thing, end: string): Scalar {
    const implied = this.#implied.get(thing)?.[end];
    const name = thing.memory.ends[end];
    const leadsTo = implied === undefined ? (name ? this.model.things.get(name)! : null) : implied;
    if (leadsTo === null) return null;
    const { to } = SHAPES[thing.kind].ends[end]!;
    const row = leadsTo.row === undefined ? undefined : this.model.tables.rows[to].get(leadsTo.row);
    if (this.doomed.has(leadsTo)) this.#isUnclear = true;
    if (row === undefined) this.#isRefused = true;
    return row?.['id'] ?? null;
  }

  #followImplied(thing: Thing): void {
    for (const [end, leadsTo] of Object.entries(this.#implied.get(thing) ?? {}))
      if (thing.memory.ends[end] !== undefined) thing.memory.ends[end] = leadsTo?.name ?? null;
  }

  #update(thing: Thing): void {
    const { kind, memory, base } = thing;
    const { key, ends } = SHAPES[kind];
    const changed = Object.keys(memory.columns).filter(
      (column) => memory.columns[column] !== base.columns[column],
    );
    const implied = this.#implied.get(thing) ?? {};
    const moved = Object.keys(ends).filter(
      (end) =>
        (implied[end] !== undefined && (implied[end]?.row ?? null) !== base.ends[end]) ||
        (implied[end] === undefined && this.model.isEndChanged(thing, end)),
    );
    if (changed.length + moved.length === 0) return;
    this.#isStored = true;
    this.model.frame.touched.add(thing.name);
    const was = this.model.rowOf(thing);
    if (was === undefined || this.#isStale(thing, was)) {
      this.#isRefused = true;
      return;
    }
    const row: Record<string, Scalar> = { ...was };
    for (const column of changed) {
      row[column] = memory.columns[column]!;
      if (row[column] === null && column !== 'nick' && column !== 'note') this.#isRefused = true;
    }
    for (const end of moved) {
      row[end] = this.#endKey(thing, end);
      base.ends[end] = textOf(row[end]);
      if (end === 'author' && row[end] === null) this.#isRefused = true;
    }
    if (kind === 'author') {
      row['version'] = Number(row['version']) + 1;
      memory.columns['version'] = row['version'];
      thing.expired.delete('version');
    }
    base.columns = { ...memory.columns };
    this.#followImplied(thing);
    if (changed.includes(key)) this.#rename(thing, String(row[key]));
    this.model.tables.rows[kind].set(thing.row!, row);
  }

  #isStale({ base }: Thing, row: Row): boolean {
    const { version } = base.columns;
    return version !== undefined && version !== row['version'];
  }

  /** The database tells the pairs of it. */
  #rename(thing: Thing, key: string): void {
    const { rows, pairs } = this.model.tables;
    const was = thing.row!;
    if (rows[thing.kind].has(key)) {
      if (this.#before.rows[thing.kind].has(key)) this.#isRefused = true;
      if (this.#isRenamedOrGone(thing.kind, key)) this.#isUnclear = true;
    }
    rows[thing.kind].delete(was);
    for (const pair of Array.from(pairs)) {
      const [post, tag] = pair.split(' ');
      if (tag !== was) continue;
      pairs.delete(pair);
      pairs.add(`${post} ${key}`);
    }
    const { keys } = this.model.frame;
    if (!keys.has(thing.name)) keys.set(thing.name, was);
    thing.row = key;
    for (const { base } of this.model.things.values()) {
      const tags = base.lists['tags'];
      if (tags !== undefined) base.lists['tags'] = tags.map((tag) => (tag === was ? key : tag));
    }
  }

  #isRenamedOrGone(kind: KindOfThing, key: string): boolean {
    const other = this.model.of(kind, key);
    if (other === undefined) return this.#newcomers.some((thing) => thing.row === key);
    return this.doomed.has(other) || other.memory.columns[SHAPES[kind].key] !== key;
  }

  #storeList(owner: Thing, list: string): void {
    const { by } = SHAPES[owner.kind].lists[list]!;
    const members = this.#members(owner, list).filter(({ row }) => row !== undefined);
    const was = owner.base.lists[list] ?? [];
    const now = [...new Set(members.map(({ row }) => row!))];
    if (by === undefined) {
      const { pairs, rows } = this.model.tables;
      for (const key of was) if (!now.includes(key)) pairs.delete(`${owner.row} ${key}`);
      for (const key of now) {
        if (was.includes(key)) continue;
        if (!rows.tag.has(key) || pairs.has(`${owner.row} ${key}`)) this.#isRefused = true;
        pairs.add(`${owner.row} ${key}`);
      }
      if (!rows.post.has(owner.row!)) this.#isRefused = true;
      this.#isStored = true;
    }
    owner.base.lists[list] = now;
    this.model.frame.touched.add(owner.name);
  }

  #remove(thing: Thing): void {
    const row = this.model.rowOf(thing);
    this.#isStored = true;
    if (thing.kind === 'author' && (row === undefined || this.#isStale(thing, row))) this.#isRefused = true;
    if (row !== undefined) this.#removeRow(thing.kind, thing.row!);
    thing.state = 'deleted';
    thing.isMarked = false;
  }

  /** With what the database does to the rows that refer to it, and what is known of them. */
  #removeRow(kind: KindOfThing, key: string, isSeen = true): void {
    const { rows, pairs } = this.model.tables;
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
          const thing = this.model.of(other, otherKey);
          const isKnown = isSeen && thing !== undefined && thing.base.ends[end] === key;
          if (onDelete === 'cascade') {
            if (isKnown) Object.assign(thing, { state: 'deleted', isMarked: false });
            // What follows from the deletion of somebody who is not known to be deleted is not known either.
            this.#removeRow(other, otherKey, isKnown || (thing !== undefined && this.doomed.has(thing)));
          } else {
            rows[other].set(otherKey, { ...row, [end]: null });
            if (isKnown && !this.doomed.has(thing)) this.#cutOff(thing, end);
          }
        }
      }
    }
  }

  #cutOff(thing: Thing, end: string): void {
    thing.base.ends[end] = null;
    if (thing.memory.ends[end] !== undefined) thing.memory.ends[end] = null;
    this.model.frame.touched.add(thing.name);
  }

  #checkNicks(): void {
    const before = this.#before.rows.author;
    const now = this.model.tables.rows.author;
    const seen = new Set<Scalar>();
    for (const [key, { nick }] of now) {
      if (nick === null || nick === undefined) continue;
      if (seen.has(nick)) this.#isRefused = true;
      seen.add(nick);
      if (before.get(key)?.['nick'] === nick) continue;
      for (const [other, row] of before)
        if (other !== key && row['nick'] === nick && now.get(other)?.['nick'] !== nick)
          this.#isUnclear = true;
    }
  }
}
