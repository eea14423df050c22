/** Injection tokens: ours by database name, and @nestjs/typeorm's, which are ours too where that package is not used. */
import { Inject, type InjectionToken } from '@nestjs/common';
import {
  DataSource,
  EntityManager,
  EntitySchema,
  Repository,
  type EntityTarget,
  type ObjectLiteral,
} from 'typeorm';
import { InvalidOptionError } from '../errors.js';
import { ScopedSession } from '../session/index.js';

export const DEFAULT_NAME = 'default';

/** An entity (class or schema), or a class that extends TypeORM's `Repository`. */
export type EntityOrRepository =
  EntityTarget<ObjectLiteral> | (new (...given: never[]) => Repository<ObjectLiteral>);

/** The token of the REQUEST-scoped session handle of a database; `@InjectSession(name)` injects it. */
export function getSessionToken(name: string = DEFAULT_NAME): InjectionToken {
  return `${prefix(name)}Session`;
}

/** The token of the `ScopedSession` of a database: the class itself for the default one. */
export function getScopedSessionToken(name: string = DEFAULT_NAME): InjectionToken {
  return name === DEFAULT_NAME ? ScopedSession : `${prefix(name)}ScopedSession`;
}

/** Injects the `ScopedSession` of a named database; the default one needs no decorator. */
export function InjectScopedSession(name?: string): ParameterDecorator & PropertyDecorator {
  return Inject(getScopedSessionToken(name));
}

/** The token under which @nestjs/typeorm keeps a DataSource. */
export function dataSourceToken(name: string): InjectionToken {
  return name === DEFAULT_NAME ? DataSource : `${name}DataSource`;
}

/** The token under which @nestjs/typeorm keeps an EntityManager. */
export function entityManagerToken(name: string): InjectionToken {
  return name === DEFAULT_NAME ? EntityManager : `${name}EntityManager`;
}

export function isRepositoryClass(
  value: unknown,
): value is new (...given: never[]) => Repository<ObjectLiteral> {
  return typeof value === 'function' && value.prototype instanceof Repository;
}

/** The token under which @nestjs/typeorm keeps a repository. */
export function repositoryToken(target: EntityOrRepository, name: string = DEFAULT_NAME): InjectionToken {
  if (target === null || target === undefined) {
    throw new InvalidOptionError('The entity of a repository is undefined: is there a circular import?');
  }
  if (isRepositoryClass(target)) return name === DEFAULT_NAME ? target : `${prefix(name)}${target.name}`;
  return `${prefix(name)}${entityName(target)}Repository`;
}

function entityName(target: EntityTarget<ObjectLiteral>): string {
  if (target instanceof EntitySchema) {
    const { options } = target;
    return typeof options.target === 'function' ? options.target.name : options.name;
  }
  return typeof target === 'string' ? target : target.name;
}

/**
 * Injects a repository that `forFeature` has registered; for applications without @nestjs/typeorm, whose decorator of the
 * same name injects the same.
 *
 * @example
 * ```ts
 * import { Injectable } from '@nestjs/common';
 * import { InjectRepository } from 'nestjs-scoped-session';
 * import { Repository } from 'typeorm';
 * class Note { id!: number }
 * @Injectable()
 * export class Notes {
 *   constructor(@InjectRepository(Note) readonly notes: Repository<Note>) {}
 * }
 * ```
 */
export function InjectRepository(
  target: EntityOrRepository,
  name?: string,
): ParameterDecorator & PropertyDecorator {
  return Inject(repositoryToken(target, name));
}

function prefix(name: string): string {
  return name === DEFAULT_NAME ? '' : `${name}_`;
}
