/** The drivers' own pools under an engine: one, or with replication one for each server. */
import type { DataSource } from 'typeorm';
import { engineOf, hasEngine } from '../../src/engine/index.js';

/** What a driver's pool has at this moment. */
export interface PoolState {
  readonly total: number;
  /** Lent to nobody, not to the engine either. */
  readonly free: number;
  readonly waiting: number;
  readonly limit: number;
}

interface MysqlPool {
  config: { connectionLimit: number };
  _allConnections: { length: number };
  _freeConnections: { length: number };
  _connectionQueue: { length: number };
}

interface PostgresPool {
  options: { max: number };
  totalCount: number;
  idleCount: number;
  waitingCount: number;
}

interface Driver {
  readonly pool?: MysqlPool;
  readonly poolCluster?: { readonly _nodes: Record<string, { readonly pool: MysqlPool }> };
  readonly master?: PostgresPool;
  readonly slaves?: readonly PostgresPool[];
}

/** The pools that the driver itself has; with mysql2's cluster the engine's connections are in none of them. */
export function driverPools(dataSource: DataSource): PoolState[] {
  const { pool, poolCluster, master, slaves = [] } = dataSource.driver as unknown as Driver;
  const ofMysql = [
    ...(pool ? [pool] : []),
    ...Object.values(poolCluster?._nodes ?? {}).map((node) => node.pool),
  ];
  const ofPostgres = master === undefined ? [] : [master, ...slaves];
  return [
    ...ofMysql.map(({ config, _allConnections, _freeConnections, _connectionQueue }) => ({
      total: _allConnections.length,
      free: _freeConnections.length,
      waiting: _connectionQueue.length,
      limit: config.connectionLimit,
    })),
    ...ofPostgres.map(({ options, totalCount, idleCount, waitingCount }) => ({
      total: totalCount,
      free: idleCount,
      waiting: waitingCount,
      limit: options.max,
    })),
  ];
}

/** The engine's connections, at rest and in all, to the primary and to replicas. */
export function enginePools(dataSource: DataSource): { idle: number; total: number } {
  if (!hasEngine(dataSource)) return { idle: 0, total: 0 };
  const engine = engineOf(dataSource);
  const all = [engine.status(), ...engine.replicas()];
  return {
    idle: all.reduce((sum, { idle }) => sum + idle, 0),
    total: all.reduce((sum, { total }) => sum + total, 0),
  };
}

/** Whether the engine's connections are beside the driver's pools, not out of them. */
export function isCluster(dataSource: DataSource): boolean {
  return (dataSource.driver as unknown as Driver).poolCluster !== undefined;
}

/** How many connections there are to the primary. */
export function toPrimary(dataSource: DataSource): number {
  if (isCluster(dataSource)) return hasEngine(dataSource) ? engineOf(dataSource).status().total : 0;
  return driverPools(dataSource)[0]?.total ?? 0;
}

/** Asks every connection that the engine has at rest to a replica; the replica's name is told as the primary's. */
export async function askReplicas(dataSource: DataSource, sql: string): Promise<object[]> {
  if (!hasEngine(dataSource)) return [];
  const engine = engineOf(dataSource);
  const count = engine.replicas().reduce((sum, { total, isDown }) => sum + (isDown ? 0 : total), 0);
  const asked = Array.from({ length: count }, async () =>
    engine.acquire({ label: 'a check', owner: {}, readOnly: true }),
  );
  const leases = await Promise.all(asked);
  try {
    return await Promise.all(leases.map(async ({ raw }) => asOfPrimary(await ask(raw as Raw, sql))));
  } finally {
    await Promise.all(leases.map(async (lease) => lease.release()));
  }
}

function asOfPrimary(row: Record<string, unknown>): object {
  return { ...row, place: String(row['place']).replace(/_old$/, '') };
}

interface Raw {
  query(sql: string, answered: (error: Error | null, answer: unknown) => void): void;
}

function ask(raw: Raw, sql: string): Promise<Record<string, unknown>> {
  return new Promise((resolve, reject) =>
    raw.query(sql, (error, answer) => {
      const rows = (answer as { rows?: unknown } | undefined)?.rows ?? answer;
      if (error) reject(error);
      else resolve((rows as Record<string, unknown>[])[0]!);
    }),
  );
}
