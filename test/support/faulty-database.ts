/** Databases of tests that break things: behind a fault proxy, and on a server of the test file's own. */
import { afterAll, afterEach, beforeAll } from 'vitest';
import type { DataSourceOptions } from 'typeorm';
import { type TestDatabase, useDatabase } from './databases.js';
import { FaultProxy } from './fault-proxy.js';
import { ownMysqlServer } from './mariadb-server.js';
import type { PrivateServer } from './private-server.js';

export interface ProxiedDatabase extends TestDatabase {
  /** What the test's own connections go through; the ones that look from outside do not. Healed after each test. */
  readonly proxy: FaultProxy;
}

export interface FaultyDatabase extends ProxiedDatabase {
  /** Nobody else's: it may be stopped, killed and set wrong. It runs again after each test. */
  readonly server: PrivateServer;
}

/** The same database; what connects with its options goes through a proxy. */
export function throughProxy(database: TestDatabase): ProxiedDatabase {
  let proxy: FaultProxy;
  beforeAll(async () => {
    proxy = await FaultProxy.inFrontOf((database.options() as { port: number }).port);
  });
  // Hooks that were registered last come first: it is whole again before the invariants are looked at.
  afterEach(() => proxy.heal());
  afterAll(() => proxy.close());
  return {
    ...database,
    get proxy() {
      return proxy;
    },
    options: (more) => ({ ...database.options(), port: proxy.port, ...more }) as DataSourceOptions,
  };
}

/**
 * A MySQL-protocol server of this file's own, a database on it, and a proxy before it.
 *
 * @param settings - options of the server, or what gives them when it is started
 */
export function useFaultyDatabase(
  settings: readonly string[] | (() => readonly string[]) = [],
): FaultyDatabase {
  let server: PrivateServer;
  beforeAll(async () => {
    server = await ownMysqlServer(typeof settings === 'function' ? settings() : settings);
  });
  afterAll(() => server.stop());
  const place = { host: '127.0.0.1', user: 'root', password: '' };
  const proxied = throughProxy(useDatabase('mariadb', () => ({ ...place, port: server.port })));
  afterEach(() => server.resume());
  return Object.defineProperty(proxied as FaultyDatabase, 'server', { get: () => server });
}
