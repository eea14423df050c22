/** STA, LIF: what counts as a change, and which statements a flush makes of changes. */
import type { SessionBase } from 'nestjs-scoped-session';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { ALL_KINDS, onEach } from '../support/databases.js';
import { newUser, sent } from '../support/session-objects.js';
import { Address, User, type Users, users } from '../support/users.js';

onEach(ALL_KINDS, (database) => {
  let test: Users;
  let session: SessionBase;
  const state = (entity: object): string => session.inspect(entity).state;
  const address = (values: Partial<Address>): Address => Object.assign(new Address(), values);
  const both = async (): Promise<[User, User]> => {
    const [one, two] = await session.find(User, { order: { id: 'ASC' } });
    sent(test);
    return [one!, two!];
  };
  const withAddresses = async (...emails: string[]): Promise<User> => {
    const one = await session.getOrFail(User, 1, { relations: { addresses: true } });
    one.addresses.push(...emails.map((email) => address({ email })));
    await session.commit();
    sent(test);
    return one;
  };

  beforeEach(async () => {
    test = await users(database);
    session = test.factory.create();
  });

  afterEach(() => session.close());

  it('STA-32: changed and changed back is no change', async () => {
    const [one] = await both();
    one.name = 'other';
    expect(session.isModified(one)).toBe(true);
    one.name = 'one';
    expect([session.isModified(one), [...session.dirty]]).toEqual([false, []]);
    await session.flush();
    expect(sent(test)).toEqual([]);
  });

  it('STA-34: a child in a collection is a change of its parent, unless collections are not asked for', async () => {
    const one = await session.getOrFail(User, 1, { relations: { addresses: true } });
    one.addresses.push(address({ email: 'a@b' }));
    expect(session.isModified(one)).toBe(true);
    expect(session.isModified(one, { includeCollections: false })).toBe(false);
    expect(session.inspect(one).changed).toEqual(['addresses']);
    session.expunge(one);
    expect(session.isModified(one)).toBe(true);
    expect(session.isModified(one, { includeCollections: false })).toBe(false);
  });

  it('STA-35: a new parent and the new child in its collection', async () => {
    const three = newUser({ name: 'three', addresses: [address({ email: 'a@b' })] });
    session.add(three);
    await session.flush();
    expect(sent(test)).toEqual(['INSERT users', 'INSERT addresses']);
    expect(await session.scalar('SELECT user_id FROM addresses')).toBe(three.id);
    expect([state(three.addresses[0]!), three.addresses[0]!.id]).toEqual(['persistent', 1]);
  });

  it('STA-36: a new child brings its new parent, which comes first', async () => {
    const child = address({ email: 'a@b', user: newUser({ name: 'three' }) });
    session.add(child);
    await session.flush();
    expect(sent(test)).toEqual(['INSERT users', 'INSERT addresses']);
    expect(await session.scalar('SELECT user_id FROM addresses')).toBe(child.user.id);
  });

  it('STA-37: a child that is taken out of its collection is deleted', async () => {
    const one = await withAddresses('a@b', 'c@d');
    const [gone] = one.addresses.splice(0, 1);
    await session.flush();
    expect(sent(test)).toEqual(['DELETE addresses']);
    expect(state(gone!)).toBe('deleted');
    expect(await session.scalars('SELECT email FROM addresses')).toEqual(['c@d']);
  });

  it('STA-38: changes of the same columns are one UPDATE, in the order of the keys', async () => {
    const [one, two] = await both();
    two.name = 'second';
    one.name = 'first';
    await session.flush();
    expect(sent(test)).toEqual(['UPDATE users']);
    await session.commit();
    expect(await test.names()).toEqual(['first', 'second']);
  });

  it('STA-39: changes of different columns are an UPDATE each, of its column', async () => {
    const [one, two] = await both();
    one.name = 'first';
    two.nick = 'second';
    await session.flush();
    expect(test.recorder.rowStatements).toEqual([
      expect.stringMatching(/^UPDATE .users. SET .name. = \S+ WHERE .id. = \S+$/),
      expect.stringMatching(/^UPDATE .users. SET .nick. = \S+ WHERE .id. = \S+$/),
    ]);
  });

  it('STA-40: a new object in the place of a deleted one is one UPDATE', async () => {
    const [, two] = await both();
    session.delete(two);
    session.add(newUser({ id: 2, name: 'new two', nick: 'y' }));
    await session.flush();
    expect(sent(test)).toEqual(['UPDATE users']);
    expect(state(two)).toBe('deleted');
    await session.commit();
    expect(await test.names()).toEqual(['one', 'new two']);
  });

  it('LIF-02, LIF-03, LIF-04, LIF-05: add, flush, flush, commit', async () => {
    const three = newUser({ name: 'three' });
    session.add(three);
    expect([session.inTransaction(), test.out, state(three)]).toEqual([true, 0, 'pending']);
    expect([test.recorder.take(), [...session.new]]).toEqual([[], [three]]);
    await session.flush();
    expect(test.recorder.transactionControl).toEqual(['BEGIN']);
    expect(sent(test)).toEqual(['INSERT users']);
    expect([test.out, three.id, state(three)]).toEqual([1, 3, 'persistent']);
    await session.flush();
    expect(test.recorder.take()).toEqual([]);
    await session.commit();
    expect(test.recorder.transactionControl).toEqual(['COMMIT']);
    expect([test.out, session.inTransaction()]).toEqual([0, false]);
    expect(await test.names()).toEqual(['one', 'two', 'three']);
  });

  it('LIF-07: building a query of objects begins nothing', async () => {
    session.query(User, 'user').where('user.id = :id', { id: 1 }).getSql();
    expect([session.inTransaction(), test.out, test.recorder.take()]).toEqual([false, 0, []]);
  });

  it('LIF-10: a change of an object begins, and sends nothing', async () => {
    const [one] = await both();
    await session.commit();
    test.recorder.take();
    expect(session.inTransaction()).toBe(false);
    one.name = 'z';
    expect([session.inTransaction(), test.out, [...session.dirty]]).toEqual([true, 0, [one]]);
    expect(test.recorder.take()).toEqual([]);
    await session.commit();
    expect(test.recorder.transactionControl).toEqual(['BEGIN', 'COMMIT']);
    expect(await test.names()).toEqual(['z', 'two']);
  });

  it('LIF-18: begin() by name changes nothing of what commit() stores', async () => {
    await session.begin();
    session.add(newUser({ name: 'three' }));
    await session.commit();
    expect(test.recorder.transactionControl).toEqual(['BEGIN', 'COMMIT']);
    expect(await test.names()).toEqual(['one', 'two', 'three']);
  });

  it('LIF-19: after close() the session loads and stores again', async () => {
    const [one] = await both();
    await session.close();
    const again = await session.getOrFail(User, 1);
    expect(again).not.toBe(one);
    again.name = 'uno';
    await session.commit();
    expect(await test.names()).toEqual(['uno', 'two']);
  });

  it('LIF-33: what is added when a flush tells of an object is stored too, by the one commit', async () => {
    const commits: string[] = [];
    test.dataSource.subscribers.push({
      listenTo: () => User,
      afterInsert: ({ entity }) => {
        if (entity.name.length < 8) session.add(newUser({ name: `${entity.name}+` }));
      },
      afterTransactionCommit: () => void commits.push('after commit'),
    });
    session.add(newUser({ name: 'three' }));
    await session.commit();
    expect(test.recorder.transactionControl).toEqual(['BEGIN', 'COMMIT']);
    expect(sent(test)).toEqual(['INSERT users', 'INSERT users', 'INSERT users', 'INSERT users']);
    expect(commits).toEqual(['after commit']);
    expect(await test.names()).toEqual(['one', 'two', 'three', 'three+', 'three++', 'three+++']);
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

  it('autoflush comes before what may read it, and not before the rest', async () => {
    session.add(newUser({ name: 'three' }));
    expect(await session.count(Address)).toBe(0);
    expect(session.new.size).toBe(1);
    expect(await session.query(User, 'u').where("u.name = 'three'").getCount()).toBe(1);
    expect(await session.manager.count(User)).toBe(3);
  });
});
