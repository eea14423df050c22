/** The objects of a fake session: lists, and simple questions about what is in them. */
import type { EntityTarget, FindManyOptions, FindOptionsWhere, ObjectLiteral } from 'typeorm';
import { InvalidOptionError, ObjectStateError } from '../errors.js';

/** What the fake database holds. */
export interface FakeObjectsOptions {
  /** As if they were stored and loaded. */
  readonly objects?: Iterable<object>;
  /** What names an object's row: a value, or the values of a composite key in order. Default: its `id`. */
  readonly key?: (entity: object) => unknown;
}

type Where = FindOptionsWhere<ObjectLiteral> | FindOptionsWhere<ObjectLiteral>[];
type Options = FindManyOptions<ObjectLiteral>;

/** The objects hold what relations lead to, nobody else has them locked. */
const KNOWN_OPTIONS: readonly string[] = ['where', 'order', 'skip', 'take', 'relations', 'lock'];

export class FakeObjects {
  readonly new = new Set<object>();
  readonly deleted = new Set<object>();
  readonly #stored: Set<object>;
  readonly #keyOf: (entity: object) => unknown;

  constructor({
    objects = [],
    key = (entity) => (entity as ObjectLiteral)['id'] as unknown,
  }: FakeObjectsOptions) {
    this.#stored = new Set(objects);
    this.#keyOf = key;
  }

  *[Symbol.iterator](): IterableIterator<object> {
    yield* this.#stored;
    yield* this.new;
  }

  has(entity: object): boolean {
    return this.#stored.has(entity) || this.new.has(entity);
  }

  requirePresent(entity: object): void {
    if (!this.has(entity)) throw new ObjectStateError('This object is not present in this fake session.');
  }

  add(entity: object): void {
    this.deleted.delete(entity);
    if (!this.has(entity)) this.new.add(entity);
  }

  store(entity: object): void {
    this.#stored.add(entity);
  }

  delete(entity: object): void {
    if (!this.#stored.has(entity))
      throw new ObjectStateError('This object is not persisted: only what has a row can be deleted.');
    this.deleted.add(entity);
  }

  expunge(entity: object): void {
    this.requirePresent(entity);
    for (const list of [this.#stored, this.new, this.deleted]) list.delete(entity);
  }

  flush(): void {
    for (const entity of this.new) this.#stored.add(entity);
    for (const entity of this.deleted) this.#stored.delete(entity);
    this.new.clear();
    this.deleted.clear();
  }

  /** What was not flushed is given up. */
  rollback(): void {
    this.new.clear();
    this.deleted.clear();
  }

  /** The object of a key, written as `get` takes it. */
  get<E extends ObjectLiteral>(target: EntityTarget<E>, identifier: unknown): E | null {
    return this.#of(target).find((entity) => this.#isNamed(entity, identifier)) ?? null;
  }

  /** The one that has the same row. */
  like(entity: object): object | undefined {
    const key = this.#keyOf(entity);
    if (key === undefined || key === null) return undefined;
    return this.#of(entity.constructor as EntityTarget<ObjectLiteral>).find((one) => this.#isNamed(one, key));
  }

  find<E extends ObjectLiteral>(target: EntityTarget<E>, options: Options = {}): E[] {
    for (const name of Object.keys(options))
      if (!KNOWN_OPTIONS.includes(name)) throw unknown(`the option ${name}`);
    const { order, skip = 0, take } = options;
    const found = this.findBy(target, options.where ?? {});
    for (const [name, direction] of Object.entries(order ?? {}).toReversed()) sort(found, name, direction);
    return found.slice(skip, take === undefined ? undefined : skip + take);
  }

  findBy<E extends ObjectLiteral>(target: EntityTarget<E>, where: Where): E[] {
    const conditions = [where].flat().map((one) => Object.entries(one));
    for (const [name, value] of conditions.flat()) refuseOther(name, value);
    return this.#of(target).filter((entity) =>
      conditions.some((all) => all.every(([name, value]) => isSame(entity[name], value))),
    );
  }

  /** What the next flush deletes is gone for questions, as autoflush has it. */
  #of<E extends ObjectLiteral>(target: EntityTarget<E>): E[] {
    if (typeof target !== 'function') throw unknown('what is asked for by anything else than its class');
    return [...this].filter((entity) => entity instanceof target && !this.deleted.has(entity)) as E[];
  }

  #isNamed(entity: ObjectLiteral, identifier: unknown): boolean {
    const key = this.#keyOf(entity);
    if (Array.isArray(identifier) || !isRecord(identifier)) return nameOf(key) === nameOf(identifier);
    return Object.entries(identifier).every(([name, value]) => nameOf(entity[name]) === nameOf(value));
  }
}

function refuseOther(name: string, value: unknown): void {
  const isPlain =
    value !== null && value !== undefined && (typeof value !== 'object' || value instanceof Date);
  if (!isPlain) throw unknown(`a condition on ${name} that is no plain value`);
}

export function unknown(what: string): InvalidOptionError {
  return new InvalidOptionError(
    `A fake session has no database, and does not know ${what}. Test it with a real one: withSession(app, fn).`,
  );
}

function sort(found: ObjectLiteral[], name: string, direction: unknown): void {
  const sign = { ASC: 1, DESC: -1 }[String(direction).toUpperCase()];
  if (sign === undefined) throw unknown(`an order by ${name} that is neither ASC nor DESC`);
  found.sort((one, other) => {
    const [first, second] = [one[name], other[name]] as [number, number];
    if (first === second) return 0;
    return first < second ? -sign : sign;
  });
}

function isSame(one: unknown, other: unknown): boolean {
  return one instanceof Date && other instanceof Date ? one.getTime() === other.getTime() : one === other;
}

/** A number and its text name the same row. */
function nameOf(key: unknown): string {
  return JSON.stringify([key].flat().map(String));
}

function isRecord(value: unknown): value is ObjectLiteral {
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}
