/** better-sqlite3 and sql.js: one connection in the process, so everybody has a runner of their own behind one gate. */
import type { QueryRunner } from 'typeorm';
import type { Backend, BackendNeeds, ServerTransaction } from './backend.js';
import { withDeadline } from './deadline.js';
import type { BeginSettings } from './isolation.js';
import type { DriverConnection, LeaseHolder } from './lease.js';
import { type BetterSqlite3Handle, isBetterSqlite3 } from './better-sqlite3-handle.js';
import { levelPragma } from './sqlite-level.js';
import { SqliteGate } from './sqlite-gate.js';

/** The parts of TypeORM's two SQLite drivers and their runners that the gate needs. */
export interface SqliteDriver {
  databaseConnection: { exec(sql: string): unknown } | BetterSqlite3Handle;
  options: { autoSave?: boolean };
  queryRunner?: QueryRunner | undefined;
  createQueryRunner(mode: 'master'): SqliteRunner;
  autoSave?(): Promise<void>;
}

export interface SqliteRunner extends QueryRunner {
  isDirty?: boolean;
}

type RunnerClass = new (driver: SqliteDriver) => SqliteRunner;

/** @param derive - makes the class of the runners from the driver's own */
export function sqliteBackend(
  { dataSource }: BackendNeeds,
  derive: (Runner: RunnerClass) => RunnerClass = (Runner) => Runner,
): Backend {
  const driver = dataSource.driver as unknown as SqliteDriver;
  const gate = new SqliteGate();
  const Runner = derive(runnerClassOf(driver));

  const enter = async ({ owner, runner }: LeaseHolder): Promise<DriverConnection> => {
    const leave = await gate.enter(owner);
    // Whoever gives it back has the runner; a session that was forgotten with its lease must stay collectable.
    const holder = runner && new WeakRef(runner);
    return {
      raw: driver.databaseConnection,
      run: async (sql) => driver.databaseConnection.exec(sql),
      giveBack: () => saveIfDirty(driver, holder?.deref()).finally(leave),
      destroy: () => {
        undo(driver);
        leave();
      },
    };
  };

  return {
    family: 'sqlite',
    isInProcess: true,
    sharesOneConnection: true,
    isolationLevels: ['READ UNCOMMITTED', 'SERIALIZABLE'],
    beginModes: ['explicit', 'firstWrite'],
    createRunner: () => new Runner(driver),
    obtain: (holder, { timeoutMs, timedOut }) =>
      withDeadline(enter(holder), timeoutMs, timedOut, (late) => void late.giveBack()),
    // Whoever asks the driver has its only connection at hand.
    handOut: (lease) => lease.raw,
    // It is synchronous: while it works nobody can ask for its end.
    cancel: () => undefined,
    // There is no other connection that could be better.
    invalidate: () => undefined,
    rowSource: 'answer',
    sender: null,
    counters: () => {
      const active = gate.owner === undefined ? 0 : 1;
      return { limit: 1, total: 1, active, idle: 1 - active, waiting: gate.waiting };
    },
    beginStatements,
    plainStatements: () => [],
    cleanStatements: ['ROLLBACK'],
    refuseUnsafe: () => undefined,
    endStatements: ({ readOnly }) => (readOnly === true ? ['PRAGMA query_only = 0'] : []),
    serverTransaction,
    insertedId,
    dispose: () => undefined,
  };
}

/** The driver's runner class is found on the one shared runner that TypeORM would hand to everybody. */
function runnerClassOf(driver: SqliteDriver): RunnerClass {
  const shared = driver.createQueryRunner('master');
  driver.queryRunner = undefined;
  return shared.constructor as RunnerClass;
}

/** Writers take the lock at once: a transaction that reads first and writes later fails when another commits between. */
function beginStatements(_connection: unknown, { isolation, readOnly }: BeginSettings): readonly string[] {
  const level = isolation === undefined ? [] : [levelPragma(isolation)];
  return readOnly === true ? [...level, 'PRAGMA query_only = 1', 'BEGIN'] : [...level, 'BEGIN IMMEDIATE'];
}

function serverTransaction(connection: unknown, answer: unknown): ServerTransaction {
  const database = connection as SqliteDriver['databaseConnection'];
  if (isBetterSqlite3(database)) return database.inTransaction ? 'open' : 'none';
  if (answer !== undefined) return 'unknown';
  return refusesBegin(database) ? 'open' : 'none';
}

/** sql.js does not tell; it is only asked where something failed or is about to be committed. */
function refusesBegin(database: SqliteDriver['databaseConnection']): boolean {
  try {
    database.exec('BEGIN');
  } catch {
    return true;
  }
  database.exec('ROLLBACK');
  return false;
}

function insertedId(connection: unknown, answer: unknown): number | bigint | undefined {
  if (typeof answer === 'number' || typeof answer === 'bigint') return answer;
  const database = connection as SqliteDriver['databaseConnection'];
  const sql = 'SELECT last_insert_rowid()';
  // better-sqlite3 tells it with the answer, except where that is rows (RETURNING).
  if (isBetterSqlite3(database)) return database.prepare(sql).pluck().get() as number | bigint;
  const [rows] = database.exec(sql) as [{ values: [[number]] }?];
  return rows?.values[0][0];
}

/** sql.js keeps the database in memory and writes it to its file as a whole; that belongs to the commit. */
async function saveIfDirty(driver: SqliteDriver, runner: SqliteRunner | undefined): Promise<void> {
  if (runner?.isDirty !== true || driver.autoSave === undefined) return;
  runner.isDirty = false;
  await driver.autoSave();
  // sql.js forgets this setting when it exports the database.
  if (driver.options.autoSave === true) driver.databaseConnection.exec('PRAGMA foreign_keys = ON');
}

/** There is no other connection to fall back to: what is open is undone on this one. */
function undo(driver: SqliteDriver): void {
  for (const sql of ['ROLLBACK', 'PRAGMA query_only = 0']) {
    try {
      driver.databaseConnection.exec(sql);
    } catch {
      // No transaction was open.
    }
  }
}
