/** fakeSession: a session without a database, for unit tests of services. */
import { InvalidOptionError, ScopedSession, SessionBase, StatementResult } from 'nestjs-scoped-session';
import { FAKE_EVENTS, fakeSession } from 'nestjs-scoped-session/testing';
import { MoreThan } from 'typeorm';
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

describe('the objects of a fake session', () => {
  class Account {
    readonly kind = 'account';
    constructor(
      public id: number | undefined,
      public owner: string,
      public cents = 0,
      public openedAt = new Date(0),
    ) {}
  }
  class Savings extends Account {}
  class Seat {
    constructor(
      readonly line: number,
      readonly place: number,
    ) {}
  }
  const ada = new Account(1, 'Ada', 5);
  const grace = new Savings(2, 'Grace', 7, new Date(9));
  const fake = (): SessionBase => fakeSession(undefined, { objects: [ada, grace] }).session;

  it('are found by their keys, and by their classes', async () => {
    const session = fake();
    expect(await session.get(Account, 1)).toBe(ada);
    expect(await session.get(Account, '2')).toBe(grace);
    expect(await session.get(Account, { id: 2 })).toBe(grace);
    expect(await session.get(Savings, 1)).toBeNull();
    expect(await session.get(Seat, 1)).toBeNull();
    expect(await session.getOrFail(Savings, 2)).toBe(grace);
    await expect(session.getOrFail(Account, 3)).rejects.toMatchObject({ code: 'SS_ERR_NO_RESULT_FOUND' });
  });

  it('have the keys that the test says', async () => {
    const seat = new Seat(1, 2);
    const key = (entity: object): unknown => [(entity as Seat).line, (entity as Seat).place];
    const { session } = fakeSession(undefined, { objects: [seat], key });
    expect(await session.get(Seat, [1, 2])).toBe(seat);
    expect(await session.get(Seat, { line: 1, place: 2 })).toBe(seat);
    expect(await session.get(Seat, [2, 1])).toBeNull();
  });

  it('are found by plain values, in the order and number that is asked for', async () => {
    const session = fake();
    expect(await session.find(Account)).toEqual([ada, grace]);
    expect(await session.find(Account, { order: { cents: 'DESC' }, take: 1 })).toEqual([grace]);
    expect(await session.find(Account, { order: { kind: 'ASC', cents: 'ASC' }, skip: 1 })).toEqual([grace]);
    expect(await session.findBy(Account, { owner: 'Ada', cents: 5 })).toEqual([ada]);
    expect(await session.findBy(Account, [{ owner: 'Ada' }, { cents: 7 }])).toEqual([ada, grace]);
    expect(await session.findOne(Account, { where: { openedAt: new Date(9) } })).toBe(grace);
    expect(await session.findOneBy(Account, { owner: 'Linus' })).toBeNull();
    expect(await session.count(Account, { where: { cents: 5 } })).toBe(1);
    expect(await session.exists(Account, { where: { cents: 6 } })).toBe(false);
  });

  it('are not found by what a database would have to answer', async () => {
    const session = fake();
    const refused = 'A fake session has no database';
    await expect(session.findBy(Account, { cents: MoreThan(5) })).rejects.toThrow(refused);
    await expect(session.findBy(Account, { owner: undefined as never })).rejects.toThrow(refused);
    await expect(session.find(Account, { withDeleted: true })).rejects.toThrow('withDeleted');
    await expect(session.get('account', 1)).rejects.toThrow(refused);
    await expect(session.bulkInsertMappings(Account, [{ owner: 'x' }])).rejects.toThrow(refused);
    for (const use of [
      () => session.query(Account),
      () => session.dirty,
      () => session.identityMap,
      () => session.inspect(ada),
      () => session.isModified(ada),
      () => session.makeTransient(ada),
      () => session.makeTransientToDetached(ada),
    ])
      expect(use).toThrow(InvalidOptionError);
  });

  it('are added and deleted by the next flush, and found as if it had been', async () => {
    const session = fake();
    const linus = new Account(undefined, 'Linus');
    session.addAll([linus, ada]);
    session.delete(grace);
    expect([[...session.new], [...session.deleted], [...session]]).toEqual([
      [linus],
      [grace],
      [ada, grace, linus],
    ]);
    expect(await session.find(Account)).toEqual([ada, linus]);
    await session.flush();
    expect([session.new.size, session.deleted.size, session.has(linus), session.has(grace)]).toEqual([
      0,
      0,
      true,
      false,
    ]);
    expect(linus.id).toBeUndefined();
    expect(() => session.delete(grace)).toThrow('not persisted');
  });

  it('are flushed by commit(), and forgotten by rollback() and close()', async () => {
    const session = fake();
    const [first, second, third] = ['a', 'b', 'c'].map((owner) => new Account(undefined, owner));
    session.add(first!);
    await session.commit();
    session.add(second!);
    session.delete(ada);
    await session.rollback();
    session.add(third!);
    await session.close();
    expect(await session.find(Account)).toEqual([ada, grace, first]);
  });

  it('are merged by their keys, refreshed and expunged', async () => {
    const session = fake();
    const known = new Account(8, 'Known', 1);
    session.add(known);
    const same = await session.merge(Object.assign(new Account(8, 'Changed'), { cents: undefined }));
    expect([same === known, known.owner, known.cents]).toEqual([true, 'Changed', 1]);
    const given = new Account(undefined, 'New');
    const copy = await session.merge(given);
    expect([copy === given, copy instanceof Account, session.has(copy), session.has(given)]).toEqual([
      false,
      true,
      true,
      false,
    ]);
    expect(await session.merge(copy)).toBe(copy);
    await session.refresh(known);
    session.expire(known);
    session.expireAll();
    session.expunge(known);
    expect(session.has(known)).toBe(false);
    expect(() => session.expunge(known)).toThrow('not present');
    expect(() => session.expire(known)).toThrow('not present');
    await expect(session.refresh(known)).rejects.toThrow('not present');
    await session.bulkSaveObjects([known]);
    expect(await session.get(Account, 8)).toBe(known);
    session.expungeAll();
    expect([...session]).toEqual([]);
    expect(() => session.add(1 as never)).toThrow(InvalidOptionError);
  });

  it('are those of the scoped session too, which keeps the switch of autoflush', async () => {
    const { scopedSession, session } = fakeSession(undefined, { objects: [ada] });
    expect(await scopedSession.get(Account, 1)).toBe(ada);
    scopedSession.autoflush = false;
    expect([session.autoflush, session.noAutoflush(() => 5)]).toEqual([false, 5]);
  });
});
