/** REC: what becomes of the objects when the connection is lost in their transaction. */
import { PendingRollbackError, type SessionBase } from 'nestjs-scoped-session';
import { QueryFailedError } from 'typeorm';
import { expect, it } from 'vitest';
import { onEach, SERVERS } from '../support/databases.js';
import { throughProxy } from '../support/faulty-database.js';
import { kill } from '../support/plain-and-ours.js';
import { connectionNumber, User } from '../support/users.js';
import { user, usersSession } from '../support/users-session.js';

onEach(SERVERS, (shared) => {
  const database = throughProxy(shared);
  const test = usersSession(database);

  /** One that was changed and one that was added are flushed; then the connection is gone. */
  async function flushedAndLost(): Promise<{ one: User; three: User }> {
    const { session } = test;
    const one = await session.getOrFail(User, 1);
    one.name = 'uno';
    const three = user({ name: 'three' });
    session.add(three);
    await session.flush();
    await kill(database, await connectionNumber(session, database));
    return { one, three };
  }

  async function goesOn(session: SessionBase, one: User, added: readonly User[]): Promise<void> {
    expect([session.isActive, session.inTransaction()]).toEqual([true, false]);
    expect(added.map(({ name }) => name)).toEqual(['three', 'four'].slice(0, added.length));
    expect(added.map((entity) => test.state(entity))).toEqual(added.map(() => 'transient'));
    await session.refresh(one);
    expect(one.name).toBe('one');
    for (const { name } of added) session.add(user({ name }));
    await session.commit();
    expect(await test.names()).toEqual(['one', 'two', ...added.map(({ name }) => name)]);
  }

  it('REC-07: lost at a statement: after rollback() new objects are transient, changed ones as they are stored', async () => {
    const { session } = test;
    const { one, three } = await flushedAndLost();
    await expect(session.execute('SELECT 1')).rejects.toThrow(QueryFailedError);
    expect(session.isActive).toBe(false);
    await expect(session.commit()).rejects.toThrow(PendingRollbackError);
    await session.rollback();
    await goesOn(session, one, [three]);
  });

  it('REC-08: lost at a flush: the same, also for what that flush was to store', async () => {
    const { session } = test;
    const { one, three } = await flushedAndLost();
    const four = user({ name: 'four' });
    session.add(four);
    await expect(session.flush()).rejects.toThrow(QueryFailedError);
    expect([session.isActive, test.out]).toEqual([false, 0]);
    await expect(session.flush()).rejects.toThrow(PendingRollbackError);
    await expect(session.get(User, 2)).rejects.toThrow(PendingRollbackError);
    await session.rollback();
    await goesOn(session, one, [three, four]);
  });
});
