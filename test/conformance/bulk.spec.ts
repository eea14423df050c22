/** BLK: bulk operations send rows as they are given, and leave objects and everything that is pending alone. */
import type { SessionBase } from 'nestjs-scoped-session';
import { QueryFailedError } from 'typeorm';
import { afterEach, beforeEach, expect, it } from 'vitest';
import {
  Account,
  AccountSubscriber,
  Book,
  Branch,
  Employee,
  Item,
  Person,
  Seat,
  Shelf,
  Token,
} from '../support/catalogue.js';
import { ALL_KINDS, onEach, type TestDatabase } from '../support/databases.js';
import { Address, User, type Users, users } from '../support/users.js';

const user = (values: Partial<User>): User => Object.assign(new User(), values);
const three = (): User[] => ['a', 'b', 'c'].map((name) => user({ name }));

/** With more classes than the rows speak of. */
const withCatalogue = (database: TestDatabase): Promise<Users> =>
  users(database, {
    dataSource: {
      entities: [User, Address, Item, Person, Employee, Token, Seat, Branch, Account, Shelf, Book],
      subscribers: [AccountSubscriber],
      uuidExtension: 'pgcrypto',
    },
  });

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

  it('BLK-08: a constraint that is broken rolls back at once, and the session is inactive', async () => {
    const objects = [user({ name: 'a' }), user({ name: 'b', nick: 'x' })];
    await expect(session.bulkSaveObjects(objects, { returnDefaults: true })).rejects.toThrow(
      QueryFailedError,
    );
    expect(test.recorder.transactionControl).toEqual(['BEGIN', 'ROLLBACK']);
    expect([session.isActive, session.inTransaction(), test.out]).toEqual([false, true, 0]);
    expect(objects).toStrictEqual([user({ name: 'a' }), user({ name: 'b', nick: 'x' })]);
    expect(objects.map(state)).toEqual(['transient', 'transient']);
    await session.rollback();
    await session.close();
    expect(await test.names()).toEqual(['one', 'two']);
  });

  it('BLK-08: inside beginNested only the savepoint is rolled back', async () => {
    await session.bulkInsertMappings(User, [{ name: 'a' }]);
    await expect(
      session.beginNested(() => session.bulkInsertMappings(User, [{ name: 'b', nick: 'x' }])),
    ).rejects.toThrow(QueryFailedError);
    expect(session.isActive).toBe(true);
    await session.bulkInsertMappings(User, [{ name: 'c' }]);
    await session.commit();
    expect(await test.names()).toEqual(['one', 'two', 'a', 'c']);
  });

  it('BLK-08: a row that is not there is stale', async () => {
    const update = session.bulkUpdateMappings(User, [
      { id: 1, name: 'uno' },
      { id: 99, name: 'nobody' },
    ]);
    await expect(update).rejects.toMatchObject({ code: 'SS_ERR_STALE_DATA' });
    expect(session.isActive).toBe(false);
    await session.close();
    expect(await test.names()).toEqual(['one', 'two']);
  });

  it('BLK-09: before rollback() they are refused, after it they work', async () => {
    session.add(user({ name: 'again', nick: 'x' }));
    await expect(session.flush()).rejects.toThrow(QueryFailedError);
    test.recorder.take();
    const refused = { code: 'SS_ERR_PENDING_ROLLBACK' };
    await expect(session.bulkSaveObjects(three())).rejects.toMatchObject(refused);
    await expect(session.bulkInsertMappings(User, [])).rejects.toMatchObject(refused);
    await expect(session.bulkUpdateMappings(User, [{ id: 1, name: 'uno' }])).rejects.toMatchObject(refused);
    expect(test.recorder.take()).toEqual([]);
    await session.rollback();
    await session.bulkSaveObjects(three());
    session.add(user({ name: 'd' }));
    await session.commit();
    expect(await test.names()).toEqual(['one', 'two', 'a', 'b', 'c', 'd']);
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

  it('mappings are checked before anything is sent, and messages have no values', async () => {
    const refused = async (promise: Promise<void>, message: string): Promise<void> => {
      const error = (await promise.catch((thrown: unknown) => thrown)) as Error & { code?: string };
      expect([error.code, error.message]).toEqual([
        'SS_ERR_INVALID_PARAMETER',
        expect.stringContaining(message),
      ]);
      expect(error.message).not.toContain('secret');
    };
    const wrong = { name: 'secret', nmae: 'secret', size: { width: 1 } };
    await refused(session.bulkInsertMappings(User, [{ name: 'a' }, wrong]), 'Mapping 1 of a User');
    await refused(session.bulkInsertMappings(User, [wrong]), 'nmae, size');
    await refused(session.bulkInsertMappings(User, [{ name: 'a', addresses: [] }]), 'addresses');
    await refused(session.bulkUpdateMappings(User, [{ name: 'secret' }]), 'has no id');
    await refused(session.bulkUpdateMappings(User, [{ id: null as never, name: 'secret' }]), 'has no id');
    await refused(session.bulkInsertMappings(User, ['secret'] as never), 'Mapping 0');
    await refused(session.bulkInsertMappings(User, { name: 'secret' } as never), 'array');
    await expect(session.bulkSaveObjects([{ name: 'plain' }])).rejects.toMatchObject({
      code: 'SS_ERR_UNMAPPED_INSTANCE',
    });
    const pending = user({ name: 'pending' });
    session.add(pending);
    await expect(session.bulkSaveObjects([pending])).rejects.toMatchObject({ code: 'SS_ERR_OBJECT_STATE' });
    await expect(session.bulkSaveObjects([], { returnDefault: true } as object)).rejects.toMatchObject({
      code: 'SS_ERR_INVALID_OPTION',
    });
    expect(test.recorder.take()).toEqual([]);
  });

  it('a read-only session refuses them; nothing given is nothing sent', async () => {
    const readOnly = test.factory.create({ readOnly: true });
    const refused = { code: 'SS_ERR_ILLEGAL_STATE_CHANGE' };
    await expect(readOnly.bulkSaveObjects(three())).rejects.toMatchObject(refused);
    await expect(readOnly.bulkInsertMappings(User, [{ name: 'a' }])).rejects.toMatchObject(refused);
    await expect(readOnly.bulkUpdateMappings(User, [{ id: 1, name: 'a' }])).rejects.toMatchObject(refused);
    await session.bulkSaveObjects([]);
    await session.bulkUpdateMappings(User, []);
    expect([test.recorder.take(), session.inTransaction()]).toEqual([[], false]);
  });
});

