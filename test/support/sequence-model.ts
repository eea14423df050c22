/** A unit of work in plain words: what savepoints, rollbacks, commits and closing do to the tables and the objects. */
import { SHAPES } from './sequence-entities.js';
import { copyTables, noTables, type Tables } from './sequence-tables.js';
import { copyThing, expireThing, leaveSession, makeTransient, type Thing } from './sequence-thing.js';
import { Things } from './sequence-things.js';

/** What a rollback has to take back. */
interface Frame {
  readonly tables: Tables;
  readonly created: Set<string>;
  readonly touched: Set<string>;
  /** The keys that rows had. */
  readonly keys: Map<string, string>;
}

export class Model extends Things {
  committed: Tables = noTables();
  frames: Frame[] = [this.#frame()];

  copy(): Model {
    const copy = new Model();
    copy.committed = this.committed;
    copy.tables = copyTables(this.tables);
    for (const [name, thing] of this.things) copy.things.set(name, copyThing(thing));
    copy.frames = this.frames.map(({ tables, created, touched, keys }) => ({
      tables,
      created: new Set(created),
      touched: new Set(touched),
      keys: new Map(keys),
    }));
    return copy;
  }

  get frame(): Frame {
    return this.frames.at(-1)!;
  }

  get savepoints(): number {
    return this.frames.length - 1;
  }

  begin(): void {
    this.frames.push(this.#frame());
  }

  release(count: number): void {
    while (this.savepoints >= count) {
      const { created, touched, keys } = this.frames.pop()!;
      for (const name of created) this.frame.created.add(name);
      for (const name of touched) this.frame.touched.add(name);
      for (const [name, key] of keys) if (!this.frame.keys.has(name)) this.frame.keys.set(name, key);
    }
  }

  rollBackTo(count: number): void {
    this.release(count + 1);
    const frame = this.frames.pop()!;
    this.tables = copyTables(frame.tables);
    const touched = [...this.things.values()].filter(
      (thing) =>
        frame.touched.has(thing.name) ||
        ((thing.state === 'persistent' || thing.state === 'deleted') && this.isChanged(thing)),
    );
    this.#restore(frame);
    for (const thing of [...touched, ...this.#touchedAndBack(frame)])
      if (thing.state === 'persistent') expireThing(thing);
  }

  rollBack(): void {
    this.release(1);
    this.tables = copyTables(this.committed);
    this.#restore(this.frame);
    for (const thing of this.attached()) expireThing(thing);
    this.frames = [this.#frame()];
  }

  commit(expires: boolean): void {
    this.committed = copyTables(this.tables);
    for (const thing of this.things.values()) {
      if (thing.state === 'deleted') leaveSession(thing);
      if (expires && thing.state === 'persistent') expireThing(thing);
    }
    this.frames = [this.#frame()];
  }

  close(): void {
    this.tables = copyTables(this.committed);
    for (const thing of this.things.values()) {
      if (thing.state === 'pending') thing.state = 'transient';
      else if (thing.state !== 'transient') leaveSession(thing);
    }
    this.frames = [this.#frame()];
  }

  /** A savepoint's frame tells of things that were deleted after they were changed in it. */
  #touchedAndBack({ touched }: Frame): Thing[] {
    return [...touched].map((name) => this.things.get(name)!).filter(({ state }) => state === 'persistent');
  }

  #restore({ created, keys }: Frame): void {
    for (const [name, key] of keys) {
      const thing = this.things.get(name)!;
      if (created.has(name) || (thing.state !== 'persistent' && thing.state !== 'deleted')) continue;
      thing.row = key;
      thing.memory.columns[SHAPES[thing.kind].key] = thing.base.columns[SHAPES[thing.kind].key] = key;
    }
    for (const thing of this.things.values()) {
      if (thing.state !== 'pending' && thing.state !== 'persistent' && thing.state !== 'deleted') continue;
      thing.isMarked = false;
      if (thing.state === 'pending' || created.has(thing.name)) {
        makeTransient(thing);
      }
    }
    for (const thing of this.things.values()) {
      const isBack = this.rowOf(thing) !== undefined && this.of(thing.kind, thing.row) === undefined;
      if (thing.state === 'deleted' && isBack) thing.state = 'persistent';
    }
  }

  #frame(): Frame {
    return {
      tables: copyTables(this.tables),
      created: new Set(),
      touched: new Set(),
      keys: new Map(),
    };
  }
}
