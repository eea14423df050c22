/** MySQL and MariaDB through mysql2. */
import type { DataSource } from 'typeorm';
import type { Backend, PoolCounters, ServerTransaction } from './backend.js';
import type { DriverConnection } from './lease.js';
import { mysqlSender } from './mysql-statement.js';
import { ISOLATION_LEVELS, type TransactionOptions } from './isolation.js';

/** Bit 0 of the status that every OK packet carries: the server has a transaction open. */
const SERVER_STATUS_IN_TRANS = 1;

interface PooledConnection {
  release(): void;
  destroy(): void;
}

class MysqlConnection implements DriverConnection {
  constructor(readonly raw: PooledConnection) {}

  giveBack(): void {
    this.raw.release();
  }

  destroy(): void {
    this.raw.destroy();
  }
}

/** The fields of mysql2's pool that only diagnostics read. */
interface Pool {
  config?: { connectionLimit?: number };
  _allConnections?: { length: number };
  _freeConnections?: { length: number };
  _connectionQueue?: { length: number };
}

export function mysqlBackend(dataSource: DataSource): Backend {
  const driver = dataSource.driver as unknown as {
    obtainMasterConnection(): Promise<PooledConnection>;
    pool?: Pool;
    createQueryRunner(mode: 'master'): ReturnType<Backend['createRunner']>;
  };
  return {
    family: 'mysql',
    isolationLevels: ISOLATION_LEVELS,
    createRunner: () => driver.createQueryRunner('master'),
    obtain: async () => {
      const raw = await driver.obtainMasterConnection();
      return new MysqlConnection(raw);
    },
    sender: mysqlSender(dataSource),
    counters: () => countersOf(driver.pool),
    beginStatements,
    endStatements: () => [],
    serverTransaction,
    insertedId: (_connection, answer) => headerOf(answer)?.insertId || undefined,
    dispose: () => undefined,
  };
}

function beginStatements({ isolation, readOnly }: TransactionOptions): readonly string[] {
  const start = readOnly === true ? 'START TRANSACTION READ ONLY' : 'START TRANSACTION';
  return isolation === undefined ? [start] : [`SET TRANSACTION ISOLATION LEVEL ${isolation}`, start];
}

/** Rows come without a status; the header of a write, or of the last part of several results, has it. */
function headerOf(answer: unknown): { serverStatus?: number; insertId?: number } | undefined {
  const last: unknown = Array.isArray(answer) ? answer.at(-1) : answer;
  const isHeader = typeof last === 'object' && last?.constructor?.name === 'ResultSetHeader';
  return isHeader ? last : undefined;
}

function serverTransaction(_connection: unknown, answer: unknown): ServerTransaction {
  const status = headerOf(answer)?.serverStatus;
  if (status === undefined) return 'unknown';
  return (status & SERVER_STATUS_IN_TRANS) === 0 ? 'none' : 'open';
}

function countersOf(pool: Pool | undefined): PoolCounters {
  const total = pool?._allConnections?.length ?? 0;
  const idle = pool?._freeConnections?.length ?? 0;
  const limit = pool?.config?.connectionLimit ?? 0;
  return { limit, total, idle, active: total - idle, waiting: pool?._connectionQueue?.length ?? 0 };
}