onEach(ALL_KINDS, (database) => {
  let test: Users;
  let session: SessionBase;

  beforeEach(async () => {
    test = await withCatalogue(database);
    session = test.factory.create();
  });
  afterEach(() => session.close());

  it('BLK-12: no listener and no subscriber is told', async () => {
    const account = Object.assign(new Account(), { owner: 'a', balance: 1 });
    const { events } = test.dataSource.subscribers.find(
      (subscriber) => subscriber instanceof AccountSubscriber,
    )!;
    await session.bulkSaveObjects([account], { returnDefaults: true });
    account.balance = 2;
    await session.bulkSaveObjects([account]);
    await session.bulkInsertMappings(Account, [{ owner: 'b', balance: 3 }]);
    await session.bulkUpdateMappings(Account, [{ id: account.id, owner: 'c' }]);
    await session.commit();
    expect([account.heard, events, account.note]).toEqual([[], [], undefined]);
    expect(await test.dataSource.manager.find(Account, { order: { id: 'ASC' } })).toMatchObject([
      { owner: 'c', balance: 2, note: null, version: 3 },
      { owner: 'b', balance: 3, note: null, version: 1 },
    ]);
  });

  it('versions, dates, transformers, embedded columns and defaults are stored as by a flush', async () => {
    const mapping = { name: 'a', price: 1.5, size: { width: 1, height: 2 }, settings: { on: true } };
    const [first, second] = [{ ...mapping }, { ...mapping, stock: null as never }];
    await session.bulkInsertMappings(Item, [first, second], { returnDefaults: true });
    const load = (): Promise<Item> => session.manager.findOneByOrFail(Item, { id: 1 });
    const loaded = await load();
    expect(loaded).toMatchObject({ ...mapping, stock: 7, version: 1 });
    expect(first).toEqual(Object.assign({}, loaded, { size: mapping.size, soldAt: undefined }));
    expect(second).toMatchObject({ id: 2, stock: 7 });
    await session.bulkUpdateMappings(Item, [
      { id: 1, price: 2.25, size: { height: 5 } },
      { id: 2, price: 3 },
    ]);
    expect(await load()).toMatchObject({ price: 2.25, size: { width: 1, height: 5 }, version: 2, stock: 7 });
    await session.bulkUpdateMappings(Item, [{ id: 1, version: 2, name: 'b' }]);
    expect(await load()).toMatchObject({ name: 'b', version: 3 });
    const late = session.bulkUpdateMappings(Item, [{ id: 1, version: 2, name: 'c' }]);
    await expect(late).rejects.toMatchObject({ code: 'SS_ERR_STALE_DATA' });
  });

  it('null is stored as it is with renderNulls, and is the default without', async () => {
    const mapping = { name: 'a', size: { width: 1, height: 2 }, stock: null as never };
    await session.bulkInsertMappings(Item, [mapping]);
    expect(await session.scalar('SELECT stock FROM item')).toBe(7);
    // The column takes no null: what is told here is that it was sent.
    await expect(session.bulkInsertMappings(Item, [mapping], { renderNulls: true })).rejects.toThrow(/null/i);
  });

  it('classes of one table, keys of several columns and keys made here', async () => {
    const employee = Object.assign(new Employee(), { name: 'a', salary: 5 });
    await session.bulkSaveObjects([employee, Object.assign(new Person(), { name: 'b' })]);
    await session.bulkInsertMappings(Employee, [{ name: 'c', salary: 6 }]);
    await session.bulkUpdateMappings(Person, [{ id: 1, name: 'd' }]);
    expect(await session.find(Person, { order: { id: 'ASC' } })).toEqual([
      Object.assign(new Employee(), { id: 1, name: 'd', salary: 5 }),
      Object.assign(new Person(), { id: 2, name: 'b' }),
      Object.assign(new Employee(), { id: 3, name: 'c', salary: 6 }),
    ]);
    await session.bulkInsertMappings(
      Seat,
      [1, 2].map((place) => ({ line: 1, place, guest: 'a' })),
    );
    await session.bulkUpdateMappings(
      Seat,
      [1, 2].map((place) => ({ line: 1, place, guest: `${place}` })),
    );
    expect(await session.scalars('SELECT guest FROM seat ORDER BY place')).toEqual(['1', '2']);
    await expect(session.bulkUpdateMappings(Seat, [{ line: 1 }])).rejects.toThrow('it has no place');
    const [token, mapping] = [Object.assign(new Token(), { name: 'a' }), { name: 'b', id: undefined }];
    await session.bulkSaveObjects([token]);
    expect(token).toStrictEqual(Object.assign(new Token(), { name: 'a' }));
    await session.bulkInsertMappings(Token, [mapping], { returnDefaults: true });
    expect(await session.manager.findOneBy(Token, { name: 'b' })).toEqual(mapping);
  });

  it('lazy relations, and relations whose key is a column too', async () => {
    await session.bulkInsertMappings(Shelf, [{ name: 'a' }, { name: 'b' }]);
    const [a, b] = await session.find(Shelf, { order: { id: 'ASC' } });
    await session.bulkInsertMappings(Book, [{ title: 'x', shelfId: 1 }, { title: 'y', shelf: b! } as object]);
    const kept = async (): Promise<unknown> =>
      (await session.manager.find(Book, { order: { id: 'ASC' } })).map(({ shelfId }) => shelfId);
    expect(await kept()).toEqual([1, 2]);
    const [x] = await session.find(Book, { order: { id: 'ASC' } });
    x!.shelfId = b!.id;
    await session.bulkSaveObjects([x!], { updateChangedOnly: false });
    expect(await kept()).toEqual([2, 2]);
    await session.bulkUpdateMappings(Book, [{ id: 1, shelfId: a!.id }]);
    expect(await kept()).toEqual([1, 2]);
    const promise = { title: 'z', shelf: Promise.resolve(a!) };
    await expect(session.bulkInsertMappings(Book, [promise])).rejects.toThrow('is a promise');
  });

  it('what TypeORM writes with functions, or into several rows, is refused', async () => {
    const refused = { code: 'SS_ERR_INVALID_PARAMETER' };
    await expect(session.bulkInsertMappings(Branch, [{ name: 'a' }])).rejects.toMatchObject(refused);
    await expect(session.bulkSaveObjects([Object.assign(new Branch(), { name: 'a' })])).rejects.toMatchObject(
      refused,
    );
    expect(test.recorder.take()).toEqual([]);
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
