/** Does the operations of a sequence on a session and on the model, and compares them after each. */
import type { NestedTransaction, SessionBase, SessionFactory } from 'nestjs-scoped-session';
import type { DataSource, ObjectLiteral } from 'typeorm';
import { Comparison, Difference, equal } from './sequence-comparison.js';
import { edit } from './sequence-edits.js';
import { CLASSES, KINDS_OF_THINGS, SHAPES } from './sequence-entities.js';
import { doomedIn, flushModel, type Verdict, verdictOf } from './sequence-flush.js';
import { linesOf, Model, type Row, type Scalar, type Thing } from './sequence-model.js';
import type { Operation, Query } from './sequence-operations.js';

/** What the sequences of one database share. */
export interface SequenceDatabase {
  readonly dataSource: DataSource;
  readonly factory: SessionFactory;
  /** How many statements have written rows until now. */
  writes(): number;
}

/** A flush was refused, as the model foretold; whatever is around it is rolled back. */
class Refused extends Error {}
class Planned extends Error {}

export class SequenceRun {
  readonly model = new Model();
  readonly #comparison = new Comparison(this.model);
  #session: SessionBase;
  #handles: NestedTransaction[] = [];
  #blocks = 0;

  constructor(
    private readonly database: SequenceDatabase,
    private readonly expires: boolean,
  ) {
    this.#session = this.#open();
  }

