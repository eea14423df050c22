/** Shows what plain TypeORM does where it leaves connections stuck, or not clean: all of them are cut afterwards. */
import type { DataSource } from 'typeorm';
import { isSqlite, type TestDatabase } from './databases.js';
import { kill, plainDataSource } from './plain-and-ours.js';
import { quiet } from './quiet.js';

/** Whether `promise` is still open after every other task of this moment has had its turn, and a little more. */
export async function hangs(promise: Promise<unknown>): Promise<boolean> {
  let isOpen = true;
  void promise.then(
    () => (isOpen = false),
    () => (isOpen = false),
  );
  await new Promise((resolve) => setTimeout(resolve, 150));
  return isOpen;
}

/** Runs `show` on plain TypeORM, and cuts all its connections afterwards: some of them are stuck, or not clean. */
export async function onPlain(
  database: TestDatabase,
  options: Record<string, unknown>,
  show: (dataSource: DataSource) => Promise<void>,
): Promise<void> {
  const dataSource = await plainDataSource(database, options);
  try {
    await show(dataSource);
  } finally {
    await killAll(database);
    // TypeORM's destroy() turns for ever round a PostgreSQL runner that was released before it had its connection.
    Object.assign(dataSource.driver, { connectedQueryRunners: [] });
    // A pool with a connection that never came back would never end.
    void dataSource.destroy().catch(() => undefined);
    quiet.drain();
  }
}

async function killAll(database: TestDatabase): Promise<void> {
  if (isSqlite(database.kind)) return;
  const all =
    database.kind === 'mariadb'
      ? `SELECT id FROM information_schema.processlist WHERE user = '${database.user}'`
      : `SELECT pid AS id FROM pg_stat_activity WHERE usename = '${database.user}'`;
  const connections = await database.ask<{ id: number }>(all);
  await Promise.all(connections.map(({ id }) => kill(database, id).catch(() => undefined)));
}

interface Queries {
  query(...given: unknown[]): unknown;
}

/** Has a connection of the driver refuse one kind of statement, which the server never sees. */
export function refuse(connection: unknown, statement: string): { undo(): void } {
  const own = connection as Queries;
  const query = own.query.bind(own);
  own.query = (...given) => {
    const text = typeof given[0] === 'string' ? given[0] : (given[0] as { sql?: string; text?: string }).sql;
    if (text !== statement) return query(...given);
    const error = new Error(`${statement} was refused.`);
    const callback = given.at(-1);
    if (typeof callback !== 'function') return Promise.reject(error);
    (callback as (reason: Error) => void)(error);
    return undefined;
  };
  return { undo: () => void Reflect.deleteProperty(own, 'query') };
}
