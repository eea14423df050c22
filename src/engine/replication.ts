/** TypeORM's option `replication`, as far as the engine goes by it. */
import type { DataSource } from 'typeorm';
import type { ReplicaOrder } from './replicas.js';

interface Replication {
  readonly master: object;
  readonly slaves: readonly object[];
  /** TypeORM's word for it; mysql2's own is the other one. */
  readonly selector?: unknown;
  readonly defaultSelector?: unknown;
}

/** Undefined where the DataSource has one server. */
export function replicationOf({ options }: DataSource): Replication | undefined {
  return (options as { replication?: Replication }).replication;
}

/** `RR` (in turn) unless the DataSource says otherwise. */
export function replicaOrder(dataSource: DataSource): ReplicaOrder {
  const { selector, defaultSelector } = replicationOf(dataSource) ?? {};
  const order = selector ?? defaultSelector;
  return order === 'RANDOM' || order === 'ORDER' ? order : 'RR';
}
