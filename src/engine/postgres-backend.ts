/** PostgreSQL through pg. */
import type { Backend, BackendNeeds, ServerTransaction } from './backend.js';
import { closeWithDriver } from './driver-life.js';
import { type BeginSettings, type IsolationLevel, ISOLATION_LEVELS } from './isolation.js';
import type { Lease } from './lease.js';
import { CONNECT_TIMEOUT_MS, ConnectionPool } from './pool.js';
import type { PhysicalConnection } from './pooled-connection.js';
import { postgresPositions } from './postgres-positions.js';
import { replicationOf } from './replication.js';
import { type CancellableClient, cancelStatement } from './postgres-canceller.js';

interface Client {
  on(event: 'error' | 'end', listener: () => void): void;
  removeListener(event: 'error' | 'end', listener: () => void): void;
  query(sql: string): Promise<unknown>;
  /** The status byte of the last ReadyForQuery; absent in pg before 8.16. */
  getTransactionStatus?(): string | null;
}

/** As pg lends a client. */
type Checkout = [client: Client, release: (destroy: boolean) => void];

interface DriverPool {
  readonly options: { connectionTimeoutMillis?: number };
  connect(
    answered: (error: Error | undefined, client: Client, release: (destroy: boolean) => void) => void,
  ): void;
}

const SERVER_TRANSACTIONS: Readonly<Record<string, ServerTransaction>> = {
  T: 'open',
  E: 'failed',
  I: 'none',
};

// The loss of a connection is told by the statement that waits on it; without a listener Node would end the process.
const alreadyTold = (): void => undefined;

class PostgresConnection implements PhysicalConnection {
  // pg's own pool notices idle ones that ended, and keeps none for long.
  readonly restedMs = 0;
  #lost = alreadyTold;

  constructor(
    readonly raw: Client,
    private readonly release: (destroy: boolean) => void,
  ) {
    raw.on('error', alreadyTold);
  }

  ping(): Promise<unknown> {
    return this.raw.query('SELECT 1');
  }

  reset(): Promise<unknown> {
    return this.raw.query('DISCARD ALL');
  }

  run(sql: string): Promise<unknown> {
    return this.raw.query(sql);
  }

  levelSql(isolation: IsolationLevel): string {
    return `SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL ${isolation}`;
  }

  onLost(lost: () => void): void {
    this.#lost = lost;
    this.raw.on('error', lost);
    this.raw.on('end', lost);
  }

  close(): void {
    this.release(true);
  }

  handBack(): void {
    this.raw.removeListener('error', alreadyTold);
    this.raw.removeListener('error', this.#lost);
    this.raw.removeListener('end', this.#lost);
    this.release(false);
  }
}

export function postgresBackend({ dataSource, settings }: BackendNeeds): Backend {
  const driver = dataSource.driver as unknown as {
    readonly master: DriverPool;
    readonly slaves: readonly DriverPool[];
    obtainMasterConnection(): Promise<Checkout>;
    createQueryRunner(mode: 'master'): ReturnType<Backend['createRunner']>;
  };
  const createRunner = driver.createQueryRunner.bind(driver);
  const obtain = driver.obtainMasterConnection.bind(driver);
  const poolOf = (
    driverPool: () => DriverPool | undefined,
    connect: () => Promise<Checkout>,
  ): ConnectionPool =>
    new ConnectionPool(async () => {
      // pg itself waits for ever for a server that lets nobody in, and with it a place in the driver's own pool.
      const options = driverPool()?.options;
      if (options !== undefined) options.connectionTimeoutMillis ||= CONNECT_TIMEOUT_MS;
      return new PostgresConnection(...(await connect()));
    }, settings);
  const pool = poolOf(() => driver.master, obtain);
  const replicas = (replicationOf(dataSource)?.slaves ?? []).map((_slave, place) =>
    poolOf(
      () => driver.slaves[place],
      () => checkout(driver.slaves[place]),
    ),
  );
  return {
    family: 'postgres',
    isInProcess: false,
    isolationLevels: ISOLATION_LEVELS,
    beginModes: ['explicit', 'firstWrite'],
    createRunner: () => createRunner('master'),
    obtain: (_holder, patience) => pool.obtain(patience),
    replicas,
    positions: postgresPositions,
    handOut,
    cancel: (connection) => cancelStatement(connection as CancellableClient),
    invalidate: () => pool.invalidate(),
    rowSource: 'cursor',
    sender: null,
    counters: () => pool.counters(),
    beginStatements: (_connection, options) => beginStatements(options, settings().isolation),
    plainStatements: () => [],
    cleanStatements: ['ROLLBACK'],
    refuseUnsafe: () => undefined,
    endStatements: () => [],
    // pg rejects at the error and learns the status from the message after it: an error of the server tells by itself.
    serverTransaction: (connection, _answer, error) =>
      isFromServer(error) ? 'failed' : (SERVER_TRANSACTIONS[statusOf(connection)] ?? 'unknown'),
    insertedId: () => undefined,
    dispose: closeWithDriver(dataSource, {
      close: () => [pool, ...replicas].forEach((one) => one.close()),
    }),
  };
}

function checkout(pool: DriverPool | undefined): Promise<Checkout> {
  if (pool === undefined) return Promise.reject(new Error('The DataSource is not connected.'));
  return new Promise((resolve, reject) =>
    pool.connect((error, client, release) =>
      error === undefined || error === null ? resolve([client, release]) : reject(error),
    ),
  );
}

function handOut(lease: Lease): [Client, (destroy?: unknown) => void] {
  const raw = lease.raw as Client;
  const end = (destroy?: unknown): void => {
    if (destroy !== undefined && destroy !== false) lease.destroy();
    else if (statusOf(raw) === 'I') void lease.release();
    else
      raw.query('ROLLBACK').then(
        () => lease.release(),
        () => lease.destroy(),
      );
  };
  return [raw, end];
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

function beginStatements(
  { isolation, readOnly }: BeginSettings,
  usual: IsolationLevel | undefined,
): readonly string[] {
  const level = isolation === undefined || isolation === usual ? '' : ` ISOLATION LEVEL ${isolation}`;
  return [`START TRANSACTION${level}${readOnly === true ? ' READ ONLY' : ''}`];
}
