/** EXE: statements, their parameters and their results. */
import {
  MultipleResultsFoundError,
  NoResultFoundError,
  type SessionBase,
  sessionFactory,
  UnboundSessionError,
} from 'nestjs-scoped-session';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ALL_KINDS, isSqlite, onEach } from '../support/databases.js';
import { INSERT_USER, type Users, users } from '../support/users.js';

onEach(ALL_KINDS, (database) => {
  let test: Users;
  let session: SessionBase;

  beforeEach(async () => {
    test = await users(database);
    session = test.factory.create();
  });
  afterEach(() => session.close());

  it('EXE-05: a parameter may stand twice', async () => {
    const { rows } = await session.execute('SELECT :a + 0 AS a, :a + 0 AS b', { a: 3 });
    expect(rows.map((row) => Object.values(row).map(Number))).toEqual([[3, 3]]);
  });

  describe('EXE-07: a colon that is no parameter', () => {
    it('in quotes stays as it is (SQLAlchemy binds there)', async () => {
      expect(await session.scalar("SELECT ':x' AS a", { x: 1 })).toBe(':x');
      expect(await session.scalar("SELECT 'it''s :x' AS a", { x: 1 })).toBe("it's :x");
    });

    it('in a comment stays as it is', async () => {
      const sql = 'SELECT /* :x, why? */ :a + 0 AS a -- and :y? "\n';
      expect(Number(await session.scalar(sql, { a: 7 }))).toBe(7);
    });

    it.runIf(database.kind === 'mariadb')(
      'after a backslash is a colon: an assignment of MySQL',
      async () => {
        expect(Number(await session.scalar('SELECT @counter \\:= :a + 0 AS a', { a: 5 }))).toBe(5);
        expect(Number(await session.scalar('SELECT @counter := :a + 0 AS a', { a: 6 }))).toBe(6);
      },
    );

    it.runIf(database.kind === 'postgres')(
      'after a backslash is a colon: a slice of PostgreSQL',
      async () => {
        expect(await session.scalar("SELECT ('{1,2,3}'::int[])[\\:2] AS a", { a: 1 })).toEqual([1, 2]);
        expect(await session.scalar("SELECT '5'\\:\\:int + :a::int AS a", { a: 1 })).toBe(6);
      },
    );

    it.runIf(database.kind === 'mariadb')(
      'a question mark in quotes or a comment takes no value',
      async () => {
        const sql =
          'SELECT "why?" AS a, `nick` AS `who?`, :a + 0 AS b /* ? */ FROM users WHERE id = :id # what?\n';
        const { rows } = await session.execute(sql, { a: 1, id: 2 });
        expect(rows).toMatchObject([{ a: 'why?', 'who?': 'y' }]);
        expect(Number(rows[0]?.['b'])).toBe(1);
      },
    );
  });

  it('EXE-09: an INSERT tells the new key and one row (deviation: PostgreSQL tells no key; use RETURNING)', async () => {
    const result = await session.execute(INSERT_USER, { name: 'three', nick: null });
    expect(result.affectedRows).toBe(1);
    expect(result.insertId).toBe(database.kind === 'postgres' ? undefined : 3);
  });

  it('EXE-09: an INSERT with RETURNING brings the row', async () => {
    const result = await session.execute(`${INSERT_USER} RETURNING id, name`, { name: 'three', nick: null });
    expect(result.rows).toEqual([{ id: 3, name: 'three' }]);
    expect(result.affectedRows).toBe(1);
    expect(result.insertId).toBe(isSqlite(database.kind) ? 3 : undefined);
  });

  it('EXE-09: a list of parameter objects inserts a row for each, and tells the last key', async () => {
    const result = await session.execute(INSERT_USER, [
      { name: 'three', nick: null },
      { name: 'four', nick: 'f' },
    ]);
    expect(result.affectedRows).toBe(2);
    expect(result.insertId).toBe(database.kind === 'postgres' ? undefined : 4);
    expect(await session.scalars('SELECT name FROM users ORDER BY id')).toEqual([
      'one',
      'two',
      'three',
      'four',
    ]);
  });

  it('EXE-09: an UPDATE and a DELETE tell how many rows they matched', async () => {
    expect((await session.execute('UPDATE users SET name = :name', { name: 'same' })).affectedRows).toBe(2);
    expect((await session.execute('UPDATE users SET name = :name', { name: 'same' })).affectedRows).toBe(2);
    expect((await session.execute('DELETE FROM users WHERE id = :id', { id: 2 })).affectedRows).toBe(1);
    expect((await session.execute('SELECT * FROM users')).affectedRows).toBe(0);
  });

  it('EXE-11: scalar() of no row is null; one() wants exactly one row', async () => {
    const none = 'SELECT id FROM users WHERE id = 9999';
    expect(await session.scalar(none)).toBeNull();
    expect(await session.scalars(none)).toEqual([]);
    const empty = await session.execute(none);
    expect(() => empty.scalarOne()).toThrow(NoResultFoundError);
    expect(() => empty.one()).toThrow('No row was found when one was required');
    const both = await session.execute('SELECT id FROM users ORDER BY id');
    expect(() => both.scalarOne()).toThrow(MultipleResultsFoundError);
    expect(() => both.one()).toThrow('Multiple rows were found when exactly one was required');
    expect(both.scalar()).toBe(1);
    expect(both.scalars()).toEqual([1, 2]);
  });

  it('EXE-11: a list may be empty', async () => {
    const count = (condition: string, ids: number[]): Promise<number> =>
      session.scalar(`SELECT COUNT(*) FROM users WHERE id ${condition} (:ids)`, { ids }).then(Number);
    expect(await count('IN', [])).toBe(0);
    expect(await count('NOT IN', [])).toBe(2);
    expect(await count('IN', [1, 2, 3])).toBe(2);
    expect(await count('NOT IN', [1])).toBe(1);
  });
});

describe('EXE-17: a session without a DataSource', () => {
  const session = sessionFactory().create();

  it('refuses getBind() and every statement, and names the cure', async () => {
    expect(() => session.getBind()).toThrow(UnboundSessionError);
    for (const refused of [
      session.execute('SELECT 1'),
      session.query('SELECT 1'),
      session.scalar('SELECT 1'),
      session.scalars('SELECT 1'),
      session.connection(),
      session.begin(),
      session.beginNested(),
      session.beginNested(async () => undefined),
      session.commit(),
      session.rollback(),
    ])
      await expect(refused).rejects.toThrow(
        'This session is not bound to a DataSource. Pass one to sessionFactory(dataSource) or configure({ dataSource }).',
      );
    expect(() => session.manager).toThrow(UnboundSessionError);
    expect(() => session.dataSource).toThrow(UnboundSessionError);
  });

  it('stays active and can be closed', async () => {
    expect(session.isActive).toBe(true);
    expect(session.inTransaction()).toBe(false);
    await session.close();
    await session.reset();
  });
});
