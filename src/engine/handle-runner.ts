/** The class of query runners on handles of their own: TypeORM's, which knows only one handle for each driver. */
import type { BetterSqlite3Handle } from './better-sqlite3-handle.js';
import type { LentHandles } from './lent-handle.js';
import type { SqliteDriver, SqliteRunner } from './sqlite-backend.js';

interface PlainRunner extends SqliteRunner {
  readonly cacheSize: number;
  connect(): Promise<BetterSqlite3Handle>;
  query<T>(sql: string, parameters?: unknown[], useStructuredResult?: boolean): Promise<T>;
}

type RunnerClass = new (driver: SqliteDriver) => PlainRunner;

/** Derives from the driver's class, which stays as it is. */
export function handleRunnerOf(Plain: RunnerClass, lent: LentHandles): RunnerClass {
  const statements = new WeakMap<object, Map<string, unknown>>();

  return class HandleRunner extends Plain {
    override async query<T>(sql: string, parameters?: unknown[], useStructuredResult?: boolean): Promise<T> {
      const send = (text: string): Promise<T> => super.query<T>(text, parameters, useStructuredResult);
      // TypeORM's own says so, in its words.
      if (this.isReleased) return send(sql);
      const handle = lent.get(await this.connect());
      return handle === undefined ? send(sql) : handle.use(sql, send);
    }

    /** Prepared statements are kept with their handle: TypeORM's own keeps them with the runner, which has another one soon. */
    async getStmt(sql: string): Promise<unknown> {
      const handle = await this.connect();
      const kept = statements.get(handle) ?? new Map<string, unknown>();
      statements.set(handle, kept);
      const statement = kept.get(sql) ?? handle.prepare(sql);
      kept.delete(sql);
      kept.set(sql, statement);
      for (const oldest of kept.keys()) {
        if (kept.size <= this.cacheSize) break;
        kept.delete(oldest);
      }
      return statement;
    }
  };
}
