/** The option `binds` of a session factory: the databases that its sessions reach besides their own. */
import type { DataSource, EntityTarget, ObjectLiteral } from 'typeorm';
import {
  anything,
  Engine,
  isDataSource,
  isPlainObject,
  listOf,
  readOptions,
  type Rules,
} from '../engine/index.js';
import { InvalidOptionError } from '../errors.js';
import type { BoundFactory } from './bound-factory.js';

/** Where the sessions of a bind get their connections; a factory brings options of its own. */
export type BindTarget = DataSource | Engine | BoundFactory;

/** One of the databases, and the classes that are its. */
export interface BindOptions {
  readonly target: BindTarget;
  /** Classes that belong there, whoever else knows them, and those that extend them. */
  readonly entities?: readonly EntityTarget<ObjectLiteral>[];
}

/** The databases by name. */
export type BindsOption = Readonly<Record<string, BindTarget | BindOptions>>;

const BIND_RULES: Rules<BindOptions> = {
  target: targetFrom,
  entities: listOf(anything<EntityTarget<ObjectLiteral>>()),
};

export function bindsFrom(value: unknown, name: string): Readonly<Record<string, BindOptions>> {
  if (!isPlainObject(value))
    throw new InvalidOptionError(`${name} must be a plain object with a database under each name.`);
  return Object.fromEntries(
    Object.entries(value).map(([key, one]) => [key, bindFrom(one, `The bind "${key}"`)]),
  );
}

function bindFrom(value: unknown, name: string): BindOptions {
  if (!isPlainObject(value)) return { target: targetFrom(value, name) };
  const { target, entities = [] } = readOptions(name, value, BIND_RULES);
  return { target: targetFrom(target, `${name}: its target`), entities };
}

function targetFrom(value: unknown, name: string): BindTarget {
  if (value instanceof Engine || isDataSource(value) || isFactory(value)) return value;
  throw new InvalidOptionError(
    `${name} must be a TypeORM DataSource, an engine made by createEngine or a factory made by sessionFactory.`,
  );
}

/** The class itself is made with these options: it cannot be asked for here. */
export function isFactory(value: unknown): value is BoundFactory {
  return typeof (value as Partial<BoundFactory> | null)?.createBound === 'function';
}
