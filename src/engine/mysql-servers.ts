/** The servers of a replicated MySQL DataSource, each through a pool of mysql2 that is ours and forgets no server. */
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
  close(): Promise<void>;
}

export interface MysqlServers<Raw> {
  readonly primary: MysqlServer<Raw>;
  readonly replicas: readonly MysqlServer<Raw>[];
  close(): Promise<unknown>;
}

/**
 * Undefined where the DataSource has one server, which TypeORM keeps in a pool. Several it keeps in mysql2's cluster, which drops
 * a server for good after five connects that failed.
 */
export function mysqlServers<Raw>(dataSource: DataSource): MysqlServers<Raw> | undefined {
  const replication = replicationOf(dataSource);
  if (replication === undefined) return undefined;
  const driver = dataSource.driver as unknown as ConnectingDriver<Raw>;
  const server = (credentials: object): MysqlServer<Raw> =>
    new PooledServer(driver, () => driver.createConnectionOptions(dataSource.options, credentials));
  const [primary, replicas] = [server(replication.master), replication.slaves.map(server)];
  return {
    primary,
    replicas,
    close: () => Promise.all([primary, ...replicas].map((one) => one.close())),
  };
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
  async close(): Promise<void> {
    const pool = this.#pool;
    this.#pool = undefined;
    if (pool !== undefined) await new Promise<void>((resolve) => pool.end(() => resolve()));
  }
}
