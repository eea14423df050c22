/** MySQL and MariaDB through mysql2. */
import { UnusableDataSourceError } from '../errors.js';
import type { Backend, BackendNeeds, ServerTransaction } from './backend.js';
import { closeWithDriver } from './driver-life.js';
import type { Lease } from './lease.js';
import { own } from './own-members.js';
import { ConnectionPool } from './pool.js';
import type { PhysicalConnection } from './pooled-connection.js';
import { AUTOCOMMIT, MysqlBegin } from './mysql-begin.js';
import { type CancellableConnection, MysqlCanceller, type OpenConnection } from './mysql-canceller.js';
import { mysqlPositions } from './mysql-positions.js';
import { mysqlServers } from './mysql-servers.js';
import { mysqlSender } from './mysql-statement.js';
import { BEGIN_MODES, type IsolationLevel, ISOLATION_LEVELS } from './isolation.js';

/** A bit of the status that every OK packet carries: a backslash is a character like any other. */
const SERVER_STATUS_NO_BACKSLASH_ESCAPES = 512;

/** Bit 0 of the status that every OK packet carries: the server has a transaction open. */
const SERVER_STATUS_IN_TRANS = 1;

/** A flag of the handshake that is a part of the SQL mode; the server's reset forgets it. */
const CLIENT_IGNORE_SPACE = 256;
const IGNORE_SPACE = "SET sql_mode = CONCAT_WS(',', NULLIF(@@sql_mode, ''), 'IGNORE_SPACE')";

interface RawConnection {
  /** Of Date.now(). */
  readonly lastActiveTime: number;
  readonly config: { readonly clientFlags: number };
  ping(answered: (error?: Error | null) => void): void;
  reset(answered: (error: Error | null) => void): void;
  query(sql: string, answered: (error: Error | null) => void): void;
  once(event: 'error' | 'end', listener: () => void): void;
  removeListener(event: 'error' | 'end', listener: () => void): void;
  release(): void;
  destroy(): void;
}

/** What a connection tells when it is over. */
const ENDS = ['error', 'end'] as const;

type Ask = (answered: (error?: Error | null) => void) => void;

class MysqlConnection implements PhysicalConnection {
  readonly restedMs: number;
  #lost: () => void = () => undefined;

  constructor(
    readonly raw: RawConnection,
    private readonly begin: MysqlBegin,
  ) {
    this.restedMs = Date.now() - raw.lastActiveTime;
  }

  ping(): Promise<void> {
    return asked((answered) => this.raw.ping(answered));
  }

  async reset(): Promise<void> {
    this.begin.reset(this.raw);
    await asked((answered) => this.raw.reset(answered));
    if ((this.raw.config.clientFlags & CLIENT_IGNORE_SPACE) !== 0) await this.run(IGNORE_SPACE);
  }

  run(sql: string): Promise<void> {
    return asked((answered) => this.raw.query(sql, answered));
  }

  levelSql(isolation: IsolationLevel): string {
    return `SET SESSION TRANSACTION ISOLATION LEVEL ${isolation}`;
  }

  onLost(lost: () => void): void {
    this.#lost = lost;
    for (const event of ENDS) this.raw.once(event, lost);
  }

  close(): void {
    this.raw.destroy();
  }

  handBack(): void {
    for (const event of ENDS) this.raw.removeListener(event, this.#lost);
    // The driver's next user would never commit.
    if (this.begin.isWithoutAutocommit(this.raw)) this.raw.destroy();
    else this.raw.release();
  }
}

function asked(ask: Ask): Promise<void> {
  // mysql2 answers a ping with nothing at all, and other commands with null.
  return new Promise((resolve, reject) =>
    ask((error) => (error instanceof Error ? reject(error) : resolve())),
  );
}

export function mysqlBackend({ dataSource, settings }: BackendNeeds): Backend {
  const driver = dataSource.driver as unknown as {
    obtainMasterConnection(): Promise<RawConnection>;
    createQueryRunner(mode: 'master'): ReturnType<Backend['createRunner']>;
    readonly mysql?: { readonly Connection?: OpenConnection };
  };
  const createRunner = driver.createQueryRunner.bind(driver);
  const begin = new MysqlBegin();
  const poolOf = (connect: () => Promise<RawConnection>): ConnectionPool =>
    new ConnectionPool(async () => new MysqlConnection(await connect(), begin), settings);
  const servers = mysqlServers<RawConnection>(dataSource);
  const obtain = driver.obtainMasterConnection.bind(driver);
  const pool = poolOf(servers === undefined ? obtain : () => servers.primary.connect());
  const replicas = servers?.replicas.map((server) => poolOf(() => server.connect())) ?? [];
  const canceller = new MysqlCanceller(driver.mysql?.Connection);
  return {
    family: 'mysql',
    isInProcess: false,
    isolationLevels: ISOLATION_LEVELS,
    beginModes: BEGIN_MODES,
    createRunner: () => createRunner('master'),
    obtain: (_holder, patience) => pool.obtain(patience),
    replicas,
    positions: mysqlPositions,
    handOut,
    cancel: (connection) => canceller.cancel(connection as CancellableConnection),
    invalidate: () => pool.invalidate(),
    rowSource: 'driver',
    sender: mysqlSender(dataSource),
    counters: () => pool.counters(),
    hasTwoPhases: true,
    beginStatements: (connection, options, xid) =>
      begin.statements(connection as object, options, settings().isolation, xid),
    plainStatements: (connection) => begin.plainStatements(connection as object),
    // A transaction that was left open, and the autocommit that was taken with it.
    cleanStatements: ['ROLLBACK', ...AUTOCOMMIT],
    refuseUnsafe,
    endStatements: () => [],
    serverTransaction,
    insertedId: (_connection, answer) => headerOf(answer)?.insertId || undefined,
    dispose: closeWithDriver(dataSource, {
      close: () => {
        for (const one of [pool, ...replicas]) one.close();
        return servers?.close();
      },
    }),
  };
}

/** mysql2 escapes quotes with backslashes, whatever the server makes of them. */
function refuseUnsafe(answer: unknown): void {
  const status = headerOf(answer)?.serverStatus ?? 0;
  if ((status & SERVER_STATUS_NO_BACKSLASH_ESCAPES) === 0) return;
  throw new UnusableDataSourceError(
    'The server is in the SQL mode NO_BACKSLASH_ESCAPES, and mysql2 escapes values with backslashes: a value could end ' +
      'its own quotes (SQL injection). Take the mode out of sql_mode, for example with initSql.',
  );
}

/** mysql2's connection gives itself back: these do it in its place, once. */
function handOut(lease: Lease): unknown {
  const raw = lease.raw as RawConnection;
  const leave = own(raw, {
    release: () => {
      leave();
      raw.query('ROLLBACK', (error) => void (error === null ? lease.release() : lease.destroy()));
    },
    destroy: () => {
      leave();
      lease.destroy();
    },
  });
  return raw;
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
