/** One session over two databases, each with classes of its own. */
import {
  scopedSession,
  type ScopedSession,
  type SessionFactory,
  type SessionFactoryOptions,
  sessionFactory,
} from 'nestjs-scoped-session';
import { DataSource } from 'typeorm';
import type { Kind, TestDatabase } from './databases.js';
import { Note } from './note.js';
import { Audited, AuditedTwice, Nowhere, Report } from './reports.js';
import { StatementLog } from './statement-log.js';

export const PAIRS: readonly (readonly [Kind, Kind])[] = [
  ['sqljs', 'sqljs'],
  ['mariadb', 'mariadb'],
  ['sqljs', 'mariadb'],
];

export interface Bound {
  readonly own: DataSource;
  readonly reporting: DataSource;
  /** What was sent to which, in order: changes of rows, and the ends of transactions. */
  readonly sent: string[];
  readonly sessions: SessionFactory;
  readonly session: ScopedSession;
}

class Sent extends StatementLog {
  constructor(
    private readonly name: string,
    private readonly sent: string[],
  ) {
    super();
  }

  override logQuery(sql: string): void {
    const word = /^(INSERT|UPDATE|DELETE|COMMIT|ROLLBACK|XA .*)/.exec(sql)?.[1];
    if (word !== undefined) this.sent.push(`${this.name}: ${word}`);
  }
}

export async function connect(
  database: TestDatabase,
  name: string,
  entities: Function[],
  sent: string[] = [],
): Promise<DataSource> {
  const options = { entities, synchronize: true, dropSchema: true, logger: new Sent(name, sent) };
  const dataSource = await new DataSource(database.options(options)).initialize();
  return database.watch({ dataSource, close: () => dataSource.destroy() }).dataSource;
}

/**
 * @param ofBoth - options of all sessions
 * @param ofOwn - options of those of the first database only
 */
export async function bound(
  first: TestDatabase,
  second: TestDatabase,
  ofBoth: SessionFactoryOptions = {},
  ofOwn?: SessionFactoryOptions,
): Promise<Bound> {
  const sent: string[] = [];
  const own = await connect(first, 'default', [Note, Audited, AuditedTwice, Nowhere], sent);
  const reporting = await connect(second, 'reporting', [Report, Audited, AuditedTwice], sent);
  const target = ofOwn === undefined ? reporting : sessionFactory(reporting, ofBoth);
  const sessions = sessionFactory(own, { ...ofBoth, ...ofOwn, binds: { reporting: target } });
  sent.length = 0;
  return { own, reporting, sent, sessions, session: scopedSession(sessions) };
}
