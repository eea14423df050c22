/** Classes of an application's own that extend ours. */
import {
  createEngine,
  PoolTimeoutError,
  ScopedSession,
  SessionBase,
  sessionFactory,
  type SessionApi,
  type StatementParameters,
  type StatementResult,
} from 'nestjs-scoped-session';

export class CountingSession extends SessionBase {
  statements = 0;

  override get isActive(): boolean {
    return super.isActive && this.statements < 100;
  }

  override execute<Row = Record<string, unknown>>(
    sql: string,
    parameters?: StatementParameters | readonly StatementParameters[],
  ): Promise<StatementResult<Row>> {
    this.statements += 1;
    return super.execute<Row>(sql, parameters);
  }

  override async commit(): Promise<void> {
    await super.commit();
    this.statements = 0;
  }
}

export class WrongSession extends SessionBase {
  // @ts-expect-error: the caller waits for it
  override rollback(): void {}
}

const engine = createEngine('sqlite+sqljs:///:memory:');
export const counting = sessionFactory(engine, { sessionClass: CountingSession });

export class LoggedScopedSession extends ScopedSession {
  readonly log: string[] = [];

  override current(): SessionBase {
    this.log.push('current');
    return super.current();
  }

  override get isActive(): boolean {
    return this.log.length > 0;
  }

  override async commit(): Promise<void> {
    this.log.push('commit');
    await this.current().commit();
  }

  override inTransaction(): boolean {
    return this.current().inTransaction();
  }

  // @ts-expect-error: it gives a session
  override get registry(): string[] {
    return this.log;
  }

  // @ts-expect-error: there is nothing of this name to override
  override transact(): void {}
}

/** A service's own stand-in needs the role only, not the class. */
export function transfer(session: Pick<SessionApi, 'execute' | 'beginNested'>): Promise<void> {
  return session.beginNested(async () => {
    await session.execute('UPDATE account SET cents = 0');
  });
}
export const works = (session: SessionBase, scoped: ScopedSession): Promise<void>[] => [
  transfer(session),
  transfer(scoped),
];

export class TenantPoolTimeoutError extends PoolTimeoutError {
  constructor(readonly tenant: string) {
    super('The connections of one tenant are in use.', { outcome: 'rolledBack' });
  }
}
// @ts-expect-error: not an outcome
export const wrong = new PoolTimeoutError('a message', { outcome: 'lost' });
