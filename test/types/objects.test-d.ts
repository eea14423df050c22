/** Objects: what loading gives, what storing takes, and what a query is. */
import type {
  BulkSaveOptions,
  QueryProperty,
  ScopedSession,
  Session,
  SessionQuery,
} from 'nestjs-scoped-session';
import { fakeSession } from 'nestjs-scoped-session/testing';
import type { Equal } from './equal.js';

class Note {
  id!: number;
  text!: string;
  author!: Author | null;
}

class Author {
  id!: number;
}

export async function loading(session: Session, scoped: ScopedSession): Promise<void> {
  const maybe = await session.get(Note, 1);
  const sure = await scoped.getOrFail(Note, { id: 1 }, { lock: 'pessimistic_write' });
  const many = await session.find(Note, { where: { text: 'a' } });
  const one = await session.findOneBy(Note, { text: 'a' });
  const count = await session.count(Note);
  const builder = session.query(Note, 'n').populateExisting().where('n.id = 1');
  const rows = session.query<{ n: number }[]>('SELECT 1 AS n');
  const checks: [
    Equal<typeof maybe, Note | null>,
    Equal<typeof sure, Note>,
    Equal<typeof many, Note[]>,
    Equal<typeof one, Note | null>,
    Equal<typeof count, number>,
    Equal<typeof builder, SessionQuery<Note>>,
    Equal<typeof rows, Promise<{ n: number }[]>>,
  ] = [true, true, true, true, true, true, true];
  // @ts-expect-error: there may be none
  maybe.text = 'a';
  // @ts-expect-error: SQL is no builder
  session.query('SELECT 1').populateExisting();
  // @ts-expect-error: a builder has no SQL parameters
  session.query(Note, [1]);
  // @ts-expect-error: no such lock
  await session.get(Note, 1, { lock: 'exclusive' });
  // @ts-expect-error: a key is no boolean
  await session.get(Note, true);
  // @ts-expect-error: no such column
  await session.findBy(Note, { title: 'a' });
  // @ts-expect-error: read only
  session.dirty = new Set();
  return void checks;
}

export async function bulk(session: Session, notes: Set<Note>): Promise<void> {
  const options: BulkSaveOptions = { returnDefaults: true, updateChangedOnly: false };
  const stored = await session.bulkSaveObjects(notes, options);
  await session.bulkInsertMappings(Note, [{ text: 'a', author: { id: 1 } }], { renderNulls: true });
  await session.bulkUpdateMappings(Note, [{ id: 1, author: null }]);
  const checks: [Equal<typeof stored, void>] = [true];
  // @ts-expect-error: no such column
  await session.bulkInsertMappings(Note, [{ title: 'a' }]);
  // @ts-expect-error: a text
  await session.bulkUpdateMappings(Note, [{ id: 1, text: 5 }]);
  // @ts-expect-error: many
  await session.bulkInsertMappings(Note, { text: 'a' });
  // @ts-expect-error: an UPDATE makes nothing
  await session.bulkUpdateMappings(Note, [], { returnDefaults: true });
  // @ts-expect-error: objects
  await session.bulkSaveObjects([1]);
  return void checks;
}

export function queries(scoped: ScopedSession): void {
  const plain = scoped.queryProperty<Note>();
  const counted = scoped.queryProperty((builder: SessionQuery<Note>) => builder.getCount());
  const checks: [
    Equal<typeof plain, QueryProperty<SessionQuery<Note>>>,
    Equal<typeof counted, QueryProperty<Promise<number>>>,
  ] = [true, true];
  Object.defineProperty(Note, 'query', plain);
  // @ts-expect-error: a function
  scoped.queryProperty(Note.name);
  return void checks;
}

export function fakes(): void {
  fakeSession(undefined, { objects: new Set([new Note()]), key: (entity) => (entity as Note).id });
  // @ts-expect-error: objects
  fakeSession(undefined, { objects: [1] });
}
