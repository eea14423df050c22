/** EXP: what is expired throws when it is read, and is loaded again by a refresh or by any query that brings its row. */
import {
  ExpiredPropertyError,
  InvalidParameterError,
  ObjectStateError,
  type SessionBase,
} from 'nestjs-scoped-session';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ALL_KINDS, onEach } from '../support/databases.js';
import { newUser, read, sent } from '../support/session-objects.js';
import { User, type Users, users } from '../support/users.js';

onEach(ALL_KINDS, (database) => {
  let test: Users;
  let session: SessionBase;
  const one = async (): Promise<User> => {
    const found = await session.getOrFail(User, 1);
    sent(test);
    return found;
  };
  const changeRow = async (sql: string): Promise<void> => {
    await session.noAutoflush(() => session.execute(sql));
    test.recorder.take();
  };

  beforeEach(async () => {
    test = await users(database);
    session = test.factory.create({ expireOnCommit: true });
  });

  afterEach(() => session.close());

  describe('by a commit', () => {
    const five = async (): Promise<User[]> => {
      const added = ['a', 'b', 'c', 'd', 'e'].map((name) => newUser({ name }));
      session.addAll(added);
      await session.commit();
      test.recorder.take();
      return added;
    };

    it('EXP-01, ASY-11: what is read before is an error; one SELECT by the key brings all columns, in a new transaction', async () => {
      const three = newUser({ name: 'three' });
      session.add(three);
      await session.commit();
      expect([session.inTransaction(), test.out, three.id]).toEqual([false, 0, 3]);
      expect(() => three.name).toThrow(ExpiredPropertyError);
      expect(() => three.name).toThrow(/User.name was expired .*await session.refresh\(object\)/);
      sent(test);
      expect([await read(session, three, 'name'), three.nick]).toEqual(['three', null]);
      expect([sent(test), session.inTransaction(), test.out]).toEqual([['SELECT users'], true, 1]);
    });

    it('EXP-02, EXP-03: a SELECT for each object that is read, or one query for all', async () => {
      const all = await five();
      for (const user of all) expect(await read(session, user, 'name')).toHaveLength(1); // oxlint-disable-line no-await-in-loop
      expect(sent(test)).toHaveLength(5);
      await session.commit();
      test.recorder.take();
      await session.find(User);
      expect(all.map(({ name }) => name)).toEqual(['a', 'b', 'c', 'd', 'e']);
      expect(sent(test)).toEqual(['SELECT users']);
    });

    it('EXP-04, EXP-06: not with expireOnCommit false; a rollback expires all the same', async () => {
      session = test.factory.create({ expireOnCommit: false });
      const found = await one();
      await session.commit();
      expect([found.name, sent(test)]).toEqual(['one', []]);
      await session.begin();
      await session.rollback();
      expect(() => found.name).toThrow(ExpiredPropertyError);
    });

    it('G1-21: a commit without a transaction expires too', async () => {
      const found = await one();
      await session.commit();
      await session.refresh(found);
      await session.commit();
      await session.commit();
      expect(() => found.name).toThrow(ExpiredPropertyError);
    });
  });

  describe('by expire()', () => {
    it('EXP-07: an unflushed change is given up', async () => {
      const found = await one();
      found.name = 'foo';
      session.expire(found);
      expect([...session.dirty]).toEqual([]);
      expect(await read(session, found, 'name')).toBe('one');
      await session.flush();
      expect(sent(test)).toEqual(['SELECT users']);
    });

    it('EXP-08: of some properties: the change of another is flushed before they are read', async () => {
      const found = await one();
      found.name = 'pending';
      session.expire(found, ['nick']);
      expect(session.inspect(found)).toMatchObject({ expired: ['nick'], changed: ['name'] });
      expect(() => found.nick).toThrow(ExpiredPropertyError);
      await session.refresh(found, ['nick']);
      expect([found.name, found.nick]).toEqual(['pending', 'x']);
      const [update, select, ...more] = test.recorder.rowStatements;
      expect(update).toMatch(/^UPDATE .users. SET .name. =/);
      expect(select).not.toMatch(/\.\Wname\W/);
      expect(more).toEqual([]);
    });

    it('EXP-09: what is assigned afterwards is stored, without a SELECT', async () => {
      const found = await one();
      session.expire(found);
      found.name = 'n';
      expect([found.name, sent(test)]).toEqual(['n', []]);
      await session.flush();
      expect(sent(test)).toEqual(['UPDATE users']);
    });

    it('EXP-10: what is assigned afterwards is kept by what loads the rest (deviation: not by refresh(), which gives changes up)', async () => {
      const found = await one();
      session.expire(found);
      await changeRow("UPDATE users SET nick = 'newer' WHERE id = 1");
      found.name = 'n';
      expect(await session.noAutoflush(() => session.get(User, 1))).toBe(found);
      expect([found.name, found.nick, sent(test)]).toEqual(['n', 'newer', ['SELECT users']]);
      expect(session.inspect(found).changed).toEqual(['name']);
    });

    it('EXP-11, EXP-19: what is not persistent here is refused', async () => {
      const pending = newUser({ name: 'three' });
      session.add(pending);
      const detached = await session.noAutoflush(() => one());
      session.expunge(detached);
      for (const entity of [newUser({ name: 'x' }), pending, detached]) {
        expect(() => session.expire(entity)).toThrow(ObjectStateError);
        expect(() => session.expire(entity, ['name'])).toThrow('is not persistent within this session.');
        const refreshed = session.refresh(entity);
        await expect(refreshed).rejects.toThrow(ObjectStateError); // oxlint-disable-line no-await-in-loop
        await expect(refreshed).rejects.toThrow('is not persistent within this session.'); // oxlint-disable-line no-await-in-loop
      }
    });

    it('what is no property of the class is refused', async () => {
      const found = await one();
      expect(() => session.expire(found, ['nam'])).toThrow(InvalidParameterError);
      await expect(session.refresh(found, ['nam'])).rejects.toThrow(/no column and no relation named nam/);
      expect(sent(test)).toEqual([]);
    });

    it('EXP-22: a refresh ends it', async () => {
      const found = await one();
      session.expire(found);
      await session.refresh(found);
      sent(test);
      expect(await session.get(User, 1)).toBe(found);
      expect([found.name, sent(test), session.inspect(found).expired]).toEqual(['one', [], []]);
    });

    it('EXP-23: any query that brings its row ends it', async () => {
      const found = await one();
      session.expire(found);
      await changeRow("UPDATE users SET name = 'newer' WHERE id = 1");
      await session.findBy(User, { id: 1 });
      expect([found.name, sent(test)]).toEqual(['newer', ['SELECT users']]);
    });

    it('expireAll: of every object of the session', async () => {
      const all = await session.find(User);
      session.expireAll();
      for (const user of all) expect(() => user.name).toThrow(ExpiredPropertyError);
      expect(all).toHaveLength(2);
    });
  });
});
