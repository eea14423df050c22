/** LIF, IDM: sessions that track nothing, those that may not begin, and what a session tells of the objects it has. */
import { AutobeginDisabledError, IllegalStateChangeError, type SessionBase } from 'nestjs-scoped-session';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ALL_KINDS, onEach } from '../support/databases.js';
import { newUser, sent } from '../support/session-objects.js';
import { User, type Users, users } from '../support/users.js';

const UNTRACKED = [
  ['readOnly', { readOnly: true }, 'it is read-only'],
  ["unitOfWork 'off'", { unitOfWork: 'off' }, "unitOfWork is 'off'"],
] as const;

onEach(ALL_KINDS, (database) => {
  let test: Users;
  let session: SessionBase;

  beforeEach(async () => {
    test = await users(database);
    session = test.factory.create();
  });

  afterEach(() => session.close());

  describe.each(UNTRACKED)('a session with %s', (_name, options, reason) => {
    beforeEach(() => {
      session = test.factory.create(options);
    });

    it('loads another object each time, and keeps none', async () => {
      const one = await session.getOrFail(User, 1);
      const again = await session.getOrFail(User, 1);
      expect(again).not.toBe(one);
      expect(again).toEqual(one);
      expect(await session.findOneBy(User, { id: 1 })).not.toBe(one);
      expect(await session.query(User, 'u').where('u.id = 1').getOne()).not.toBe(one);
      expect(sent(test)).toEqual(Array.from({ length: 4 }, () => 'SELECT users'));
      expect([session.has(one), [...session], session.identityMap.size]).toEqual([false, [], 0]);
      expect(session.inspect(one).state).toBe('transient');
    });

    it('stores no change', async () => {
      const one = await session.getOrFail(User, 1);
      one.name = 'changed';
      expect([...session.dirty]).toEqual([]);
      await session.flush();
      await session.commit();
      expect(test.recorder.rowStatements).toHaveLength(1);
      expect(await test.names()).toEqual(['one', 'two']);
    });

    it('refuses add, delete and merge', async () => {
      const one = await session.getOrFail(User, 1);
      for (const use of [
        () => session.add(newUser({ name: 'three' })),
        () => session.addAll([]),
        () => session.delete(one),
      ]) {
        expect(use).toThrow(IllegalStateChangeError);
        expect(use).toThrow(`tracks no objects: ${reason}`);
      }
      await expect(session.merge(one)).rejects.toThrow(`tracks no objects: ${reason}`);
      expect([...session.new]).toEqual([]);
    });
  });

  describe('LIF-22: with autobegin off', () => {
    const ways: Readonly<Record<string, () => unknown>> = {
      add: () => session.add(newUser({ name: 'three' })),
      delete: () => session.delete(newUser({ id: 1 })),
      merge: () => session.merge(newUser({ id: 1, name: 'merged' })),
      get: () => session.get(User, 1),
      find: () => session.find(User),
      'a query': () => session.query(User, 'u').getMany(),
    };

    beforeEach(() => {
      session = test.factory.create({ autobegin: false });
    });

    it.each(Object.keys(ways))('%s is refused before begin(), and after an end', async (way) => {
      const use = async (): Promise<unknown> => ways[way]!();
      await expect(use()).rejects.toThrow(AutobeginDisabledError);
      for (const end of ['commit', 'rollback', 'close'] as const) {
        await session.begin(); // oxlint-disable-line no-await-in-loop
        await session.get(User, 1); // oxlint-disable-line no-await-in-loop
        await session[end](); // oxlint-disable-line no-await-in-loop
        session.expungeAll();
        await expect(use()).rejects.toThrow(AutobeginDisabledError); // oxlint-disable-line no-await-in-loop
      }
      expect([session.inTransaction(), test.out, [...session]]).toEqual([false, 0, []]);
    });

    it('a change is refused when it is to be stored (deviation: it is refused at once there)', async () => {
      await session.begin();
      const one = await session.getOrFail(User, 1);
      await session.commit();
      one.name = 'changed';
      await expect(session.flush()).rejects.toThrow(AutobeginDisabledError);
      await expect(session.refresh(one)).rejects.toThrow(AutobeginDisabledError);
      await session.begin();
      await session.commit();
      expect(await test.names()).toEqual(['changed', 'two']);
    });
  });

  describe('of its objects a session', () => {
    it('tells all, in the order in which they came, and which are new, changed and to be deleted', async () => {
      const [one, two] = await session.find(User, { order: { id: 'ASC' } });
      const three = newUser({ name: 'three' });
      session.add(three);
      one!.name = 'changed';
      session.delete(two!);
      expect([...session]).toEqual([one, two, three]);
      expect([[...session.new], [...session.dirty], [...session.deleted]]).toEqual([[three], [one], [two]]);
      expect([one, two, three].map((user) => session.has(user!))).toEqual([true, true, true]);
      expect(session.has(newUser({ id: 1, name: 'one' }))).toBe(false);
      await session.flush();
      expect([...session]).toEqual([one, three]);
      expect([session.new.size, session.dirty.size, session.deleted.size]).toEqual([0, 0, 0]);
    });

    it('shows those that have a row, by class and key', async () => {
      const { identityMap } = session;
      expect([identityMap.size, identityMap.has(User, 1), identityMap.get(User, 1)]).toEqual([
        0,
        false,
        undefined,
      ]);
      const one = await session.getOrFail(User, 1);
      session.add(newUser({ id: 7, name: 'pending' }));
      expect([...identityMap]).toEqual([one]);
      expect([identityMap.get(User, '1'), identityMap.get(User, { id: 1 })]).toEqual([one, one]);
      expect([identityMap.has(User, 7), identityMap.has(User, 2)]).toEqual([false, false]);
    });

    it('tells of none, and begins nothing, before it is used', () => {
      expect([[...session], session.new.size, session.dirty.size, session.deleted.size]).toEqual([
        [],
        0,
        0,
        0,
      ]);
      expect([session.has(newUser({})), session.inTransaction(), test.recorder.take()]).toEqual([
        false,
        false,
        [],
      ]);
    });
  });
});
