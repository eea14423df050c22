/** FLK-13 to FLK-15: the statements of a session, written down. */
import { inspect } from 'node:util';
import { type RecordedQuery, scopedSession, type SessionBase } from 'nestjs-scoped-session';
import { expect, it } from 'vitest';
import { ALL_KINDS, onEach } from '../support/databases.js';
import { Address, INSERT_USER, User } from '../support/users.js';
import { user, usersSession } from '../support/users-session.js';

const words = (queries: RecordedQuery[]): string[] =>
  queries.map(({ statement }) => /\w+/.exec(statement)![0]);

onEach(ALL_KINDS, (database) => {
  const test = usersSession(database, { factory: { recordQueries: true } });
  const recorded = (session: SessionBase = test.session) => session.getRecordedQueries();
  const HERE = /recorded-queries\.spec\.ts:\d+:\d+/;

  it('FLK-13: two statements are two entries, with all that is known of them', async () => {
    await test.session.execute(INSERT_USER, { name: 'three', nick: null });
    await test.session.scalar('SELECT COUNT(*) FROM users WHERE id > :least', { least: 1 });
    const [insert, select, ...others] = recorded();
    expect(others).toEqual([]);
    expect(insert!.statement).toMatch(/^INSERT INTO users/);
    expect([insert!.parameters, select!.parameters]).toEqual([['three', null], [1]]);
    for (const query of [insert!, select!]) {
      expect(query.durationMs).toBe(query.endTime - query.startTime);
      expect(query.durationMs).toBeGreaterThanOrEqual(0);
      expect(query.location).toMatch(HERE);
    }
    expect(select!.startTime).toBeGreaterThanOrEqual(insert!.endTime);
  });

  it('FLK-13: the next unit of work begins with none', async () => {
    const scoped = scopedSession(test.factory);
    const counts: number[] = [];
    for (let count = 0; count < 2; count += 1)
      await scoped.run(async () => {
        await scoped.scalar('SELECT 1');
        counts.push(scoped.getRecordedQueries().length);
      });
    expect(counts).toEqual([1, 1]);
    expect(recorded()).toEqual([]);
  });

  it('FLK-14: what fails, BEGIN and COMMIT are not recorded; a later transaction of the session is', async () => {
    await test.session.scalar('SELECT 1');
    await expect(test.session.execute('SELECT nothing FROM nowhere')).rejects.toThrow(/nowhere|nothing/);
    await test.session.rollback();
    await test.session.scalar('SELECT 2');
    await test.session.commit();
    expect(recorded().map(({ statement }) => statement)).toEqual(['SELECT 1', 'SELECT 2']);
  });

  it('FLK-15: off, nothing is recorded', async () => {
    const off = test.create({ recordQueries: false });
    await off.scalar('SELECT 1');
    expect(recorded(off)).toEqual([]);
    await off.close();
  });

  it('records what objects, repositories, builders and flushes send, and says where it was asked for', async () => {
    const { session } = test;
    const places: string[] = [];
    const asked = async (ask: () => Promise<unknown>): Promise<void> => {
      const before = recorded().length;
      await ask();
      places.push(
        ...recorded()
          .slice(before)
          .map(({ location }) => location),
      );
    };
    await asked(() => session.get(User, 1));
    await asked(() => session.find(User, { relations: { addresses: true } }));
    await asked(() => session.query(User).getMany());
    await asked(() => session.getRepository(Address).save({ email: 'a', user: { id: 1 } }));
    await asked(() => session.manager.query('SELECT 1'));
    await asked(() => session.paginate(User));
    session.add(user({ name: 'three' }));
    await asked(() => session.flush());
    await asked(async () => {
      for await (const _row of session.stream('SELECT 1 AS n')) continue;
    });
    expect(places.filter((place) => !HERE.test(place))).toEqual([]);
    expect(words(recorded()).filter((word) => word === 'INSERT')).toHaveLength(2);
    await session.rollback();
  });

  it('a stream is one entry, with its own statement, when it was read', async () => {
    const rows = test.session.stream('SELECT name FROM users WHERE id > :least', { least: 0 });
    await rows.next();
    expect(recorded()).toEqual([]);
    for await (const _row of rows) continue;
    expect(recorded()).toMatchObject([{ statement: expect.stringMatching(/^SELECT name/) as string }]);
    await expect(test.session.stream('SELECT nothing FROM nowhere').next()).rejects.toThrow(
      /nowhere|nothing/,
    );
    await test.session.rollback();
    expect(recorded()).toHaveLength(1);
  });

  it('values are there for whoever asks, and in no log, JSON or inspection', async () => {
    await test.session.execute(INSERT_USER, { name: 'a secret', nick: null });
    const [query] = recorded();
    expect(query!.parameters).toEqual(['a secret', null]);
    expect(JSON.stringify(query) + inspect(query, { depth: 9 }) + inspect(test.session)).not.toContain(
      'secret',
    );
    await test.session.rollback();
  });

  it('keeps the last ones where there are many, and gives copies', async () => {
    const session = test.create({ recordQueries: 3 });
    for (let n = 1; n <= 8; n += 1) await session.scalar(`SELECT ${n}`);
    expect(recorded(session).map(({ statement }) => statement)).toEqual(['SELECT 6', 'SELECT 7', 'SELECT 8']);
    recorded(session).pop();
    expect(recorded(session)).toHaveLength(3);
    await session.close();
    expect(recorded(session)).toHaveLength(3);
    for (const recordQueries of [0, 1.5, 'yes'])
      expect(() => test.create({ recordQueries } as never)).toThrow(/recordQueries/);
  });
});
