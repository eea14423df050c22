/** Finds the one provider of the application's DataSource, wherever it stands, and awaits it. */
import { Inject, type InjectionToken } from '@nestjs/common';
import { ModuleRef, type ModulesContainer } from '@nestjs/core';
import type { DataSource } from 'typeorm';
import { isDataSource } from '../engine/index.js';
import { AmbiguousDataSourceError, CircularDataSourceError, UnusableDataSourceError } from '../errors.js';
import { type Host, hostsOf, nameOfToken, pathTo, type Wrapper } from './container.js';

/** What of the container is ours, and so never the provider looked for. */
export interface Ours {
  readonly modules: ReadonlySet<unknown>;
  /** Tokens that wait for the DataSource. */
  readonly tokens: ReadonlySet<InjectionToken>;
}

/**
 * The DataSource that a module of the application provides under `token`; undefined when none does.
 *
 * @throws `SS_ERR_AMBIGUOUS_DATA_SOURCE`, `SS_ERR_CIRCULAR_DATA_SOURCE`, `SS_ERR_UNUSABLE_DATA_SOURCE`, or the provider's error
 */
export async function findDataSource(
  container: ModulesContainer,
  token: InjectionToken,
  ours: Ours,
): Promise<DataSource | undefined> {
  const hosts = hostsOf(container, token).filter((host) => !ours.modules.has(host.metatype));
  const [host] = hosts;
  if (host === undefined) return undefined;
  if (hosts.length > 1) {
    throw new AmbiguousDataSourceError(
      `${hosts.map(({ name }) => name).join(' and ')} each provide ${nameOfToken(token)}. Keep one, or say which: ` +
        'forRoot({ dataSource }).',
    );
  }
  return resolve(container, host, token, ours);
}

async function resolve(
  container: ModulesContainer,
  host: Host,
  token: InjectionToken,
  ours: Ours,
): Promise<DataSource> {
  const wrapper = host.providers.get(token)!;
  // Nest would wait for ever on such a circle, without a word.
  const path = pathTo(container, wrapper, ours.tokens);
  if (path !== undefined) {
    throw new CircularDataSourceError(
      `${path.join(' -> ')}: the provider of the DataSource waits for something that waits for the DataSource.`,
    );
  }
  if (!wrapper.isDependencyTreeStatic()) {
    throw new UnusableDataSourceError(
      `${host.name} provides ${nameOfToken(token)} REQUEST-scoped: every request would open a database. Make it a singleton.`,
    );
  }
  const found = await instanceOf(host, token);
  if (isDataSource(found)) return found;
  throw new UnusableDataSourceError(
    `${nameOfToken(token)} of ${host.name} is no TypeORM DataSource. Does its factory return one, and has it not failed?`,
  );
}

/** Lets the host's own injector make and await the provider, as for any class of that module. */
async function instanceOf(host: Host, token: InjectionToken): Promise<unknown> {
  class Probe {
    constructor(readonly found: unknown) {}
  }
  Inject(token)(Probe, undefined, 0);
  const moduleRef = host.providers.get(ModuleRef)!.instance as ModuleRef;
  return (await moduleRef.create(Probe)).found;
}

const LOOKS_LIKE_A_DATABASE = /data.?source|database|connection|typeorm|\bdb\b/i;

/**
 * Tokens of DataSources that nobody told us of: an application that has one is not to get a second database by accident.
 */
export async function otherDataSources(container: ModulesContainer, ours: Ours): Promise<string[]> {
  const found = new Set<string>();
  for (const host of container.values()) {
    if (ours.modules.has(host.metatype)) continue;
    for (const [token, wrapper] of host.providers) {
      // One after the other: each may be waiting for the one before. oxlint-disable-next-line no-await-in-loop
      if (await isOtherDataSource(container, host, token, wrapper, ours)) found.add(nameOfToken(token));
    }
  }
  return [...found];
}

async function isOtherDataSource(
  container: ModulesContainer,
  host: Host,
  token: InjectionToken,
  wrapper: Wrapper,
  ours: Ours,
): Promise<boolean> {
  if (isDataSource(wrapper.instance)) return true;
  const mayBecomeOne =
    typeof wrapper.inject !== 'undefined' && LOOKS_LIKE_A_DATABASE.test(nameOfToken(token));
  if (!mayBecomeOne || !wrapper.isDependencyTreeStatic() || pathTo(container, wrapper, ours.tokens))
    return false;
  return isDataSource(await instanceOf(host, token));
}
