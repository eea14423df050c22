/** STA, IDM, TRX: the basic life of an object, from add() to commit and rollback. */
import { type SessionBase } from 'nestjs-scoped-session';
import { beforeEach, expect, it } from 'vitest';
import { ALL_KINDS, onEach } from '../support/databases.js';
import { Address, User, type Users, users } from '../support/users.js';

onEach(ALL_KINDS, (database) => {
  let test: Users;
  let session: SessionBase;
  const state = (entity: object): string => session.inspect(entity).state;
  const user = (values: Partial<User>): User => Object.assign(new User(), values);

  beforeEach(async () => {
    test = await users(database);
    session = test.factory.create();
  });

  it('LIF-02, LIF-03, LIF-04, LIF-05: add, flush, flush, commit', async () => {
    const three = user({ name: 'three' });
    session.add(three);
    expect([session.inTransaction(), test.out, state(three)]).toEqual([true, 0, 'pending']);
    await session.flush();
    expect(test.recorder.transactionControl).toEqual(['BEGIN']);
    expect(test.recorder.rowStatements).toHaveLength(1);
    expect([test.out, three.id, state(three)]).toEqual([1, 3, 'persistent']);
    test.recorder.take();
    await session.flush();
    expect(test.recorder.take()).toEqual([]);
    await session.commit();
    expect(test.recorder.transactionControl).toEqual(['COMMIT']);
    expect([test.out, session.inTransaction()]).toEqual([0, false]);
    expect(await test.names()).toEqual(['one', 'two', 'three']);
  });

  it('a change is stored by commit(), and taken back by rollback()', async () => {
    const one = await session.getOrFail(User, 1);
    one.name = 'uno';
    expect([...session.dirty]).toEqual([one]);
    await session.commit();
    expect(await test.names()).toEqual(['uno', 'two']);
    one.name = 'eins';
    expect(session.inTransaction()).toBe(true);
    await session.flush();
    await session.rollback();
    expect(() => one.name).toThrow(/session.refresh/);
    await session.refresh(one);
    expect(one.name).toBe('uno');
    await session.close();
    expect(state(one)).toBe('detached');
    expect(await test.names()).toEqual(['uno', 'two']);
  });

  it('TRX-12: a savepoint takes back what was done inside it', async () => {
    const [u1, u2] = await session.find(User, { order: { id: 'ASC' } });
    const u3 = user({ name: 'three' });
    await expect(
      session.beginNested(async () => {
        u2!.name = 'changed';
        session.add(u3);
        await session.flush();
        throw new Error('no');
      }),
    ).rejects.toThrow('no');
    expect(u1!.name).toBe('one');
    expect(() => u2!.name).toThrow(/refresh/);
    expect([state(u3), u3.name]).toEqual(['transient', 'three']);
    await session.refresh(u2!);
    expect(u2!.name).toBe('two');
    await session.close();
  });

  it('TRX-01, TRX-04: a failed flush is rolled back at once', async () => {
    session.add(user({ name: 'again', nick: 'x' }));
    await expect(session.flush()).rejects.toThrow(/duplicate|unique/i);
    expect(test.recorder.transactionControl).toEqual(['BEGIN', 'ROLLBACK']);
    expect([session.isActive, session.inTransaction(), test.out]).toEqual([false, true, 0]);
    await expect(session.find(User)).rejects.toMatchObject({ code: 'SS_ERR_PENDING_ROLLBACK' });
    test.recorder.take();
    await session.rollback();
    expect(test.recorder.take()).toEqual([]);
    expect(await session.count(User)).toBe(2);
    await session.close();
  });

  it('a graph is merged', async () => {
    const plain = user({
      id: 1,
      name: 'merged',
      addresses: [Object.assign(new Address(), { email: 'a@b' })],
    });
    const merged = await session.merge(plain);
    expect([merged === plain, merged.name, state(plain)]).toEqual([false, 'merged', 'transient']);
    await session.commit();
    expect(merged.addresses[0]!.id).toBe(1);
    expect(await test.names()).toEqual(['merged', 'two']);
    await session.close();
  });

  it('autoflush comes before what may read it, and not before the rest', async () => {
    session.add(user({ name: 'three' }));
    expect(await session.count(Address)).toBe(0);
    expect(session.new.size).toBe(1);
    expect(await session.query(User, 'u').where("u.name = 'three'").getCount()).toBe(1);
    expect(await session.manager.count(User)).toBe(3);
    await session.close();
  });
});
