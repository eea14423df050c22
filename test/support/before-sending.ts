/** Faults at a moment that nobody can await: when a certain statement of a session is about to be sent. */
import type { Socket } from 'node:net';
import type { SessionBase } from 'nestjs-scoped-session';
import type { Note } from './note.js';
import type { Report } from './reports.js';

export interface DriverConnection {
  query(...given: unknown[]): unknown;
  readonly stream: Socket;
}

/** Does this with the connection of `target`'s database when a statement like `what` is about to be sent there. */
export async function beforeSending(
  session: SessionBase,
  target: typeof Note | typeof Report,
  what: RegExp,
  fault: (connection: DriverConnection) => Promise<unknown> | undefined,
): Promise<void> {
  const connection = (await session.getRepository(target).queryRunner!.connect()) as DriverConnection;
  const query = connection.query.bind(connection);
  connection.query = (...given) => {
    const [first] = given;
    const sql = typeof first === 'string' ? first : (first as { sql: string }).sql;
    if (!what.test(sql)) return query(...given);
    connection.query = query;
    const done = fault(connection);
    return done === undefined ? query(...given) : void done.then(() => void query(...given));
  };
}