  #open(): SessionBase {
    return this.database.factory.create({ expireOnCommit: this.expires });
  }

  /** False where the operation makes no sense now, and was left out. */
  async perform(operation: Operation): Promise<boolean> {
    const done = await this.#do(operation);
    if (done) this.#comparison.all(this.#session, LOADING.has(operation.do));
    return done;
  }

  async end(): Promise<void> {
    await this.#session.close();
  }

  #do(operation: Operation): Promise<boolean> {
    switch (operation.do) {
      case 'flush':
        return this.#flushing('flush', () => this.#session.flush());
      case 'find':
      case 'find by':
      case 'count':
      case 'posts of':
      case 'get':
      case 'refresh':
        return this.#query(operation);
      case 'both':
        return this.#both(operation.queries);
      case 'expire':
        return this.#expire(operation.name);
      case 'change and back':
        return this.#changeAndBack(operation);
      case 'merge':
      case 'merge plain':
        return this.#merge(operation);
      case 'savepoint':
        return this.#savepoint();
      case 'release':
      case 'roll back to':
        return this.#endSavepoint(operation);
      case 'block':
        return this.#block(operation);
      case 'commit':
        return this.#commit();
      case 'rollback':
        return this.#rollback();
      case 'close':
        return this.#close(operation.isFresh);
      default:
        return this.#edit(operation);
    }
  }

  // --- objects ---

  async #edit(operation: Parameters<typeof edit>[1]): Promise<boolean> {
    const before = this.model.copy();
    if (!edit(this.model, operation)) return false;
    const changed = [...this.model.things.values()];
    for (const thing of changed) {
      if (!before.things.has(thing.name)) this.#comparison.know(thing.name, new CLASSES[thing.kind]());
    }
    for (const thing of changed) this.#assign(thing, before.things.get(thing.name));
    for (const thing of changed) {
      const was = before.things.get(thing.name);
      if (thing.isMarked && was?.isMarked !== true) this.#session.delete(this.#object(thing));
      const isAdded = thing.state === 'pending' || thing.state === 'persistent';
      if (isAdded && thing.state !== was?.state) this.#session.add(this.#object(thing));
    }
    return true;
  }

  #object({ name }: Thing): ObjectLiteral {
    return this.#comparison.object(name);
  }

  #assign(thing: Thing, was: Thing | undefined): void {
    const object = this.#object(thing);
    const { columns, ends, lists } = thing.memory;
    const before = was?.memory ?? { columns: {}, ends: {}, lists: {} };
    for (const column of new Set([...Object.keys(columns), ...Object.keys(before.columns)]))
      if (columns[column] !== before.columns[column]) object[column] = columns[column];
    const known = (name: string): object => this.#comparison.object(name);
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

  async #expire(name: string): Promise<boolean> {
    const thing = this.#persistent(name);
    if (thing === undefined) return false;
    const copy = this.model.copy();
    copy.expire(copy.things.get(name)!);
    if (verdictOf(copy) === 'unclear') return false;
    this.#session.expire(this.#object(thing));
    this.model.expire(thing);
    return true;
  }

  async #changeAndBack({ name, column, value }: Operation & { do: 'change and back' }): Promise<boolean> {
    const thing = this.#persistent(name);
    const was = thing?.memory.columns[column];
    if (thing === undefined || was === undefined) return false;
    const object = this.#object(thing);
    object[column] = value;
    object[column] = was;
    return true;
  }

  #persistent(name: string): Thing | undefined {
    const thing = this.model.things.get(name);
    return thing?.state === 'persistent' && !thing.isMarked ? thing : undefined;
  }

  // --- what flushes ---

  /** @param isWhole - a flush for certain; else only where the statement is concerned */
  async #flushing(what: string, send: () => Promise<unknown>, isWhole = true): Promise<boolean> {
    const verdict = verdictOf(this.model);
    const writes = this.database.writes();
    try {
      await send();
    } catch (error) {
      if (error instanceof Difference) throw error;
      await this.#refused(what, verdict, error);
      return true;
    }
    const hasFlushed = isWhole || this.database.writes() > writes || this.#hasStoredNew();
    if (verdict === 'refused' && hasFlushed)
      throw new Difference(`${what} succeeded, the model says that the flush is refused`);
    if (hasFlushed) this.#flushed();
    return true;
  }

  /** A new object that takes over a row as it is needs no statement. */
  #hasStoredNew(): boolean {
    const { new: added } = this.#session;
    return [...this.model.attached()].some(
      (thing) => thing.state === 'pending' && !added.has(this.#object(thing)),
    );
  }

  #flushed(): void {
    flushModel(this.model, ({ name, kind }) => {
      const key = Reflect.get(this.#comparison.object(name), SHAPES[kind].key) as Scalar | undefined;
      if (key === undefined || key === null) throw new Difference(`${name} has no key after a flush`);
      return key;
    });
  }

  async #refused(what: string, verdict: Verdict, error: unknown): Promise<void> {
    if (verdict !== 'refused')
      throw new Difference(`${what} failed, the model says ${verdict}: ${String(error)}`, { cause: error });
    equal('isActive after a flush that failed', this.#session.isActive, false);
    const code = await this.#session.count(CLASSES.tag).then(
      () => 'none',
      (later: { code: string }) => later.code,
    );
    equal('the error after a flush that failed', code, 'SS_ERR_PENDING_ROLLBACK');
    if (this.#blocks > 0) throw new Refused();
    const handle = this.#handles.pop();
    if (handle === undefined) {
      await this.#session.rollback();
      this.model.rollBack();
      await this.#compareTables();
    } else {
      await handle.rollback();
      this.model.rollBackTo(this.model.savepoints);
    }
    equal('isActive after the rollback', this.#session.isActive, true);
  }

  async #both([one, other]: readonly [Query, Query]): Promise<boolean> {
    const verdict = verdictOf(this.model);
    if (verdict === 'refused' || verdict === 'unclear') return false;
    // What is refreshed loses its changes before anything is sent.
    for (const query of [one, other])
      if (query.do === 'refresh' && [...this.model.attached()].some((thing) => this.model.isChanged(thing)))
        return false;
    if (!this.#isPossible(one) || !this.#isPossible(other)) return false;
    // Whether it is asked before or after the other's flush is left to the clock.
    if (verdict === 'stored' && (one.do === 'get' || other.do === 'get')) return false;
    const found: unknown[] = [];
    const ask = async (query: Query): Promise<unknown> => this.#ask(query);
    if (one.do === 'refresh') this.model.expire(this.model.things.get(one.name)!);
    if (other.do === 'refresh') this.model.expire(this.model.things.get(other.name)!);
    await this.#flushing(
      'both',
      async () => found.push(...(await Promise.all([ask(one), ask(other)]))),
      false,
    );
    this.#check(one, found[0]);
    this.#check(other, found[1]);
    return true;
  }

  async #query(query: Query): Promise<boolean> {
    if (!this.#isPossible(query)) return false;
    let found: unknown;
    let isAnswered = false;
    if (query.do === 'refresh') {
      const copy = this.model.copy();
      copy.expire(copy.things.get(query.name)!);
      if (verdictOf(copy) === 'unclear') return false;
      this.model.expire(this.model.things.get(query.name)!);
    }
    await this.#flushing(
      query.do,
      async () => {
        found = await this.#ask(query);
        isAnswered = true;
      },
      false,
    );
    if (isAnswered) this.#check(query, found);
    return true;
  }

  #isPossible(query: Query): boolean {
    if (query.do === 'get') return this.model.things.get(query.name)?.row !== undefined;
    if (query.do === 'posts of') return this.model.things.get(query.author)?.row !== undefined;
    return query.do !== 'refresh' || this.#persistent(query.name) !== undefined;
  }

  async #ask(query: Query): Promise<unknown> {
    const session = this.#session;
    switch (query.do) {
      case 'find': {
        const relations = Object.fromEntries(query.relations.map((relation) => [relation, true]));
        return session.find<ObjectLiteral>(CLASSES[query.kind], { relations });
      }
      case 'find by':
        return session.findBy<ObjectLiteral>(CLASSES[query.kind], { [query.column]: query.value });
      case 'count':
        return session.count<ObjectLiteral>(CLASSES[query.kind]);
      case 'posts of':
        return session
          .query(CLASSES.post, 'post')
          .innerJoin('post.author', 'author')
          .where('author.id = :id', { id: Number(this.model.things.get(query.author)!.row) })
          .getMany();
      case 'get': {
        const { kind, row } = this.model.things.get(query.name)!;
        return session.get<ObjectLiteral>(CLASSES[kind], kind === 'tag' ? row! : Number(row));
      }
      default:
        return session.refresh(this.#comparison.object(query.name)).catch((error: { code: string }) => {
          if (error.code !== 'SS_ERR_OBJECT_DELETED') throw error;
          return error.code;
        });
    }
  }

  #check(query: Query, found: unknown): void {
    const { model } = this;
    const after = model.copy();
    const verdict = verdictOf(model);
    if (verdict === 'stored') flushModel(after, ({ name }) => `new ${name}`);
    if (query.do === 'count') return equal('count', found, after.tables.rows[query.kind].size);
    this.#comparison.takeNew(this.#session);
    if (query.do === 'refresh')
      return this.#checkOne(model.things.get(query.name)!, found !== 'SS_ERR_OBJECT_DELETED');
    if (query.do === 'get') {
      const { kind, row } = model.things.get(query.name)!;
      const thing = found === null ? undefined : this.#comparison.thing(found as object);
      // What is in the session is not asked for, whatever is to become of it.
      if (thing !== undefined && model.of(kind, row) === thing) {
        equal(`get ${query.name}`, thing.row, row);
        return model.load(thing);
      }
      equal(`get ${query.name}`, thing?.row, after.tables.rows[kind].has(row!) ? row : undefined);
      if (thing !== undefined) return model.load(thing);
      // Whoever is expired, and has no row, is forgotten.
      const gone = model.of(kind, row);
      if (gone !== undefined && !doomedIn(model).has(gone)) gone.state = 'detached';
      return;
    }
    const kind = query.do === 'posts of' ? 'post' : query.kind;
    const key = query.do === 'posts of' ? model.things.get(query.author)!.row! : '';
    const isWanted = (row: Row): boolean => {
      if (query.do === 'posts of') return String(row['author']) === key;
      return query.do === 'find' || row[query.column] === query.value;
    };
    const expected = [...after.tables.rows[kind]].filter(([, row]) => isWanted(row)).map(([one]) => one);
    const things = (found as object[]).map((object) => this.#comparison.thing(object)!);
    equal(`${query.do} ${kind}`, things.map((thing) => thing.row!).toSorted(), expected.toSorted());
    for (const thing of things) model.load(thing);
  }

  #checkOne(thing: Thing, isThere: boolean): void {
    equal(`row of ${thing.name}`, isThere, this.model.rowOf(thing) !== undefined);
    this.model.load(thing);
  }

  async #merge(operation: Operation & { do: 'merge' | 'merge plain' }): Promise<boolean> {
    const source = this.model.things.get(operation.name);
    const row = source && this.model.rowOf(source);
    const isWhole = operation.do === 'merge';
    if (row === undefined || verdictOf(this.model) === 'refused') return false;
    if (isWhole && (source!.state !== 'detached' || !isBare(source!))) return false;
    const { kind } = source!;
    const { key } = SHAPES[kind];
    const target = this.model.of(kind, source!.row);
    if (target !== undefined && doomedIn(this.model).has(target)) return false;
    const values = isWhole
      ? { ...source!.memory.columns }
      : { [key]: row[key]!, [operation.column]: operation.value };
    const copy = isWhole ? this.#object(source!) : Object.assign(new CLASSES[kind](), values);
    const next = this.model.copy();
    flushModel(next, ({ name }) => `new ${name}`);
    const stored = next.tables.rows[kind].get(source!.row!);
    if (stored === undefined) return false;
    const isStale = values['version'] !== undefined && values['version'] !== stored['version'];
    let merged: object | undefined;
    await this.#flushing(
      'merge',
      async () => {
        merged = await this.#session.merge(copy).catch((error: { code: string }) => {
          if (error.code !== 'SS_ERR_STALE_DATA' || !isStale) throw error;
          return undefined;
        });
      },
      false,
    );
    this.#comparison.takeNew(this.#session);
    equal('merge of a stale object', merged === undefined, isStale);
    if (merged === undefined) return true;
    const thing = this.#comparison.thing(merged)!;
    this.model.load(thing);
    for (const [column, value] of Object.entries(values)) {
      if (column === 'version') continue;
      thing.memory.columns[column] = value;
      thing.expired.delete(column);
    }
    return true;
  }

  // --- savepoints and the end ---

  async #savepoint(): Promise<boolean> {
    if (this.#blocks > 0 || this.#handles.length > 2) return false;
    const count = this.#handles.length;
    return this.#flushing('savepoint', async () => {
      this.#handles.push(await this.#session.beginNested());
    }).then((done) => {
      if (this.#handles.length > count) this.model.begin();
      return done;
    });
  }

  async #endSavepoint({
    do: what,
    savepoint,
  }: {
    do: 'release' | 'roll back to';
    savepoint: number;
  }): Promise<boolean> {
    const handle = this.#handles[savepoint];
    if (this.#blocks > 0 || handle === undefined) return false;
    if (what === 'roll back to') {
      await handle.rollback();
      this.#handles.length = savepoint;
      this.model.rollBackTo(savepoint + 1);
      return true;
    }
    let isDone = false;
    await this.#flushing('release', async () => {
      await handle.commit();
      isDone = true;
    });
    if (!isDone) return true;
    this.#handles.length = savepoint;
    this.model.release(savepoint + 1);
    return true;
  }

  async #block({ operations, throws }: Operation & { do: 'block' }): Promise<boolean> {
    const depth = this.model.savepoints;
    const before = verdictOf(this.model);
    let verdict: Verdict = before;
    let isInside = false;
    try {
      await this.#session.beginNested(async () => {
        this.#flushed();
        this.model.begin();
        isInside = true;
        this.#blocks += 1;
        this.#comparison.all(this.#session, false);
        for (const operation of operations) await this.perform(operation);
        if (throws) throw new Planned();
        verdict = verdictOf(this.model);
      });
    } catch (error) {
      if (isInside) this.#blocks -= 1;
      if (error instanceof Difference) throw error;
      if (!isInside) {
        await this.#refused('block', before, error);
        return true;
      }
      const isExpected = error instanceof Planned || error instanceof Refused || verdict === 'refused';
      if (!isExpected) throw new Difference(`the block failed: ${String(error)}`, { cause: error });
      this.model.rollBackTo(depth + 1);
      equal('isActive after a block', this.#session.isActive, true);
      return true;
    }
    this.#blocks -= 1;
    if (verdict === 'refused')
      throw new Difference('the block ended, the model says that its flush is refused');
    this.#flushed();
    this.model.release(depth + 1);
    return true;
  }

  async #commit(): Promise<boolean> {
    if (this.#blocks > 0) return false;
    let isDone = false;
    await this.#flushing('commit', async () => {
      await this.#session.commit();
      isDone = true;
    });
    if (!isDone) return true;
    this.#handles = [];
    this.model.release(1);
    this.model.commit(this.expires);
    await this.#compareTables();
    return true;
  }

  async #rollback(): Promise<boolean> {
    if (this.#blocks > 0) return false;
    const isInTransaction = this.#session.inTransaction();
    await this.#session.rollback();
    this.#handles = [];
    if (isInTransaction) this.model.rollBack();
    await this.#compareTables();
    return true;
  }

  async #close(isFresh: boolean): Promise<boolean> {
    if (this.#blocks > 0) return false;
    await this.#session.close();
    this.#handles = [];
    this.model.close();
    if (isFresh) this.#session = this.#open();
    await this.#compareTables();
    return true;
  }

  /** Asked outside of every transaction. */
  async #compareTables(): Promise<void> {
    const found = new Model().tables;
    for (const kind of KINDS_OF_THINGS) {
      const { key, columns, ends } = SHAPES[kind];
      const rows = await this.database.dataSource.query<Record<string, Scalar>[]>(
        `SELECT * FROM seq_${kind}`,
      );
      for (const one of rows) {
        const row: Record<string, Scalar> = {};
        for (const column of [key, ...columns]) row[column] = one[column]!;
        for (const end of Object.keys(ends)) row[end] = one[`${end}Id`]!;
        found.rows[kind].set(String(row[key]), row);
      }
    }
    const pairs = await this.database.dataSource.query<Row[]>('SELECT post, tag FROM seq_post_tag');
    for (const { post, tag } of pairs) found.pairs.add(`${post} ${tag}`);
    equal('what is stored', linesOf(found), linesOf(this.model.committed));
  }
}

const LOADING: ReadonlySet<Operation['do']> = new Set([
  'find',
  'find by',
  'posts of',
  'get',
  'refresh',
  'both',
  'merge',
  'merge plain',
]);

/** Of its relations nothing is loaded. */
function isBare({ memory, expired }: Thing): boolean {
  return Object.keys(memory.ends).length + Object.keys(memory.lists).length + expired.size === 0;
}
