/** BLK-08, BLK-09: bulk operations that fail roll back at once; what makes no sense is refused before anything is sent. */
import type { SessionBase } from 'nestjs-scoped-session';
import { QueryFailedError } from 'typeorm';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { ALL_KINDS, onEach } from '../support/databases.js';
import { User, type Users, users } from '../support/users.js';

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
