/** `@BindKey(name)`: the database that a class of entities belongs to, Flask-SQLAlchemy's `__bind_key__`. */
import { InvalidOptionError } from '../errors.js';

/** On the class itself, as in Flask: classes that extend it inherit it. One for all copies of the package. */
const BIND_KEY = Symbol.for('nestjs-scoped-session.bindKey');

/**
 * Says which database a class of entities belongs to, where more than one knows it: a session hands its objects and queries
 * to that database's session. Classes that extend it belong there too, unless they say otherwise.
 *
 * @param name - the database, as in `forRoot({ name })` or in `sessionFactory(…, { binds })`
 * @throws `SS_ERR_INVALID_OPTION` for anything else than a text
 *
 * @example
 * ```ts
 * import { BindKey } from 'nestjs-scoped-session';
 * import { Entity, PrimaryGeneratedColumn } from 'typeorm';
 *
 * @BindKey('reporting')
 * @Entity()
 * export class Report {
 *   @PrimaryGeneratedColumn()
 *   id!: number;
 * }
 * ```
 */
export function BindKey(name: string): ClassDecorator {
  if (typeof name !== 'string' || name === '')
    throw new InvalidOptionError('BindKey takes the name of a database.');
  return (target) => void Object.defineProperty(target, BIND_KEY, { configurable: true, value: name });
}

/** Undefined where neither the class nor one that it extends says so. */
export function bindKeyOf(target: unknown): string | undefined {
  return typeof target === 'function' ? (target as { [BIND_KEY]?: string })[BIND_KEY] : undefined;
}
