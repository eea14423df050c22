/** MRG: what merge() copies onto which object, and what it asks the database for. */
import { ObjectStateError, StaleDataError } from 'nestjs-scoped-session';
import { describe, expect, it } from 'vitest';
import { ALL_KINDS, onEach } from '../support/databases.js';
import { Address, User } from '../support/users.js';
import { user, usersSession, type UsersSession } from '../support/users-session.js';
import { Seat, Ticket } from '../support/versioned.js';

const address = (values: Partial<Address>): Address => Object.assign(new Address(), values);

/** An object of a session that has ended. */
async function detached(test: UsersSession, id = 1): Promise<User> {
  const other = test.create();
  const found = await other.getOrFail(User, id);
  await other.close();
  test.take();
  return found;
}

onEach(ALL_KINDS, (database) => {
  const test = usersSession(database, { dataSource: { entities: [User, Address, Ticket, Seat] } });

  it('MRG-01: of one without a key a pending copy is made, and nothing is asked', async () => {
    const { session } = test;
    const source = user({ name: 'three' });
    const merged = await session.merge(source);
    expect(test.sent()).toEqual([]);
    expect([merged === source, merged.name]).toEqual([false, 'three']);
    expect([test.state(merged), test.state(source)]).toEqual(['pending', 'transient']);
    await session.commit();
    expect([merged.id, source.id]).toEqual([3, undefined]);
    expect(await test.names()).toEqual(['one', 'two', 'three']);
  });

  it('MRG-02, MRG-03: one SELECT, and an UPDATE of what differs; again, nothing at all', async () => {
    const { session } = test;
    const source = user({ id: 1, name: 'uno' });
    const merged = await session.merge(source);
    expect(test.sent()).toEqual(['SELECT users']);
    expect([merged === source, merged.name, merged.nick]).toEqual([false, 'uno', 'x']);
    await session.flush();
    expect(test.sent()).toEqual(['SELECT users', 'UPDATE users']);
    expect(test.recorder.rowStatements[1]).toMatch(/^UPDATE .users. SET .name. = \S+ WHERE .id. = \S+$/);
    test.take();
    expect(await session.merge(source)).toBe(merged);
    await session.flush();
    expect(test.sent()).toEqual([]);
    await session.close();
  });

  it('MRG-02: what is equal already is not updated', async () => {
    const { session } = test;
    await session.merge(user({ id: 1, name: 'one', nick: 'x' }));
    await session.commit();
    expect(test.sent()).toEqual(['SELECT users']);
  });

  it('MRG-02: a key without a row is that of a new object', async () => {
    const { session } = test;
    const merged = await session.merge(user({ id: 77, name: 'three' }));
    expect([test.sent(), test.state(merged)]).toEqual([['SELECT users'], 'pending']);
    await session.commit();
    expect(merged.id).toBe(77);
    expect(await test.names()).toEqual(['one', 'two', 'three']);
  });

  it('MRG-05: null is copied', async () => {
    const { session } = test;
    const merged = await session.merge(user({ id: 1, nick: null }));
    expect([merged.name, merged.nick]).toEqual(['one', null]);
    await session.commit();
    await session.refresh(merged);
    expect(merged.nick).toBeNull();
    await session.close();
  });

  it('MRG-06: the change of a detached object is carried over; it stays detached', async () => {
    const { session } = test;
    const source = await detached(test);
    source.name = 'uno';
    const merged = await session.merge(source);
    expect([merged === source, merged.name, test.state(source)]).toEqual([false, 'uno', 'detached']);
    expect(test.state(merged)).toBe('persistent');
    await session.commit();
    expect(test.sent()).toEqual(['SELECT users', 'UPDATE users']);
    expect(await test.names()).toEqual(['uno', 'two']);
  });

  it('MRG-07: an expired detached object is no error: what is stored is loaded', async () => {
    const { session } = test;
    const other = test.create();
    const source = await other.getOrFail(User, 1);
    other.expire(source);
    await other.close();
    test.take();
    const merged = await session.merge(source);
    expect([merged.name, merged.nick, test.sent()]).toEqual(['one', 'x', ['SELECT users']]);
    expect(session.dirty.size).toBe(0);
    await session.close();
  });

  it('MRG-08: an object of this session is returned itself, marked for deletion or not', async () => {
    const session = test.create({ autoflush: false });
    const one = await session.getOrFail(User, 1);
    one.name = 'uno';
    test.take();
    expect(await session.merge(one)).toBe(one);
    session.delete(one);
    expect(await session.merge(one)).toBe(one);
    expect([one.name, session.deleted.size, test.sent()]).toEqual(['uno', 1, []]);
    await session.close();
  });

  it('one whose row was deleted is merged as a new one', async () => {
    const { session } = test;
    const one = await session.getOrFail(User, 1);
    session.delete(one);
    const merged = await session.merge(one);
    expect([merged === one, test.state(one), test.state(merged)]).toEqual([false, 'deleted', 'pending']);
    await session.commit();
    expect(await test.names()).toEqual(['one', 'two']);
  });

  it('MRG-09: a pending one is stored first, and returned itself', async () => {
    const { session } = test;
    const three = user({ name: 'three' });
    session.add(three);
    expect(await session.merge(three)).toBe(three);
    expect([test.sent(), test.state(three)]).toEqual([['INSERT users'], 'persistent']);
    await session.close();
  });

  it('MRG-09: without autoflush it stays pending (deviation: no second one beside it, and so no warning)', async () => {
    const session = test.create({ autoflush: false });
    const three = user({ name: 'three' });
    session.add(three);
    expect(await session.merge(three)).toBe(three);
    expect([test.sent(), test.state(three), session.new.size]).toEqual([[], 'pending', 1]);
    await session.commit();
    expect(await test.names()).toEqual(['one', 'two', 'three']);
  });

  describe('with load: false', () => {
    it('MRG-11: changed and new objects are refused', async () => {
      const { session } = test;
      const source = await detached(test);
      source.name = 'uno';
      await expect(session.merge(source, { load: false })).rejects.toThrow(
        'does not support changed objects',
      );
      const fresh = session.merge(user({ id: 1, name: 'x' }), { load: false });
      await expect(fresh).rejects.toThrow(ObjectStateError);
      expect([session.identityMap.size, test.sent()]).toEqual([0, []]);
      await session.close();
    });

    it('MRG-12: a clean one is taken as it is; nothing is asked, nothing is sent', async () => {
      const { session } = test;
      const source = await detached(test);
      const merged = await session.merge(source, { load: false });
      expect([merged === source, test.state(merged), test.state(source)]).toEqual([
        false,
        'persistent',
        'detached',
      ]);
      expect([merged.id, merged.name, merged.nick, session.isModified(merged)]).toEqual([
        1,
        'one',
        'x',
        false,
      ]);
      await session.flush();
      expect(test.sent()).toEqual([]);
      expect(await session.get(User, 1)).toBe(merged);
      expect(test.sent()).toEqual([]);
      merged.name = 'uno';
      await session.commit();
      expect(await test.names()).toEqual(['uno', 'two']);
    });
  });

  it('MRG-14: a child that is three times in the graph is one row, with the last value', async () => {
    const { session } = test;
    const children = ['a', 'b', 'c'].map((email) => address({ id: 9, email }));
    const merged = await session.merge(user({ name: 'three', addresses: children }));
    expect(merged.addresses).toHaveLength(1);
    await session.commit();
    expect(test.sent().filter((sql) => sql === 'INSERT addresses')).toHaveLength(1);
    expect(await session.find(Address)).toEqual([expect.objectContaining({ id: 9, email: 'c' })]);
    await session.close();
  });

  it('MRG-15: another version than the row’s is refused; without one the newest is changed', async () => {
    const { session } = test;
    const { id } = await session.merge(Object.assign(new Ticket(), { title: 'a' })).then(async (ticket) => {
      await session.commit();
      return ticket;
    });
    await session.close();
    const ticket = (values: Partial<Ticket>): Ticket =>
      Object.assign(new Ticket(), { id, title: 'b', ...values });
    const error: unknown = await session.merge(ticket({ version: 7 })).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(StaleDataError);
    expect((error as Error).message).toContain('Version 7 of the merged Ticket is not version 1 of its row');
    const merged = await session.merge(ticket({}));
    await session.commit();
    expect([merged.title, merged.version]).toEqual(['b', 2]);
  });

  it('MRG-16: a composite key that is not complete is not asked for', async () => {
    const { session } = test;
    const merged = await session.merge(Object.assign(new Seat(), { row: 1, guest: 'a' }));
    expect([test.sent(), test.state(merged), merged.row]).toEqual([[], 'pending', 1]);
    merged.place = 2;
    await session.commit();
    test.take();
    expect(await session.merge(Object.assign(new Seat(), { row: 1, place: 2, guest: 'b' }))).toBe(merged);
    await session.commit();
    expect(test.sent()).toEqual(['UPDATE seat']);
  });

  it('what flushes by itself does so before the merge compares', async () => {
    const { session } = test;
    const one = await session.getOrFail(User, 1);
    one.nick = 'unflushed';
    const merged = await session.merge(user({ id: 1, name: 'uno' }));
    expect([merged === one, one.name, one.nick]).toEqual([true, 'uno', 'unflushed']);
    await session.commit();
    await session.refresh(one);
    expect([one.name, one.nick]).toEqual(['uno', 'unflushed']);
    await session.close();
  });
});
