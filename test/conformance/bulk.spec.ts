/** BLK: bulk operations send rows as they are given, and leave objects and everything that is pending alone. */
import type { SessionBase } from 'nestjs-scoped-session';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { ALL_KINDS, onEach } from '../support/databases.js';
import { Address, User, type Users, users } from '../support/users.js';

const user = (values: Partial<User>): User => Object.assign(new User(), values);
const three = (): User[] => ['a', 'b', 'c'].map((name) => user({ name }));

onEach(ALL_KINDS, (database) => {
  let test: Users;
  let session: SessionBase;
  const state = (entity: object): string => session.inspect(entity).state;

  beforeEach(async () => {
    test = await users(database);
    session = test.factory.create();
  });
  afterEach(() => session.close());

  it('BLK-01: bulkSaveObjects sends one INSERT, and the objects stay transient, without a key', async () => {
    const objects = three();
    await session.bulkSaveObjects(objects);
    expect(test.recorder.transactionControl).toEqual(['BEGIN']);
    expect(test.recorder.rowStatements).toHaveLength(1);
    expect(objects).toStrictEqual(three());
    expect(objects.map(state)).toEqual(['transient', 'transient', 'transient']);
    expect([...session]).toEqual([]);
    await session.commit();
    expect(test.recorder.rowStatements).toHaveLength(1);
    expect(await test.names()).toEqual(['one', 'two', 'a', 'b', 'c']);
  });

  it('BLK-02: with returnDefaults the objects have their keys, and are detached', async () => {
    const objects = three();
    await session.bulkSaveObjects(objects, { returnDefaults: true });
    expect(test.recorder.rowStatements).toHaveLength(1);
    expect(objects.map((object) => [object.id, object.nick, state(object)])).toEqual(
      [3, 4, 5].map((id) => [id, undefined, 'detached']),
    );
    expect([...session]).toEqual([]);
    session.add(objects[1]!);
    objects[1]!.name = 'changed';
    await session.commit();
    expect(await test.names()).toEqual(['one', 'two', 'a', 'changed', 'c']);
  });

  it('BLK-03: rows that follow each other and have the same columns go together (deviation: null by default counts)', async () => {
    await session.bulkInsertMappings(User, [
      { name: 'a' },
      { name: 'b', nick: null },
      { name: 'c', nick: 'z' },
    ]);
    expect(test.recorder.rowStatements).toHaveLength(1);
    test.recorder.take();
    await session.bulkInsertMappings(User, [{ name: 'd' }, { id: 20, name: 'e' }, { id: 21, name: 'f' }]);
    expect(test.recorder.rowStatements).toHaveLength(2);
    await session.commit();
    expect(await test.names()).toEqual(['one', 'two', 'a', 'b', 'c', 'd', 'e', 'f']);
  });

  it('BLK-05: bulkUpdateMappings sends one UPDATE by key; what is loaded keeps its values and is not dirty', async () => {
    const one = await session.getOrFail(User, 1);
    test.recorder.take();
    await session.bulkUpdateMappings(User, [
      { id: 1, name: 'uno' },
      { id: 2, name: 'dos' },
    ]);
    expect(test.recorder.rowStatements).toHaveLength(1);
    expect([one.name, session.dirty.size, session.isModified(one)]).toEqual(['one', 0, false]);
    await session.refresh(one);
    expect(one.name).toBe('uno');
    await session.commit();
    expect(await test.names()).toEqual(['uno', 'dos']);
  });

  it('a row that is updated twice has the last value, and only what is named changes', async () => {
    await session.bulkUpdateMappings(User, [
      { id: 1, nick: 'p' },
      { id: 1, name: 'uno', nick: null },
      { id: 2, name: undefined, nick: 'q' },
      { id: 2 },
    ]);
    expect(await session.query('SELECT id, name, nick FROM users ORDER BY id')).toEqual([
      { id: 1, name: 'uno', nick: null },
      { id: 2, name: 'two', nick: 'q' },
    ]);
  });

  it('BLK-07: other pending objects are not flushed, and not touched', async () => {
    const pending = user({ name: 'pending' });
    const one = await session.getOrFail(User, 1);
    session.add(pending);
    one.name = 'changed';
    test.recorder.take();
    await session.bulkSaveObjects(three());
    await session.bulkInsertMappings(User, [{ name: 'd' }]);
    await session.bulkUpdateMappings(User, [{ id: 2, name: 'dos' }]);
    expect(test.recorder.rowStatements.map((sql) => sql.split(' ')[0])).toEqual([
      'INSERT',
      'INSERT',
      'UPDATE',
    ]);
    expect([[...session.new], [...session.dirty]]).toEqual([[pending], [one]]);
    await session.commit();
    expect(await test.names()).toEqual(['changed', 'dos', 'a', 'b', 'c', 'd', 'pending']);
  });

  it('BLK-11: of what was loaded the changed columns are stored, or all that it has', async () => {
    const [one, two] = await session.find(User, { order: { id: 'ASC' } });
    one!.name = 'uno';
    test.recorder.take();
    await session.bulkSaveObjects([one!, two!]);
    const [changed, ...more] = test.recorder.rowStatements;
    expect([more, changed]).toEqual([[], expect.not.stringContaining('nick')]);
    expect([state(one!), session.isModified(one!)]).toEqual(['persistent', true]);
    test.recorder.take();
    await session.bulkSaveObjects([one!, two!], { updateChangedOnly: false });
    expect(test.recorder.rowStatements).toEqual([expect.stringContaining('nick')]);
    await session.commit();
    expect(await test.names()).toEqual(['uno', 'two']);
  });

  it('BLK-11: detached objects are updated, new ones between them inserted, in order', async () => {
    const [one, two] = await session.find(User, { order: { id: 'ASC' } });
    await session.close();
    Object.assign(one!, { name: 'uno' });
    Object.assign(two!, { name: 'dos' });
    test.recorder.take();
    await session.bulkSaveObjects(new Set([one!, user({ name: 'a' }), two!]));
    expect(test.recorder.rowStatements.map((sql) => sql.split(' ')[0])).toEqual([
      'UPDATE',
      'INSERT',
      'UPDATE',
    ]);
    expect([state(one!), state(two!)]).toEqual(['detached', 'detached']);
    await session.commit();
    expect(await test.names()).toEqual(['uno', 'dos', 'a']);
  });

  it('owning relations are stored by their keys, and nothing cascades', async () => {
    const one = await session.getOrFail(User, 1);
    const owner = user({ name: 'owner', addresses: [Object.assign(new Address(), { email: 'no' })] });
    await session.bulkSaveObjects([Object.assign(new Address(), { email: 'a@b', user: one }), owner]);
    await session.bulkInsertMappings(Address, [{ email: 'c@d', user: { id: 2 } }]);
    await session.bulkUpdateMappings(Address, [{ id: 1, user: { id: 2 } }]);
    expect(await session.query('SELECT email, user_id FROM addresses ORDER BY id')).toEqual([
      { email: 'a@b', user_id: 2 },
      { email: 'c@d', user_id: 2 },
    ]);
  });

  it('1,000 mappings are a handful of statements', async () => {
    const mappings = Array.from({ length: 1_000 }, (_, place) => ({ name: `n${place}`, nick: `k${place}` }));
    await session.bulkInsertMappings(User, mappings);
    expect(test.recorder.rowStatements).toHaveLength(2);
    test.recorder.take();
    await session.bulkUpdateMappings(
      User,
      mappings.map(({ name }, place) => ({ id: place + 3, name: `${name}!` })),
    );
    expect(test.recorder.rowStatements).toHaveLength(2);
    expect(await session.scalar("SELECT name FROM users WHERE nick = 'k999'")).toBe('n999!');
  });
});

onEach(['mariadb'], (database) => {
  it('BLK-02: without RETURNING too, the keys of 1,000 new objects come from a handful of statements', async () => {
    const test = await users(database, { dataSource: { type: 'mysql' } });
    const session = test.factory.create();
    const objects = Array.from({ length: 1_000 }, (_, place) => user({ name: `n${place}` }));
    await session.bulkSaveObjects(objects, { returnDefaults: true });
    expect(test.recorder.rowStatements.filter((sql) => sql.startsWith('INSERT'))).toHaveLength(2);
    expect(test.recorder.rowStatements.length).toBeLessThan(4);
    expect(objects.map(({ id }) => id)).toEqual(objects.map((_, place) => place + 3));
    expect(await session.scalar("SELECT id FROM users WHERE name = 'n999'")).toBe(1_002);
    const mappings = [{ name: 'a', id: undefined }];
    await session.bulkInsertMappings(User, mappings, { returnDefaults: true });
    expect(mappings[0]!.id).toBe(1_003);
    await session.close();
  });
});
