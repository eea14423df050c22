/** better-sqlite3: everybody behind one gate, or a handle for each unit of work, of which one writes and the others read. */
import { PoolTimeoutError } from '../errors.js';
import type { Backend, BackendNeeds, PoolCounters } from './backend.js';
import { type BetterSqlite3Driver, openHandle } from './better-sqlite3-handle.js';
import { closeWithDriver } from './driver-life.js';
import { handleRunnerOf } from './handle-runner.js';
import type { DriverConnection, Lease, LeaseHolder } from './lease.js';
import { LentHandle, type LentHandles } from './lent-handle.js';
import { ConnectionPool } from './pool.js';
import { sqliteBackend } from './sqlite-backend.js';
import { SqliteLane } from './sqlite-lane.js';

export function betterSqlite3Backend(needs: BackendNeeds): Backend {
  const { dataSource, settings } = needs;
  const lent: LentHandles = new WeakMap();
  const shared = sqliteBackend(needs, (Runner) => handleRunnerOf(Runner as never, lent));
  const gateTimeoutMs = (): number => settings().gateTimeoutMs;
  const { readers, writers } = lanesOf(needs, gateTimeoutMs);
  const pools = [readers.pool, writers.pool];

  const lend = (lease: Lease, { label, owner, readOnly }: LeaseHolder): DriverConnection => {
    const access = readOnly === undefined ? 'plain' : readOnly ? 'reader' : 'writer';
    return new LentHandle(lease, { label, owner, access }, { lent, writers, gateTimeoutMs });
  };

  const isShared = (): boolean => settings().sqliteConnections === 'shared';

  return {
    ...shared,
    get sharesOneConnection() {
      return isShared();
    },
    obtain: (holder, patience) => {
      if (isShared()) return shared.obtain(holder, patience);
      // A writer waits for its turn without a handle, so that those who read have them all.
      const lease = (holder.readOnly === false ? writers : readers).obtain(holder);
      return lease instanceof Promise ? lease.then((arrived) => lend(arrived, holder)) : lend(lease, holder);
    },
    invalidate: () => pools.forEach((pool) => pool.invalidate()),
    counters: () => (isShared() ? shared.counters() : sumOf(pools.map((pool) => pool.counters()))),
    dispose: closeWithDriver(dataSource, { close: () => pools.forEach((pool) => pool.close()) }),
  };
}

function lanesOf({ dataSource, settings }: BackendNeeds, gateTimeoutMs: () => number) {
  const driver = dataSource.driver as unknown as BetterSqlite3Driver;
  const open = () => {
    const until = performance.now() + gateTimeoutMs();
    const timedOut = (): Error =>
      new PoolTimeoutError(
        'A handle of the SQLite database could not be opened: another process has locked the file for longer than gateTimeoutMs.',
      );
    return openHandle(driver, { until, timedOut });
  };
  const oneWriter = () => ({ ...settings(), poolSize: 1, maxOverflow: 0 });
  return {
    readers: new SqliteLane(new ConnectionPool(open, settings), () => settings().poolTimeoutMs),
    writers: new SqliteLane(new ConnectionPool(open, oneWriter), gateTimeoutMs),
  };
}

function sumOf(counters: readonly PoolCounters[]): PoolCounters {
  const sum = (name: keyof PoolCounters): number => counters.reduce((total, each) => total + each[name], 0);
  return {
    limit: sum('limit'),
    total: sum('total'),
    active: sum('active'),
    idle: sum('idle'),
    waiting: sum('waiting'),
  };
}
