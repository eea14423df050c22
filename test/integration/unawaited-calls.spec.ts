/** A call that nobody awaits and that fails: the end of the unit of work tells of it, and Node hears of nothing. */
import {
  scopedSession,
  sessionFactory,
  UnfinishedWorkError,
  type ScopedSession,
  type SessionBase,
} from 'nestjs-scoped-session';
import { DataSource, QueryFailedError } from 'typeorm';
import { beforeEach, describe, expect, it } from 'vitest';
import { onEach } from '../support/databases.js';
import { Note } from '../support/note.js';

const FAILS = 'INSERT INTO no_such_table VALUES (1)';

const CALLS: Readonly<Record<string, (session: SessionBase) => Promise<unknown>>> = {
  execute: (session) => session.execute(FAILS),
  query: (session) => session.query(FAILS),
  scalar: (session) => session.scalar(FAILS),
  scalars: (session) => session.scalars(FAILS),
  'beginNested(fn)': (session) => session.beginNested(async () => session.execute(FAILS)),
};

onEach(['mariadb', 'sqljs', 'postgres'], (database) => {
  let session: ScopedSession;
  let dataSource: DataSource;

  beforeEach(async () => {
    const options = { entities: [Note], synchronize: true, dropSchema: true };
    dataSource = await new DataSource(database.options(options)).initialize();
    database.watch({ dataSource, close: () => dataSource.destroy() });
    session = scopedSession(sessionFactory(dataSource));
  });

  // What Node hears is among the invariants, which are checked after each test.
  describe.each(Object.entries(CALLS))('%s', (_name, call) => {
    it('that fails unseen turns the end into a rollback', async () => {
      const work = session.run(async () => {
        await session.manager.insert(Note, { text: 'not to be kept' });
        void call(session.current());
      });
      const error = await work.catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(UnfinishedWorkError);
      expect((error as UnfinishedWorkError).cause).toBeInstanceOf(QueryFailedError);
      expect(await dataSource.manager.count(Note)).toBe(0);
    });
  });
});
