/** Which of several databases a class of entities belongs to. */
import type { DataSource, EntityTarget, ObjectLiteral } from 'typeorm';
import { UnboundSessionError } from '../errors.js';
import { bindKeyOf } from './bind-key.js';

/** A database that sessions reach. */
export interface Bind {
  readonly name: string;
  readonly factory: { readonly engine: { readonly dataSource: DataSource } | undefined };
  /** Classes that are its, whoever else knows them. */
  readonly entities: readonly EntityTarget<ObjectLiteral>[];
}

export class Binds<B extends Bind = Bind> {
  readonly #known = new WeakMap<object, Bind>();

  /** @param list - in the order of their commits, the session's own among them; asked at each use */
  constructor(
    private readonly own: string,
    private readonly list: () => readonly B[],
  ) {}

  /** The name of another database; undefined where it is the session's own, or nobody's. */
  otherOf(target: unknown): string | undefined {
    const isKept = typeof target === 'function' || (typeof target === 'object' && target !== null);
    const bind = (isKept ? this.#known.get(target) : undefined) ?? this.#find(target);
    if (isKept && bind !== undefined) this.#known.set(target, bind);
    return bind?.name === this.own ? undefined : bind?.name;
  }

  named(name: string): B {
    return this.list().find((bind) => bind.name === name)!;
  }

  /** The place of a database in the order of the commits. */
  rankOf(name: string): number {
    return this.list().findIndex((bind) => bind.name === name);
  }

  #find(target: unknown): Bind | undefined {
    const stated = this.#givenTo(target) ?? this.#keyed(target);
    if (stated !== undefined) return stated;
    const all = this.list().filter((bind) => knows(bind, target));
    const own = all.find(({ name }) => name === this.own);
    if (own !== undefined || all.length < 2) return own ?? all[0];
    throw new UnboundSessionError(
      `${nameOf(target)} is an entity of the databases ${all.map(({ name }) => `"${name}"`).join(' and ')}: @BindKey(name) ` +
        'on the class says which of them is meant.',
    );
  }

  /** By the list of a bind: the class itself, or the nearest that it extends. */
  #givenTo(target: unknown): Bind | undefined {
    const given = this.list().filter(({ entities }) => entities.length > 0);
    for (let one: unknown = given.length > 0 ? target : null; isNamed(one); one = parentOf(one)) {
      const bind = given.find(({ entities }) => entities.includes(one as EntityTarget<ObjectLiteral>));
      if (bind !== undefined) return bind;
    }
    return undefined;
  }

  #keyed(target: unknown): Bind | undefined {
    const key = bindKeyOf(target);
    if (key === undefined) return undefined;
    const bind = this.list().find(({ name }) => name === key);
    if (bind !== undefined) return bind;
    const known = this.list().map(({ name }) => name);
    throw new UnboundSessionError(
      `${nameOf(target)} has the bind key "${key}", and there is no such database; there are: ${known.join(', ')}.`,
    );
  }
}

function knows({ factory }: Bind, target: unknown): boolean {
  return factory.engine?.dataSource.hasMetadata(target as EntityTarget<ObjectLiteral>) === true;
}

const isNamed = (one: unknown): boolean => one !== null && one !== undefined && one !== Function.prototype;

const parentOf = (one: unknown): unknown =>
  typeof one === 'function' ? (Object.getPrototypeOf(one) as unknown) : null;

function nameOf(target: unknown): string {
  return typeof target === 'function' ? target.name : String(target);
}
