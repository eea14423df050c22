/**
 * The servers of a replicated MySQL DataSource, each through a pool of mysql2 that is ours: the cluster in which TypeORM has them
 * drops a server for good after five failed connects.
 */
import type { DataSource } from 'typeorm';
import { replicationOf } from './replication.js';

interface MysqlPool<Raw> {
  getConnection(answered: (error: Error | null, connection: Raw) => void): void;
  end(ended: (error?: Error) => void): void;
}

/** The parts of TypeORM's driver that make connections. */
interface ConnectingDriver<Raw> {
  readonly mysql: { createPool(options: object): MysqlPool<Raw> };
  createConnectionOptions(options: object, credentials: object): object;
  prepareDbConnection(connection: Raw): Raw;
}

export interface MysqlServer<Raw> {
  connect(): Promise<Raw>;
  close(): Promise<void> | void;
}

export interface MysqlServers<Raw> {
  readonly primary: MysqlServer<Raw>;
  readonly replicas: readonly MysqlServer<Raw>[];
}

/** Undefined where the DataSource has one server, which TypeORM keeps in a pool. */
export function mysqlServers<Raw>(dataSource: DataSource): MysqlServers<Raw> | undefined {
  const replication = replicationOf(dataSource);
  if (replication === undefined) return undefined;
  const driver = dataSource.driver as unknown as ConnectingDriver<Raw>;
  const server = (credentials: object): MysqlServer<Raw> =>
    new PooledServer(driver, () => driver.createConnectionOptions(dataSource.options, credentials));
  return { primary: server(replication.master), replicas: replication.slaves.map(server) };
}

class PooledServer<Raw> implements MysqlServer<Raw> {
  #pool: MysqlPool<Raw> | undefined;

  constructor(
    private readonly driver: ConnectingDriver<Raw>,
    private readonly options: () => object,
  ) {}

  connect(): Promise<Raw> {
    const pool = (this.#pool ??= this.driver.mysql.createPool(this.options()));
    return new Promise((resolve, reject) =>
      pool.getConnection((error, connection) =>
        error === null || error === undefined
          ? resolve(this.driver.prepareDbConnection(connection))
          : reject(error),
      ),
    );
  }

  /** A DataSource that is connected again begins with a new one. */
  close(): Promise<void> | void {
    const pool = this.#pool;
    this.#pool = undefined;
    if (pool === undefined) return undefined;
    return new Promise((resolve) => pool.end(() => resolve()));
  }
}
