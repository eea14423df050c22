/** TRX, MRG: a first look at objects in a failed flush, in a savepoint and in a merge. */
import { type SessionBase } from 'nestjs-scoped-session';
import { QueryFailedError } from 'typeorm';
import { beforeEach, expect, it } from 'vitest';
import { ALL_KINDS, onEach } from '../support/databases.js';
import { Address, User, type Users, users } from '../support/users.js';

onEach(ALL_KINDS, (database) => {
  let test: Users;
  let session: SessionBase;
  const state = (entity: object): string => session.inspect(entity).state;
  const user = (values: Partial<User>): User => Object.assign(new User(), values);

  beforeEach(async () => {
    test = await users(database);
    session = test.factory.create();
  });

  it('TRX-12: a savepoint takes back what was done inside it', async () => {
    const [u1, u2] = await session.find(User, { order: { id: 'ASC' } });
    const u3 = user({ name: 'three' });
    await expect(
      session.beginNested(async () => {
        u2!.name = 'changed';
        session.add(u3);
        await session.flush();
        throw new Error('no');
      }),
    ).rejects.toThrow('no');
    expect(u1!.name).toBe('one');
    expect(() => u2!.name).toThrow(/refresh/);
    expect([state(u3), u3.name]).toEqual(['transient', 'three']);
    await session.refresh(u2!);
    expect(u2!.name).toBe('two');
    await session.close();
  });

  it('TRX-01, TRX-04: a failed flush is rolled back at once', async () => {
    session.add(user({ name: 'again', nick: 'x' }));
    await expect(session.flush()).rejects.toThrow(QueryFailedError);
    expect(test.recorder.transactionControl).toEqual(['BEGIN', 'ROLLBACK']);
    expect([session.isActive, session.inTransaction(), test.out]).toEqual([false, true, 0]);
    await expect(session.find(User)).rejects.toMatchObject({ code: 'SS_ERR_PENDING_ROLLBACK' });
    test.recorder.take();
    await session.rollback();
    expect(test.recorder.take()).toEqual([]);
    expect(await session.count(User)).toBe(2);
    await session.close();
  });

  it('a graph is merged', async () => {
    const plain = user({
      id: 1,
      name: 'merged',
      addresses: [Object.assign(new Address(), { email: 'a@b' })],
    });
    const merged = await session.merge(plain);
    expect([merged === plain, merged.name, state(plain)]).toEqual([false, 'merged', 'transient']);
    await session.commit();
    expect(merged.addresses[0]!.id).toBe(1);
    expect(await test.names()).toEqual(['merged', 'two']);
    await session.close();
  });
});
