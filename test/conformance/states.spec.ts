/** STA: the states of an object, and what a flush makes of them. */
import { type SessionBase, UnmappedInstanceError } from 'nestjs-scoped-session';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ALL_KINDS, onEach } from '../support/databases.js';
import { newUser, sent } from '../support/session-objects.js';
import { User, type Users, users } from '../support/users.js';

onEach(ALL_KINDS, (database) => {
  let test: Users;
  let session: SessionBase;
  const state = (entity: object): string => session.inspect(entity).state;

  beforeEach(async () => {
    test = await users(database);
    session = test.factory.create();
  });

  afterEach(() => session.close());

  describe('what was added', () => {
    it('STA-02: is transient after a rollback, with its values', async () => {
      const three = newUser({ name: 'three', nick: null });
      session.add(three);
      await session.rollback();
      expect(state(three)).toBe('transient');
      expect(three).toMatchObject({ name: 'three', nick: null });
      expect(session.inTransaction()).toBe(false);
    });

    it('STA-16, STA-27: is transient after expunge and after close', async () => {
      const [three, four] = [newUser({ name: 'three' }), newUser({ name: 'four' })];
      session.addAll([three, four]);
      session.expunge(three);
      expect([state(three), session.has(three), [...session]]).toEqual(['transient', false, [four]]);
      await session.close();
      expect([state(four), session.has(four)]).toEqual(['transient', false]);
      expect(test.recorder.take()).toEqual([]);
    });

    it('STA-19: and flushed and expunged stays out of the session after a rollback', async () => {
      const three = newUser({ name: 'three' });
      session.add(three);
      await session.flush();
      session.expunge(three);
      await session.rollback();
      expect([state(three), session.has(three)]).toEqual(['detached', false]);
    });

    it('STA-21: and flushed is stored though expungeAll came before the commit; what was only added is not', async () => {
      const [three, four] = [newUser({ name: 'three' }), newUser({ name: 'four' })];
      session.add(three);
      await session.flush();
      session.add(four);
      session.expungeAll();
      await session.commit();
      expect(await test.names()).toEqual(['one', 'two', 'three']);
      expect([state(three), state(four), [...session]]).toEqual(['detached', 'transient', []]);
    });

    it('STA-25: and flushed, deleted and flushed is transient after a rollback', async () => {
      const three = newUser({ name: 'three' });
      session.add(three);
      await session.flush();
      session.delete(three);
      await session.flush();
      expect(state(three)).toBe('deleted');
      await session.rollback();
      expect([state(three), three.name, session.has(three)]).toEqual(['transient', 'three', false]);
    });
  });

  describe('what is detached', () => {
    it('STA-17: by expunge is in no session', async () => {
      const one = await session.getOrFail(User, 1);
      session.expunge(one);
      expect([state(one), session.has(one), session.identityMap.size]).toEqual(['detached', false, 0]);
      expect(await session.get(User, 1)).not.toBe(one);
    });

    it('STA-23: and was changed is changed when it is added', async () => {
      const one = await session.getOrFail(User, 1);
      await session.close();
      one.name = 'changed';
      session.add(one);
      expect([...session.dirty]).toEqual([one]);
      sent(test);
      await session.commit();
      expect(sent(test)).toEqual(['UPDATE users']);
      expect(await test.names()).toEqual(['changed', 'two']);
    });

    it('STA-24: and was not changed is not, and keeps what it holds though the row is newer', async () => {
      const one = await session.getOrFail(User, 1);
      await session.close();
      await session.execute("UPDATE users SET name = 'newer' WHERE id = 1");
      sent(test);
      session.add(one);
      expect([state(one), session.isModified(one), one.name]).toEqual(['persistent', false, 'one']);
      await session.flush();
      expect(sent(test)).toEqual([]);
      await session.refresh(one);
      expect(one.name).toBe('newer');
    });

    it('STA-26: after its change was flushed keeps it, though that was rolled back', async () => {
      const one = await session.getOrFail(User, 1);
      one.name = 'changed';
      await session.flush();
      session.expunge(one);
      await session.rollback();
      expect([state(one), one.name]).toEqual(['detached', 'changed']);
      expect(await test.names()).toEqual(['one', 'two']);
    });

    it('STA-28: from makeTransientToDetached is loaded when it is refreshed', async () => {
      const one = newUser({ id: 1 });
      session.makeTransientToDetached(one);
      expect(state(one)).toBe('detached');
      session.add(one);
      await session.refresh(one);
      expect([state(one), one.name, one.nick]).toEqual(['persistent', 'one', 'x']);
      expect(sent(test)).toEqual(['SELECT users']);
      const other = newUser({ id: 2 });
      session.makeTransientToDetached(other);
      session.add(other);
      expect(await session.get(User, 2)).toBe(other);
      expect(other.name).toBe('two');
    });
  });

  describe('STA-30: what is no entity', () => {
    const uses: Readonly<Record<string, (it: object) => unknown>> = {
      add: (it) => session.add(it),
      addAll: (it) => session.addAll([it]),
      delete: (it) => session.delete(it),
      merge: (it) => session.merge(it),
      expire: (it) => session.expire(it),
      refresh: (it) => session.refresh(it),
      expunge: (it) => session.expunge(it),
      isModified: (it) => session.isModified(it),
      has: (it) => session.has(it),
      inspect: (it) => session.inspect(it),
      makeTransient: (it) => session.makeTransient(it),
      makeTransientToDetached: (it) => session.makeTransientToDetached(it),
    };

    it.each(Object.keys(uses))('is refused by %s', async (use) => {
      const given = ['text', null, undefined, { id: 1 }, new Date(), Object.create(null), User];
      for (const what of given) {
        const call = async (): Promise<unknown> => uses[use]!(what as object);
        await expect(call()).rejects.toThrow(UnmappedInstanceError); // oxlint-disable-line no-await-in-loop
      }
      await expect((async () => uses[use]!('text' as never))()).rejects.toThrow(/^string is not mapped/);
      await expect((async () => uses[use]!(User))()).rejects.toThrow(/the class itself was given/);
      expect([[...session], test.recorder.take()]).toEqual([[], []]);
    });
  });
});
