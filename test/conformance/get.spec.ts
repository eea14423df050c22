/** IDM: what names a row in get(), and how the row is asked for. */
import {
  InvalidOptionError,
  InvalidParameterError,
  ROW_LOCKS,
  type RowLock,
  type SessionBase,
} from 'nestjs-scoped-session';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Car, classes, Code, FireTruck, Member, Truck, Vehicle } from '../support/classes.js';
import { ALL_KINDS, type Kind, onEach } from '../support/databases.js';
import { sent } from '../support/session-objects.js';
import { Address, User, type Users, users } from '../support/users.js';

const LOCKING: Record<RowLock, RegExp> = {
  pessimistic_read: /(?:LOCK IN SHARE MODE|FOR SHARE)$/,
  pessimistic_write: /FOR UPDATE$/,
  for_no_key_update: /FOR NO KEY UPDATE$/,
  for_key_share: /FOR KEY SHARE$/,
};

/** Those that a database has. */
function locksOf(kind: Kind): readonly RowLock[] {
  if (kind === 'postgres') return ROW_LOCKS;
  return kind === 'mariadb' ? ['pessimistic_read', 'pessimistic_write'] : [];
}

onEach(ALL_KINDS, (database) => {
  const locks = locksOf(database.kind);
  let test: Users;
  let session: SessionBase;

  const begin = async (options?: Parameters<typeof users>[1]): Promise<void> => {
    test = await users(database, options);
    session = test.factory.create();
  };

  afterEach(() => session.close());

  describe('an identifier', () => {
    beforeEach(() => begin());

    it('is a value, a list of values, or an object of them', async () => {
      const one = await session.get(User, 1);
      expect(one?.name).toBe('one');
      for (const identifier of ['1', 1n, [1], { id: 1 }, { id: '1' }])
        // Each finds it in the map.
        expect(await session.get(User, identifier)).toBe(one); // oxlint-disable-line no-await-in-loop
      expect(sent(test)).toEqual(['SELECT users']);
    });

    it.each([
      ['IDM-11: too many values', [1, 2], /^Incorrect number of values in identifier: 2 for a User/],
      ['no value', [], /^Incorrect number of values in identifier: 0 for a User/],
      [
        'another name',
        { nick: 'x' },
        /^Incorrect names of values in identifier: the primary key of User is id/,
      ],
      ['a name too many', { id: 1, nick: 'x' }, /^Incorrect names of values in identifier/],
      ['no name', {}, /^Incorrect names of values in identifier/],
      ['null', null, /is null or undefined in part/],
      ['undefined', undefined, /is null or undefined in part/],
      ['a value that is null', [null], /is null or undefined in part/],
      ['a name without a value', { id: undefined }, /is null or undefined in part/],
      ['no number', Number.NaN, /names no row/],
      ['no date', new Date(Number.NaN), /names no row/],
    ] as const)('%s is refused before anything is sent', async (_what, identifier, message) => {
      const refused = session.get(User, identifier as never);
      await expect(refused).rejects.toThrow(InvalidParameterError);
      await expect(refused).rejects.toThrow(message);
      await expect(session.getOrFail(User, identifier as never)).rejects.toThrow(InvalidParameterError);
      expect(() => session.identityMap.get(User, identifier)).toThrow(InvalidParameterError);
      expect([session.inTransaction(), test.recorder.take()]).toEqual([false, []]);
    });

    it('is bound, whatever is in it', async () => {
      const answer = await session.get(User, '0 OR 1=1').catch((error: Error) => error.message);
      const refused: unknown = expect.stringContaining('invalid input syntax');
      expect(answer).toEqual(database.kind === 'postgres' ? refused : null);
    });
  });

  describe('the row', () => {
    beforeEach(() => begin());

    it.each(locks)('IDM-21: is asked for with the lock %s, though the object is there', async (lock) => {
      const one = await session.getOrFail(User, 1);
      await session.execute("UPDATE users SET name = 'newer' WHERE id = 1");
      test.recorder.take();
      expect(await session.get(User, 1, { lock })).toBe(one);
      expect(one.name).toBe('newer');
      await session.refresh(one, undefined, { lock });
      const locking: unknown = expect.stringMatching(LOCKING[lock]);
      expect(test.recorder.rowStatements).toEqual([locking, locking]);
    });

    it.each(ROW_LOCKS.filter((lock) => !locks.includes(lock)))(
      'cannot be asked for with the lock %s, which this database does not have',
      async (lock) => {
        await expect(session.get(User, 1, { lock })).rejects.toThrow(/^Locking not supported/);
        await expect(session.getOrFail(User, 1, { lock })).rejects.toThrow(/^Locking not supported/);
        expect(test.recorder.rowStatements).toEqual([]);
      },
    );

    it.each([
      ['a lock that is none', { lock: 'FOR UPDATE; DROP TABLE users' }, /option lock of get must be one of/],
      ['an option that is none', { populate: true }, /^get knows no option "populate"/],
      ['a flag that is none', { populateExisting: 'yes' }, /must be true or false/],
    ])('cannot be asked for with %s', async (_what, options, message) => {
      await expect(session.get(User, 1, options as never)).rejects.toThrow(message);
      expect(test.recorder.take()).toEqual([]);
    });

    it('is not refreshed with a lock, nor merged with an option, that is none', async () => {
      const one = await session.getOrFail(User, 1);
      test.recorder.take();
      const lock = { lock: 'pessimistic' as never };
      await expect(session.refresh(one, undefined, lock)).rejects.toThrow(InvalidOptionError);
      await expect(session.merge(one, { loads: false } as never)).rejects.toThrow(InvalidOptionError);
      expect([one.name, test.recorder.take()]).toEqual(['one', []]);
    });

    it('comes with the relations that are asked for', async () => {
      session.add(Object.assign(new Address(), { email: 'a@b', user: await session.get(User, 1) }));
      await session.commit();
      session.expungeAll();
      const one = await session.getOrFail(User, 1, { relations: { addresses: true } });
      expect(one.addresses.map(({ email }) => email)).toEqual(['a@b']);
      expect(session.identityMap.get(Address, 1)).toBe(one.addresses[0]);
    });
  });

  describe('a key of another kind', () => {
    beforeEach(async () => {
      await begin({ dataSource: { entities: [User, Address, ...classes.entities] } });
      await classes.store(test.dataSource.manager);
      test.recorder.take();
    });

    it('has several parts, one of them an object that is stored as a text', async () => {
      const member = await session.getOrFail(Member, [1, 2, new Code('a')]);
      expect(member).toMatchObject({ team: 1, place: 2, code: { text: 'a' }, name: { first: 'first a' } });
      const ways = [[1, 2, 'a'], ['1', '2', new Code('a')], { team: 1, place: 2, code: new Code('a') }];
      for (const way of ways) expect(await session.get(Member, way)).toBe(member); // oxlint-disable-line no-await-in-loop
      expect(sent(test)).toEqual(['SELECT member']);
      expect(await session.get(Member, [1, 2, new Code('b')])).not.toBe(member);
      expect(await session.get(Member, [12, 1, new Code('a')])).toMatchObject({ team: 12, place: 1 });
      expect(await session.get(Member, [1, 21, new Code('a')])).toBeNull();
    });

    it.each([
      [1, /1 for a Member, whose primary key is team, place, code/],
      [[1, 2], /2 for a Member/],
      [{ team: 1, place: 2 }, /names of values/],
      [[1, 2, null], /null or undefined in part/],
    ])('%j is none of it', async (identifier, message) => {
      await expect(session.get(Member, identifier)).rejects.toThrow(message);
    });

    it('a row of a class is found by its class and those that it extends, and by no other', async () => {
      const fire = await session.getOrFail(Vehicle, 3);
      expect(fire).toBeInstanceOf(FireTruck);
      sent(test);
      for (const type of [FireTruck, Truck, Vehicle]) expect(await session.get(type, 3)).toBe(fire); // oxlint-disable-line no-await-in-loop
      expect(await session.get(Car, 3)).toBeNull();
      expect(session.identityMap.get(Car, 3)).toBeUndefined();
      expect(session.identityMap.get(Truck, 3)).toBe(fire);
      expect(sent(test)).toEqual([]);
      expect(await session.get(Truck, 1)).toBeNull();
      expect(await session.get(Car, 1)).toBeInstanceOf(Car);
    });

    it('an expired object that is asked for by another class stays in the session', async () => {
      const car = await session.getOrFail(Car, 1);
      session.expire(car);
      expect(await session.get(Truck, 1)).toBeNull();
      expect(session.has(car)).toBe(true);
      expect(await session.get(Vehicle, 1)).toBe(car);
      expect(car).toMatchObject({ name: 'car', doors: 4 });
    });
  });
});
