/** LIF: when a session begins, ends, takes its connection and gives it back. */
import { AutobeginDisabledError, type SessionBase } from 'nestjs-scoped-session';
import { beforeEach, describe, expect, it } from 'vitest';
import { ALL_KINDS, onEach } from '../support/databases.js';
import { INSERT_USER, User, type Users, users } from '../support/users.js';

const THREE = { name: 'three', nick: null };

onEach(ALL_KINDS, (database) => {
  let test: Users;
  let session: SessionBase;

  beforeEach(async () => {
    test = await users(database);
    session = test.factory.create();
  });

  it('LIF-07: building a query begins nothing', () => {
    session.manager.createQueryBuilder(User, 'user').where('user.id = :id', { id: 1 }).getSql();
    session.getRepository(User).create({ name: 'three' });
    expect(session.inTransaction()).toBe(false);
    expect(test.out).toBe(0);
    expect(test.recorder.take()).toEqual([]);
  });

  it('LIF-08: connection() begins, and takes a connection', async () => {
    expect(await session.connection()).toBe(await session.connection());
    expect(session.inTransaction()).toBe(true);
    expect(test.out).toBe(1);
    expect(test.recorder.transactionControl).toEqual(['BEGIN']);
    await session.close();
  });

  it('LIF-09: is in a transaction from the first statement to the commit, again and again', async () => {
    const seen = [];
    await session.execute('SELECT 1');
    seen.push(session.inTransaction());
    await session.commit();
    seen.push(session.inTransaction());
    await session.execute('SELECT 1');
    seen.push(session.inTransaction());
    await session.close();
    seen.push(session.inTransaction());
    expect(seen).toEqual([true, false, true, false]);
    expect(test.recorder.transactionControl).toEqual(['BEGIN', 'COMMIT', 'BEGIN', 'ROLLBACK']);
  });

  it('LIF-14: commit() of a transaction that only read commits', async () => {
    await session.scalar('SELECT COUNT(*) FROM users');
    await session.commit();
    expect(test.recorder.transactionControl).toEqual(['BEGIN', 'COMMIT']);
    expect(test.out).toBe(0);
  });

  it('LIF-15: close() after one SELECT rolls back and gives the connection back', async () => {
    await session.scalar('SELECT COUNT(*) FROM users');
    await session.close();
    expect(test.recorder.transactionControl).toEqual(['BEGIN', 'ROLLBACK']);
    expect(test.out).toBe(0);
  });

  it('LIF-18: begin() by name changes nothing of what commit() does', async () => {
    await session.begin();
    expect(session.inTransaction()).toBe(true);
    expect(test.out).toBe(0);
    await session.execute(INSERT_USER, THREE);
    await session.commit();
    expect(test.recorder.transactionControl).toEqual(['BEGIN', 'COMMIT']);
    expect(session.inTransaction()).toBe(false);
    expect(await test.names()).toEqual(['one', 'two', 'three']);
  });

  it('LIF-18: begin() and commit() without a statement between them send nothing', async () => {
    await session.begin();
    await session.commit();
    expect(session.inTransaction()).toBe(false);
    expect(test.recorder.take()).toEqual([]);
  });

  it.each([
    ['LIF-19', 'close'],
    ['LIF-21', 'reset'],
  ] as const)('%s: after %s() the session can be used again', async (_id, end) => {
    await session.execute(INSERT_USER, THREE);
    await session[end]();
    expect(test.out).toBe(0);
    await session.execute(INSERT_USER, { name: 'four', nick: null });
    await session.commit();
    expect(await test.names()).toEqual(['one', 'two', 'four']);
  });

  describe('LIF-22: with autobegin off', () => {
    const ways: Readonly<Record<string, () => Promise<unknown>>> = {
      execute: () => session.execute('SELECT 1'),
      query: () => session.query('SELECT 1'),
      scalar: () => session.scalar('SELECT 1'),
      connection: () => session.connection(),
      'the manager': () => session.manager.find(User),
      'a repository': () => session.getRepository(User).insert(THREE),
      'the query builder': () => session.manager.createQueryBuilder(User, 'user').getMany(),
      'beginNested (deviation: it would begin there)': () => session.beginNested(),
    };

    beforeEach(() => {
      session = test.factory.create({ autobegin: false });
    });

    it.each(Object.entries(ways))('%s is refused before begin()', async (_name, use) => {
      await expect(use()).rejects.toThrow(AutobeginDisabledError);
      await expect(use()).rejects.toThrow(
        'Autobegin is disabled on this session; please call session.begin() to start a new transaction',
      );
      expect(session.inTransaction()).toBe(false);
      expect(test.out).toBe(0);
      expect(test.recorder.take()).toEqual([]);
    });

    it.each(['commit', 'rollback', 'close'] as const)(
      'a statement is refused again after %s()',
      async (end) => {
        await session.begin();
        await session.execute('SELECT 1');
        await session[end]();
        await expect(session.execute('SELECT 1')).rejects.toThrow(AutobeginDisabledError);
        await session.begin();
        await session.execute('SELECT 1');
        await session.close();
      },
    );

    it('commit() without a transaction does nothing (deviation: it is refused there)', async () => {
      await session.commit();
      expect(test.recorder.take()).toEqual([]);
    });
  });
});
