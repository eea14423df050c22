/** IDM: one object per row in one session, whichever way the row comes. */
import { NoResultFoundError, ObjectStateError, type SessionBase } from 'nestjs-scoped-session';
import { QueryFailedError } from 'typeorm';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ALL_KINDS, onEach } from '../support/databases.js';
import { newUser, sent } from '../support/session-objects.js';
import { User, type Users, users } from '../support/users.js';

onEach(ALL_KINDS, (database) => {
  let test: Users;
  let session: SessionBase;
  const state = (entity: object): string => session.inspect(entity).state;
  const changeRow = async (sql: string): Promise<void> => {
    await session.execute(sql);
    test.recorder.take();
  };

  beforeEach(async () => {
    test = await users(database);
    session = test.factory.create();
  });

  afterEach(() => session.close());

  it('IDM-01: get twice is one object and one SELECT', async () => {
    const one = await session.get(User, 1);
    expect(one).toMatchObject({ id: 1, name: 'one', nick: 'x' });
    expect(await session.get(User, 1)).toBe(one);
    expect(sent(test)).toEqual(['SELECT users']);
  });

  it('IDM-02: what was not found is asked for again', async () => {
    expect([await session.get(User, 9999), await session.get(User, 9999)]).toEqual([null, null]);
    expect(sent(test)).toEqual(['SELECT users', 'SELECT users']);
  });

  it('IDM-03: a key and its text name the same row', async () => {
    const one = await session.get(User, 1);
    sent(test);
    expect(await session.get(User, '1')).toBe(one);
    expect(await session.get(User, 1n)).toBe(one);
    expect(sent(test)).toEqual([]);
  });

  it('IDM-04, IDM-05: a query gives the object that is there, as it is; populateExisting overwrites it', async () => {
    const one = await session.getOrFail(User, 1);
    await changeRow("UPDATE users SET name = 'newer' WHERE id = 1");
    expect(await session.findOneBy(User, { id: 1 })).toBe(one);
    expect([one.name, sent(test)]).toEqual(['one', ['SELECT users']]);
    expect(await session.query(User, 'u').populateExisting().where('u.id = 1').getOne()).toBe(one);
    expect([one.name, sent(test)]).toEqual(['newer', ['SELECT users']]);
  });

  it('IDM-06: without autoflush a change survives a query, and populateExisting loses it', async () => {
    session.autoflush = false;
    const one = await session.getOrFail(User, 1);
    one.name = 'p';
    await session.find(User);
    expect([one.name, session.dirty.has(one)]).toEqual(['p', true]);
    await session.query(User, 'u').populateExisting().getMany();
    expect([one.name, session.dirty.has(one)]).toEqual(['one', false]);
    expect(sent(test)).toEqual(['SELECT users', 'SELECT users', 'SELECT users']);
  });

  it('IDM-08: queries whose rows overlap give one object per row', async () => {
    const all = await session.find(User, { order: { id: 'ASC' } });
    const again = await session.query(User, 'u').orderBy('u.id', 'DESC').getMany();
    expect(again.toReversed().every((user, place) => user === all[place])).toBe(true);
    expect([session.identityMap.size, again.length]).toEqual([2, 2]);
  });

  it('IDM-09, IDM-30: each session has its own object, and refuses that of another', async () => {
    const one = await session.getOrFail(User, 1);
    await session.commit();
    const other = test.factory.create();
    expect(await other.get(User, 1)).not.toBe(one);
    other.expungeAll();
    for (const use of [() => other.add(one), () => other.delete(one)]) {
      expect(use).toThrow(ObjectStateError);
      expect(use).toThrow('This object of class User is already attached to another session.');
    }
    expect([...other]).toEqual([]);
    await other.close();
  });

  it('IDM-10: getOrFail of a row that is not there', async () => {
    const missing = session.getOrFail(User, 9999);
    await expect(missing).rejects.toThrow(NoResultFoundError);
    await expect(missing).rejects.toThrow('No User was found when one was required.');
  });

  it('IDM-14: get of what is about to be stored stores it, and gives the object itself', async () => {
    const fifty = newUser({ id: 50, name: 'fifty' });
    session.add(fifty);
    expect(await session.get(User, 50)).toBe(fifty);
    expect(state(fifty)).toBe('persistent');
    // SQLAlchemy asks once more for what it has just stored.
    expect(sent(test)).toEqual(['INSERT users']);
  });

  it('IDM-16, IDM-17: what is marked deleted is there for get, and gone for a query', async () => {
    const one = await session.getOrFail(User, 1);
    session.delete(one);
    sent(test);
    expect([(await session.get(User, 1)) === one, sent(test)]).toEqual([true, []]);
    expect(await session.findOneBy(User, { id: 1 })).toBeNull();
    expect(sent(test)).toEqual(['DELETE users', 'SELECT users']);
  });

  it('IDM-18: get of what is expired refreshes it, once', async () => {
    const one = await session.getOrFail(User, 1);
    session.expire(one);
    await changeRow("UPDATE users SET name = 'newer' WHERE id = 1");
    expect(await session.get(User, 1)).toBe(one);
    expect([one.name, sent(test)]).toEqual(['newer', ['SELECT users']]);
    expect(await session.get(User, 1)).toBe(one);
    expect(sent(test)).toEqual([]);
  });

  it('IDM-20: get of what is loaded does not see that its row is gone', async () => {
    const one = await session.getOrFail(User, 1);
    await changeRow('DELETE FROM users WHERE id = 1');
    expect(await session.get(User, 1)).toBe(one);
    expect(sent(test)).toEqual([]);
  });

  it('G1-2: get of what is expired and gone is null, and the object is not in the session any more', async () => {
    const one = await session.getOrFail(User, 1);
    session.expire(one);
    await changeRow('DELETE FROM users WHERE id = 1');
    expect(await session.get(User, 1)).toBeNull();
    expect([session.has(one), state(one), sent(test)]).toEqual([false, 'detached', ['SELECT users']]);
  });

  it('IDM-21: populateExisting asks though the object is there', async () => {
    const one = await session.getOrFail(User, 1);
    await changeRow("UPDATE users SET name = 'newer' WHERE id = 1");
    expect(await session.get(User, 1, { populateExisting: true })).toBe(one);
    expect([one.name, sent(test)]).toEqual(['newer', ['SELECT users']]);
  });

  it('IDM-22: the identity map is empty after close (deviation: it is strong until then)', async () => {
    const { identityMap } = session;
    await session.find(User);
    expect(identityMap.size).toBe(2);
    await session.close();
    expect([identityMap.size, session.identityMap.size]).toEqual([0, 0]);
  });

  it('IDM-24: what was added and is held by nobody else is stored', async () => {
    session.addAll(Array.from({ length: 3 }, (_, place) => newUser({ name: `n${place}` })));
    await session.commit();
    expect(await test.names()).toEqual(['one', 'two', 'n0', 'n1', 'n2']);
  });

  it('IDM-26: a new object with the key of one that is there fails as the database says', async () => {
    const keep = await session.getOrFail(User, 1);
    session.add(newUser({ id: 1, name: 'again' }));
    await expect(session.flush()).rejects.toThrow(QueryFailedError);
    await session.rollback();
    expect(await session.get(User, 1)).toBe(keep);
    expect(keep.name).toBe('one');
  });

  describe('IDM-27: a primary key that changes', () => {
    it('is an UPDATE by the old one, and the map knows the new one', async () => {
      const two = await session.getOrFail(User, 2);
      sent(test);
      two.id = 200;
      await session.flush();
      expect(test.recorder.rowStatements).toEqual([
        expect.stringMatching(/^UPDATE .users. SET .id. = \S+ WHERE .id. = \S+$/),
      ]);
      expect(session.identityMap.get(User, 200)).toBe(two);
      expect(session.identityMap.has(User, 2)).toBe(false);
    });

    it('is taken back by a rollback', async () => {
      const two = await session.getOrFail(User, 2);
      two.id = 200;
      await session.flush();
      await session.rollback();
      expect(session.inspect(two).identity).toEqual({ id: 2 });
      expect(session.identityMap.has(User, 200)).toBe(false);
      expect(await session.get(User, 2)).toBe(two);
      expect(two).toMatchObject({ id: 2, name: 'two' });
    });
  });
});
