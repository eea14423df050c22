/** PostgreSQL through pg. */
import type { DataSource } from 'typeorm';
import type { Backend, PoolCounters, ServerTransaction } from './backend.js';
import { ISOLATION_LEVELS, type TransactionOptions } from './isolation.js';

interface Client {
  on(event: 'error', listener: (error: Error) => void): void;
  removeListener(event: 'error', listener: (error: Error) => void): void;
  /** The status byte of the last ReadyForQuery; absent in pg before 8.16. */
  getTransactionStatus?(): string | null;
}

interface Pool {
  options?: { max?: number };
  totalCount: number;
  idleCount: number;
  waitingCount: number;
}

const SERVER_TRANSACTIONS: Readonly<Record<string, ServerTransaction>> = {
  T: 'open',
  E: 'failed',
  I: 'none',
};

// The loss of a connection is told by the statement that waits on it; without a listener Node would end the process.
const alreadyTold = (): void => undefined;

export function postgresBackend(dataSource: DataSource): Backend {
  const driver = dataSource.driver as unknown as {
    obtainMasterConnection(): Promise<[Client, (error?: Error | boolean) => void]>;
    master?: Pool;
    createQueryRunner(mode: 'master'): ReturnType<Backend['createRunner']>;
  };
  return {
    family: 'postgres',
    isolationLevels: ISOLATION_LEVELS,
    createRunner: () => driver.createQueryRunner('master'),
    obtain: async () => {
      const [raw, release] = await driver.obtainMasterConnection();
      raw.on('error', alreadyTold);
      const end = (destroy: boolean): void => {
        if (!destroy) raw.removeListener('error', alreadyTold);
        release(destroy);
      };
      return { raw, giveBack: () => end(false), destroy: () => end(true) };
    },
    sender: null,
    counters: () => countersOf(driver.master),
    beginStatements,
    endStatements: () => [],
    // pg rejects at the error and learns the status from the message after it: an error of the server tells by itself.
    serverTransaction: (connection, _answer, error) =>
      isFromServer(error) ? 'failed' : (SERVER_TRANSACTIONS[statusOf(connection)] ?? 'unknown'),
    insertedId: () => undefined,
    dispose: () => undefined,
  };
}

/** The status byte that came with the last answer. */
function statusOf(connection: unknown): string {
  return (connection as Client | undefined)?.getTransactionStatus?.() ?? '';
}

/** Only the server's errors have a SQLSTATE; those of pg itself leave the transaction as it is. */
function isFromServer(error: unknown): boolean {
  const { driverError } = (error ?? {}) as { driverError?: { code?: unknown } };
  return typeof driverError?.code === 'string' && /^[0-9A-Z]{5}$/.test(driverError.code);
}

function beginStatements({ isolation, readOnly }: TransactionOptions): readonly string[] {
  const level = isolation === undefined ? '' : ` ISOLATION LEVEL ${isolation}`;
  return [`START TRANSACTION${level}${readOnly === true ? ' READ ONLY' : ''}`];
}

function countersOf(pool: Pool | undefined): PoolCounters {
  if (pool === undefined) return { limit: 0, total: 0, active: 0, idle: 0, waiting: 0 };
  const { totalCount: total, idleCount: idle, waitingCount: waiting } = pool;
  return { limit: pool.options?.max ?? 0, total, idle, active: total - idle, waiting };
}
