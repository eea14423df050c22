/** BLK-12: bulk operations store columns and keys of every kind as a flush does, and tell no listener. */
import type { SessionBase } from 'nestjs-scoped-session';
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
