/** One DataSource with its scoped session, on the test's database. */
import type { Socket } from 'node:net';
import {
  createEngine,
  scopedSession,
  type ScopedSession,
  sessionFactory,
  type SessionFactoryOptions,
} from 'nestjs-scoped-session';
import { DataSource } from 'typeorm';
import { joinDataSource } from '../../src/session/index.js';
import type { TestDatabase } from './databases.js';
import { Note } from './note.js';
import { waitUntil } from './wait-until.js';

export interface Ours {
  readonly dataSource: DataSource;
  readonly session: ScopedSession;
  readonly warnings: string[];
}

/** Plain TypeORM, to show what it does by itself. */
export async function plainDataSource(
  database: TestDatabase,
  more: Record<string, unknown> = {},
): Promise<DataSource> {
  const options = database.options({ entities: [Note], synchronize: true, dropSchema: true, ...more });
  const dataSource = await new DataSource(options).initialize();
  return dataSource;
}

/** The same with an engine, a scoped session and joined repositories; closed at the end of the test. */
export async function ours(
  database: TestDatabase,
  more: Record<string, unknown> = {},
  factory: SessionFactoryOptions = {},
): Promise<Ours> {
  const dataSource = await plainDataSource(database, more);
  database.watch({ dataSource, close: () => dataSource.destroy() });
  const engine = createEngine(dataSource, {
    poolTimeoutMs: 1_000,
    gateTimeoutMs: 1_000,
    ...database.engine,
  });
  const warnings: string[] = [];
  const warn = (message: string): void => void warnings.push(message);
  const session = scopedSession(sessionFactory(engine, { warn, ...factory }));
  joinDataSource(engine, session, { repositories: 'join', warn });
  return { dataSource, session, warnings };
}

/** The texts that are stored, in order. */
export async function texts(dataSource: DataSource): Promise<string[]> {
  const rows = await dataSource.query<{ text: string }[]>('SELECT text FROM note ORDER BY id');
  return rows.map(({ text }) => text);
}

/** The server's number for the session's connection. */
export async function connectionId(session: ScopedSession): Promise<number> {
  const isMysql = session.dataSource.options.type === 'mariadb';
  return Number(await session.scalar(isMysql ? 'SELECT CONNECTION_ID()' : 'SELECT pg_backend_pid()'));
}

/** Closes a connection from outside. */
export async function kill(database: TestDatabase, id: number): Promise<void> {
  await database.ask(database.kind === 'mariadb' ? `KILL ${id}` : `SELECT pg_terminate_backend(${id})`);
}

interface DriverConnection {
  query(...given: unknown[]): unknown;
  /** mysql2's. */
  stream?: Socket;
  /** pg's. */
  connection?: { stream: Socket };
}

interface Connected {
  connection(): Promise<unknown>;
}

const socketOf = ({ stream, connection }: DriverConnection): Socket => stream ?? connection!.stream;

/** Closes the session's connection from outside, and waits until this side knows of it. */
export async function loseIdle(database: TestDatabase, session: ScopedSession): Promise<void> {
  const socket = socketOf((await session.connection()) as DriverConnection);
  await kill(database, await connectionId(session));
  await waitUntil('this side knows of it', () => socket.destroyed);
}

/** Cuts the session's connection when its COMMIT is on the way: neither side can know before. */
export async function loseAtCommit(session: Connected, commit = /^COMMIT$/): Promise<void> {
  const connection = (await session.connection()) as DriverConnection;
  const socket = socketOf(connection);
  const query = connection.query.bind(connection);
  connection.query = (...given) => {
    const [first] = given;
    if (commit.test(typeof first === 'string' ? first : String((first as { sql?: unknown }).sql)))
      socket.destroy();
    return query(...given);
  };
}
