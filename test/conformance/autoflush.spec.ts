/** EXE: what is stored before a query asks, before a COMMIT, and not at all where nobody wants it yet. */
import type { SessionBase } from 'nestjs-scoped-session';
import { describe, expect, it } from 'vitest';
import { ALL_KINDS, onEach } from '../support/databases.js';
import { Address, User } from '../support/users.js';
import { user, usersSession } from '../support/users-session.js';

/** Each asks how many users there are. */
const QUESTIONS: readonly (readonly [string, (session: SessionBase) => Promise<unknown>])[] = [
  ['find', async (session) => (await session.find(User)).length],
  ['findBy', async (session) => (await session.findBy(User, {})).length],
  ['findOne', async (session) => (await session.findOne(User, { where: {}, order: { id: 'DESC' } }))?.id],
  ['findOneBy', async (session) => (await session.findOneBy(User, { name: 'three' }))?.id],
  ['count', (session) => session.count(User)],
  ['exists', async (session) => ((await session.exists(User, { where: { name: 'three' } })) ? 3 : 2)],
  ['query(User)', (session) => session.query(User).getCount()],
  ['execute', async (session) => (await session.execute('SELECT id FROM users')).rows.length],
  ['scalar', async (session) => Number(await session.scalar('SELECT COUNT(*) FROM users'))],
  ['query(sql)', async (session) => (await session.query<unknown[]>('SELECT id FROM users')).length],
  ['manager', (session) => session.manager.count(User)],
  ['a repository', (session) => session.getRepository(User).count()],
  ['a relation', async (session) => (await session.find(User, { relations: { addresses: true } })).length],
];

onEach(ALL_KINDS, (database) => {
  const test = usersSession(database);

  it.each(QUESTIONS)('EXE-13: what is pending is stored before %s asks', async (_name, ask) => {
    const { session } = test;
    const three = user({ name: 'three' });
    session.add(three);
    expect(await ask(session)).toBe(3);
    expect([test.sent()[0], test.state(three)]).toEqual(['INSERT users', 'persistent']);
    await session.rollback();
  });

  it.each(QUESTIONS.filter(([name]) => name !== 'findOne' && name !== 'findOneBy'))(
    'EXE-15: without autoflush %s asks for what is stored; commit() stores all the same',
    async (_name, ask) => {
      const session = test.create({ autoflush: false });
      session.add(user({ name: 'three' }));
      expect(await ask(session)).toBe(2);
      expect(test.sent()).not.toContain('INSERT users');
      await session.commit();
      expect(test.sent()).toContain('INSERT users');
      expect(await test.names()).toEqual(['one', 'two', 'three']);
    },
  );

  it('what has no net change is not sent before a query', async () => {
    const { session } = test;
    const one = await session.getOrFail(User, 1);
    one.name = 'uno';
    one.name = 'one';
    test.take();
    await session.count(User);
    expect(test.sent()).toEqual(['SELECT users']);
    await session.rollback();
  });

  it('a raw statement that may write comes after what is pending', async () => {
    const { session } = test;
    session.add(user({ name: 'three' }));
    await session.execute("UPDATE users SET name = 'all'");
    expect(test.recorder.rowStatements.map((sql) => sql.slice(0, 6))).toEqual(['INSERT', 'UPDATE']);
    await session.commit();
    expect(await test.names()).toEqual(['all', 'all', 'all']);
  });

  it('an autoflush that fails is the query’s error, and makes the session inactive', async () => {
    const { session } = test;
    session.add(user({ name: 'again', nick: 'x' }));
    await expect(session.find(User)).rejects.toMatchObject({ name: 'QueryFailedError' });
    expect([session.isActive, test.recorder.transactionControl]).toEqual([false, ['BEGIN', 'ROLLBACK']]);
    await expect(session.find(Address)).rejects.toMatchObject({ code: 'SS_ERR_PENDING_ROLLBACK' });
    await session.rollback();
    expect(await session.count(User)).toBe(2);
    await session.rollback();
  });

  describe('noAutoflush(fn)', () => {
    it('keeps the calls inside from flushing, and a call outside of it, at the same time, flushes', async () => {
      const { session } = test;
      session.add(user({ name: 'three' }));
      let inside = 0;
      await session.noAutoflush(async () => {
        expect(await session.count(User)).toBe(2);
        inside = await Promise.resolve().then(() => session.count(User));
      });
      expect([inside, session.new.size]).toEqual([2, 1]);
      const [without, with_] = await Promise.all([
        session.noAutoflush(() => session.count(User)),
        session.count(User),
      ]);
      expect([without, with_, session.new.size]).toEqual([2, 3, 0]);
      await session.rollback();
    });

    it('returns what fn returns and throws what it throws; the session flushes again after it', async () => {
      const { session } = test;
      session.add(user({ name: 'three' }));
      expect(session.noAutoflush(() => 42)).toBe(42);
      expect(() =>
        session.noAutoflush(() => {
          throw new Error('of the block');
        }),
      ).toThrow('of the block');
      expect(session.autoflush).toBe(true);
      expect(await session.count(User)).toBe(3);
      await session.rollback();
    });

    it('does not keep flush() and commit() from storing', async () => {
      const { session } = test;
      const stored = await session.noAutoflush(async () => {
        session.add(user({ name: 'three' }));
        await session.flush();
        const count = await session.count(User);
        session.add(user({ name: 'four' }));
        await session.commit();
        return count;
      });
      expect(stored).toBe(3);
      expect(await test.names()).toEqual(['one', 'two', 'three', 'four']);
    });
  });

  it('autoflush can be switched on a session', async () => {
    const { session } = test;
    session.autoflush = false;
    session.add(user({ name: 'three' }));
    expect(await session.count(User)).toBe(2);
    session.autoflush = true;
    expect(await session.count(User)).toBe(3);
    await session.rollback();
  });
});
