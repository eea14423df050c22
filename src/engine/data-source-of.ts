/** The DataSource of a manager of TypeORM, whatever the version calls it. */
import type { DataSource, EntityManager } from 'typeorm';

/** 0.3 knows it as `connection` only. */
export function dataSourceOf(manager: EntityManager): DataSource {
  const { dataSource, connection } = manager as { dataSource?: DataSource; connection?: DataSource };
  return (dataSource ?? connection)!;
}
