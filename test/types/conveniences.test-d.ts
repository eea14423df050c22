/** Conveniences: pages of entities, objects that are there, rows as they are said to be, and what listeners are told. */
import type {
  ModelChange,
  Pagination,
  RecordedQuery,
  ScopedSession,
  Session,
  SessionFactory,
} from 'nestjs-scoped-session';
import { sessionFactory } from 'nestjs-scoped-session';
import type { Repository } from 'typeorm';
import type { Equal } from './equal.js';

class Note {
  id!: number;
  text!: string;
}

export async function conveniences(session: Session, scoped: ScopedSession, notes: Repository<Note>) {
  const page = await session.paginate(session.query(Note), { page: '2', maxPerPage: null });
  const plain = await scoped.paginate(notes.createQueryBuilder('note'), { count: false });
  const one = await session.getOr404(Note, 1, { description: 'none', lock: 'pessimistic_write' });
  const first = await scoped.firstOr404(Note);
  const only = await session.oneOr404(session.query(Note).where({ text: 'a' }), { description: 'none' });
  const rows = session.stream<{ n: number }>('SELECT n FROM t WHERE n > :n', { n: 1 });
  const raw = scoped.stream(session.query(Note));
  const recorded = session.getRecordedQueries();
  const numbers = [...page.iterPages({ leftEdge: 1 })];
  const checks: [
    Equal<typeof page, Pagination<Note>>,
    Equal<typeof plain, Pagination<Note>>,
    Equal<typeof one, Note>,
    Equal<typeof first, Note>,
    Equal<typeof only, Note>,
    Equal<typeof rows, AsyncIterableIterator<{ n: number }>>,
    Equal<typeof raw, AsyncIterableIterator<Record<string, unknown>>>,
    Equal<typeof recorded, RecordedQuery[]>,
    Equal<typeof numbers, (number | null)[]>,
    Equal<typeof page.total, number | null>,
  ] = [true, true, true, true, true, true, true, true, true, true];
  for (const note of page) note.text.trim();
  // @ts-expect-error: read only
  page.total = 1;
  // @ts-expect-error: SQL has no pages
  await session.paginate('SELECT 1');
  // @ts-expect-error: a builder has its parameters
  session.stream(session.query(Note), { n: 1 });
  // @ts-expect-error: no such option
  await session.oneOr404(Note, { message: 'none' });
  // @ts-expect-error: a class of rows that are entities
  await session.getOr404(Note);
  return void checks;
}

export function signals(factory: SessionFactory, scoped: ScopedSession): void {
  const end = factory.beforeModelsCommitted((changes: readonly ModelChange[]) => changes.length);
  scoped.modelsCommitted(async ([first]) => {
    const operation: 'insert' | 'update' | 'delete' | undefined = first?.operation;
    return operation;
  });
  end();
  sessionFactory(undefined, { trackModifications: true, recordQueries: 10, notFound: () => new Error() });
  // @ts-expect-error: a number or a boolean
  sessionFactory(undefined, { recordQueries: 'all' });
}
