/** Statements and transactions: what they take and what they give. */
import type {
  Engine,
  NestedTransaction,
  Outcome,
  ScopedSession,
  ScopedSessionError,
  Session,
  SessionBase,
  StatementResult,
} from 'nestjs-scoped-session';
import { fakeSession } from 'nestjs-scoped-session/testing';
import type { DataSource, EntityManager, QueryRunner, Repository } from 'typeorm';
import type { Equal } from './equal.js';

interface Account {
  readonly id: number;
  readonly name: string;
}

class Note {
  id!: number;
}

export async function statements(session: Session): Promise<void> {
  const untyped = await session.execute('SELECT 1');
  const typed = await session.execute<Account>('SELECT * FROM account WHERE id = :id', { id: 1 });
  const many = await session.execute('INSERT INTO account (name) VALUES (:name)', [
    { name: 'a' },
    { name: 'b' },
  ]);
  const scalar = await session.scalar<number>('SELECT 1');
  const scalars = await session.scalars<string>('SELECT name FROM account');
  const raw = await session.query<Account[]>('SELECT * FROM account WHERE id = ?', [1]);
  const anything = await session.query('SELECT 1');

  const checks: [
    Equal<typeof untyped, StatementResult>,
    Equal<(typeof untyped.rows)[number], Record<string, unknown>>,
    Equal<typeof typed.rows, readonly Account[]>,
    Equal<ReturnType<typeof typed.first>, Account | undefined>,
    Equal<ReturnType<typeof typed.one>, Account>,
    Equal<typeof many.affectedRows, number>,
    Equal<typeof many.insertId, number | string | bigint | undefined>,
    Equal<typeof scalar, number | null>,
    Equal<typeof scalars, string[]>,
    Equal<typeof raw, Account[]>,
    Equal<typeof anything, unknown>,
  ] = [true, true, true, true, true, true, true, true, true, true, true];
  const ids: number[] = [...typed].map(({ id }) => id);

  // @ts-expect-error: positional values go to query()
  await session.execute('SELECT * FROM account WHERE id = ?', [1]);
  // @ts-expect-error: parameters have names
  await session.execute('SELECT :id', 1);
  // @ts-expect-error: there is no statement
  await session.execute();
  // @ts-expect-error: scalar executes once
  await session.scalar('SELECT :id', [{ id: 1 }]);
  // @ts-expect-error: names go to execute()
  session.query('SELECT :id', { id: 1 });
  // @ts-expect-error: a row is what was said, and no more
  const cents = typed.one().cents as number;
  // @ts-expect-error: rows are the server's
  typed.rows.push({ id: 1, name: 'a' });
  return void [checks, ids, cents];
}

export async function transactions(session: Session): Promise<void> {
  const result = await session.beginNested(async () => 1);
  const handle = await session.beginNested();
  const checks: [Equal<typeof result, number>, Equal<typeof handle, NestedTransaction>] = [true, true];
  await using inner = await session.beginNested();
  await inner.commit();
  // @ts-expect-error: the block is waited for
  await session.beginNested(() => 1);
  // @ts-expect-error: a block, not its promise
  await session.beginNested(Promise.resolve());
  // @ts-expect-error: a commit has no options
  await session.commit({ force: true });
  return void checks;
}

export function members(
  session: Session,
  base: SessionBase,
  scoped: ScopedSession,
  other: ScopedSession,
  engine: Engine,
): void {
  const objects: [
    Equal<typeof session.dataSource, DataSource>,
    Equal<typeof session.queryRunner, QueryRunner>,
    Equal<typeof session.manager, EntityManager>,
    Equal<ReturnType<typeof session.connection>, Promise<unknown>>,
  ] = [true, true, true, true];
  const repository: Repository<Note> = session.getRepository(Note);
  session.info['tenant'] = 1;
  scoped.info['tenant'] = 1;
  // @ts-expect-error: read only
  session.isActive = true;
  // @ts-expect-error: read only
  base.isActive = true;
  // @ts-expect-error: read only
  scoped.isActive = true;
  // @ts-expect-error: read only; its entries are not
  session.info = {};
  // @ts-expect-error: read only
  session.manager = repository.manager;
  // @ts-expect-error: read only
  base.dataSource = engine.dataSource;
  // @ts-expect-error: read only
  scoped.sessionFactory = other.sessionFactory;
  // @ts-expect-error: read only
  scoped.registry = other.registry;
  // @ts-expect-error: read only
  engine.dataSource = session.dataSource;
  return void objects;
}

export function errors(error: ScopedSessionError): [string, boolean, Outcome | undefined, unknown[]] {
  // @ts-expect-error: read only
  error.code = 'SS_ERR_OTHER';
  // @ts-expect-error: read only
  error.retryable = true;
  // @ts-expect-error: read only
  error.outcome = 'committed';
  return [error.code, error.retryable, error.outcome, error.suppressed];
}

export async function units(scoped: ScopedSession): Promise<void> {
  const result = await scoped.run(async (session) => session.scalar<number>('SELECT 1'));
  const now = await scoped.independently(() => 'done');
  const checks: [Equal<typeof result, number | null>, Equal<typeof now, string>] = [true, true];
  return void checks;
}

export function fakes(): void {
  const { session, scopedSession, statements: seen } = fakeSession(({ sql }) => [{ sql }]);
  const checks: [Equal<typeof session, SessionBase>, Equal<typeof scopedSession, ScopedSession>] = [
    true,
    true,
  ];
  // @ts-expect-error: rows are objects
  fakeSession(() => [1]);
  return void [checks, seen];
}
