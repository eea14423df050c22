/** `forFeature`: repositories under @nestjs/typeorm's tokens, and the entities of a DataSource that we make. */
import type { InjectionToken, Provider } from '@nestjs/common';
import type { ModulesContainer } from '@nestjs/core';
import type { DataSource, EntityTarget, ObjectLiteral } from 'typeorm';
import { InvalidOptionError } from '../errors.js';
import { dataSourceToken, type EntityOrRepository, isRepositoryClass, repositoryToken } from './tokens.js';

/** Under this token each `forFeature` module keeps what it was given, for the modules' reader below. */
const FEATURE = Symbol('nestjs-scoped-session.feature');

interface Feature {
  readonly name: string;
  readonly entities: readonly EntityTarget<ObjectLiteral>[];
}

export function featureProviders(targets: readonly EntityOrRepository[], name: string): Provider[] {
  if (!Array.isArray(targets)) {
    throw new InvalidOptionError(
      'ScopedSessionModule.forFeature takes an array of entities or repository classes.',
    );
  }
  const entities = targets.filter((target) => !isRepositoryClass(target)) as EntityTarget<ObjectLiteral>[];
  const feature: Feature = { name, entities };
  return [{ provide: FEATURE, useValue: feature }, ...targets.map((target) => providerOf(target, name))];
}

export function featureTokens(targets: readonly EntityOrRepository[], name: string): InjectionToken[] {
  return targets.map((target) => repositoryToken(target, name));
}

function providerOf(target: EntityOrRepository, name: string): Provider {
  const provide = repositoryToken(target, name);
  if (isRepositoryClass(target)) {
    const Repository = target as unknown as new (dataSource: DataSource) => unknown;
    return {
      provide,
      inject: [dataSourceToken(name)],
      useFactory: (dataSource: DataSource) => new Repository(dataSource),
    };
  }
  return {
    provide,
    inject: [dataSourceToken(name)],
    useFactory: (dataSource: DataSource) => {
      const { treeType } = dataSource.getMetadata(target);
      return treeType === undefined ? dataSource.getRepository(target) : dataSource.getTreeRepository(target);
    },
  };
}

/** The union of what all `forFeature` modules of the application were given for one database. */
export function featureEntities(container: ModulesContainer, name: string): EntityTarget<ObjectLiteral>[] {
  const found = new Set<EntityTarget<ObjectLiteral>>();
  for (const module of container.values()) {
    const feature = module.providers.get(FEATURE)?.instance as Feature | undefined;
    if (feature?.name === name) feature.entities.forEach((entity) => found.add(entity));
  }
  return [...found];
}
