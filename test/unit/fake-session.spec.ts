/** fakeSession: a session without a database, for unit tests of services. */
import { InvalidOptionError, ScopedSession, SessionBase, StatementResult } from 'nestjs-scoped-session';
import { FAKE_EVENTS, fakeSession } from 'nestjs-scoped-session/testing';
import { describe, expect, it } from 'vitest';

describe('a fake session', () => {
  it('is a session, and its scoped session a scoped session', () => {
    const { session, scopedSession } = fakeSession();
    expect(session).toBeInstanceOf(SessionBase);
    expect(scopedSession).toBeInstanceOf(ScopedSession);
    expect(scopedSession.current()).toBe(session);
  });

  it('writes down what is executed and queried, in order', async () => {
    const { session, statements } = fakeSession();
    await session.execute('DELETE FROM a WHERE id = :id', { id: 1 });
    await session.execute('INSERT INTO a VALUES (:id)', [{ id: 1 }, { id: 2 }]);
    await session.query('SELECT ?', [3]);
    await session.scalar('SELECT 1');
    await session.scalars('SELECT :a', { a: 4 });
    expect(statements).toEqual([
      { sql: 'DELETE FROM a WHERE id = :id', parameters: { id: 1 } },
      { sql: 'INSERT INTO a VALUES (:id)', parameters: [{ id: 1 }, { id: 2 }] },
      { sql: 'SELECT ?', parameters: [3] },
      { sql: 'SELECT 1', parameters: {} },
      { sql: 'SELECT :a', parameters: { a: 4 } },
    ]);
  });

  it('answers no rows unless it is told otherwise', async () => {
    const { session } = fakeSession();
    const result = await session.execute('SELECT 1');
    expect(result).toBeInstanceOf(StatementResult);
    expect([result.rows, result.affectedRows, result.insertId]).toEqual([[], 0, undefined]);
    expect(await session.scalar('SELECT 1')).toBeNull();
    expect(await session.query('SELECT 1')).toEqual([]);
  });

  it('answers rows, and what a write changed, as it is told for each statement', async () => {
    const { session } = fakeSession(({ sql, parameters }) => {
      if (sql.startsWith('SELECT')) return [{ cents: (parameters as { id: number }).id * 100 }, { cents: 1 }];
      if (sql.startsWith('INSERT')) return { affectedRows: 2, insertId: 9, rows: [{ id: 9 }] };
      return undefined;
    });
    expect(await session.scalar('SELECT cents', { id: 5 })).toBe(500);
    expect(await session.scalars('SELECT cents', { id: 5 })).toEqual([500, 1]);
    expect(await session.execute('INSERT')).toMatchObject({
      affectedRows: 2,
      insertId: 9,
      rows: [{ id: 9 }],
    });
    expect(await session.execute('UPDATE')).toMatchObject({ affectedRows: 0, rows: [] });
  });

  it('fails as it is told', async () => {
    const failure = new Error('duplicate');
    const { session } = fakeSession(() => {
      throw failure;
    });
    await expect(session.execute('INSERT')).rejects.toBe(failure);
    await expect(session.query('INSERT')).rejects.toBe(failure);
    await expect(session.scalar('INSERT')).rejects.toBe(failure);
  });

  it('begins with its first statement or by name, and ends with commit or rollback', async () => {
    const { session, events } = fakeSession();
    expect(session.inTransaction()).toBe(false);
    expect(session.isActive).toBe(true);
    await session.execute('SELECT 1');
    expect(session.inTransaction()).toBe(true);
    await session.commit();
    expect(session.inTransaction()).toBe(false);
    await session.begin();
    expect(session.inTransaction()).toBe(true);
    await session.rollback();
    expect(session.inTransaction()).toBe(false);
    expect(events).toEqual(['commit', 'begin', 'rollback']);
  });

  it.each(['close', 'reset', 'invalidate'] as const)(
    'rolls back at %s what is open, and nothing else',
    async (end) => {
      const { session, events } = fakeSession();
      await session[end]();
      expect(events).toEqual([]);
      await session.execute('SELECT 1');
      await session[end]();
      expect(events).toEqual(['rollback']);
    },
  );

  it('rolls back at the end of its block', async () => {
    const { session, events } = fakeSession();
    {
      await using used = session;
      await used.execute('SELECT 1');
    }
    expect(events).toEqual(['rollback']);
  });

  it('runs beginNested(fn) as it is, and knows no handle', async () => {
    const { session, events } = fakeSession();
    expect(await session.beginNested(async () => 5)).toBe(5);
    expect(events).toEqual(['beginNested']);
    await expect(session.beginNested()).rejects.toBeInstanceOf(InvalidOptionError);
    await expect(session.beginNested(() => Promise.reject(new RangeError('inside')))).rejects.toThrow(
      RangeError,
    );
  });

  it('keeps notes', () => {
    const { session } = fakeSession();
    session.info['user'] = 7;
    expect(session.info).toEqual({ user: 7 });
    expect(() => session.setRollbackOnly()).not.toThrow();
  });

  it('has no other events than the listed ones', () => {
    expect(FAKE_EVENTS).toEqual(['begin', 'commit', 'rollback', 'beginNested']);
  });
});

describe('a fake scoped session', () => {
  it('passes everything on to the fake session, without a scope', async () => {
    const { scopedSession, statements, session } = fakeSession(() => [{ n: 1 }]);
    expect(await scopedSession.scalar('SELECT 1')).toBe(1);
    scopedSession.info['note'] = 'x';
    expect(session.info).toEqual({ note: 'x' });
    expect(scopedSession.inTransaction()).toBe(true);
    await scopedSession.remove();
    expect(scopedSession.inTransaction()).toBe(false);
    expect(statements).toHaveLength(1);
  });

  it.each(['run', 'independently'] as const)(
    'commits at the end of %s, and rolls back when it throws',
    async (method) => {
      const { scopedSession, events, session } = fakeSession();
      expect(await scopedSession[method](async (given) => given === session)).toBe(true);
      expect(events).toEqual(['commit']);
      const failure = new Error('of the work');
      await expect(scopedSession[method](() => Promise.reject(failure))).rejects.toBe(failure);
      expect(events).toEqual(['commit', 'rollback']);
    },
  );
});
