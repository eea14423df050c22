/** STA: what becomes of an object that is deleted. */
import { ObjectStateError, type SessionBase } from 'nestjs-scoped-session';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { ALL_KINDS, onEach } from '../support/databases.js';
import { read, sent } from '../support/session-objects.js';
import { User, type Users, users } from '../support/users.js';

onEach(ALL_KINDS, (database) => {
  let test: Users;
  let session: SessionBase;
  let warnings: string[];
  const state = (entity: object): string => session.inspect(entity).state;
  const deleted = async (): Promise<User> => {
    const one = await session.getOrFail(User, 1);
    session.delete(one);
    await session.flush();
    sent(test);
    return one;
  };

  beforeEach(async () => {
    warnings = [];
    test = await users(database, { factory: { warn: (message) => warnings.push(message) } });
    session = test.factory.create();
  });

  afterEach(() => session.close());

  it('STA-05: is persistent, in the session and in its list of the deleted, and not changed', async () => {
    const one = await session.getOrFail(User, 1);
    session.delete(one);
    expect([state(one), session.has(one), [...session.deleted]]).toEqual(['persistent', true, [one]]);
    one.name = 'changed';
    expect([...session.dirty]).toEqual([]);
  });

  it('STA-06: is deleted after the flush, and not in the session', async () => {
    const one = await deleted();
    expect([state(one), session.has(one), [...session.deleted]]).toEqual(['deleted', false, []]);
    expect(session.inspect(one).wasDeleted).toBe(true);
    expect(session.identityMap.has(User, 1)).toBe(false);
  });

  it('STA-07: is persistent again after a rollback', async () => {
    const one = await deleted();
    await session.rollback();
    expect([state(one), session.has(one), session.inspect(one).wasDeleted]).toEqual([
      'persistent',
      true,
      false,
    ]);
    expect(await read(session, one, 'name')).toBe('one');
    expect(sent(test)).toEqual(['SELECT users']);
  });

  it.each([true, false])(
    'STA-08, G1-1: is detached after the commit, expireOnCommit: %s',
    async (expires) => {
      session = test.factory.create({ expireOnCommit: expires });
      const one = await deleted();
      await session.commit();
      expect([state(one), session.has(one), session.inspect(one).wasDeleted]).toEqual([
        'detached',
        false,
        true,
      ]);
      expect(() => session.add(one)).toThrow(/has been deleted. Use makeTransient/);
    },
  );

  it('STA-10: is inserted again after makeTransient and add', async () => {
    const one = await deleted();
    await session.commit();
    session.makeTransient(one);
    expect([state(one), session.inspect(one).wasDeleted]).toEqual(['transient', false]);
    session.add(one);
    await session.commit();
    expect(sent(test)).toEqual(['INSERT users']);
    expect(await test.names()).toEqual(['one', 'two']);
  });

  it('STA-12: is deleted once, however often it is said', async () => {
    const one = await session.getOrFail(User, 1);
    session.delete(one);
    session.delete(one);
    sent(test);
    await session.flush();
    expect(sent(test)).toEqual(['DELETE users']);
  });

  it('STA-13: is kept when it is added again', async () => {
    const one = await session.getOrFail(User, 1);
    session.delete(one);
    session.add(one);
    sent(test);
    await session.flush();
    expect([sent(test), [...session.deleted], state(one)]).toEqual([[], [], 'persistent']);
  });

  it('STA-14: and was deleted by a flush already is deleted again, which is told, and commits', async () => {
    const one = await deleted();
    session.delete(one);
    expect([state(one), session.has(one)]).toEqual(['persistent', true]);
    await session.commit();
    expect(sent(test)).toEqual(['DELETE users']);
    expect(warnings).toEqual([
      'DELETE from table users was to find 1 row(s) and found 0: the rest were gone already.',
    ]);
    expect(await test.names()).toEqual(['two']);
  });

  it('STA-15: may come from an earlier session', async () => {
    const one = await session.getOrFail(User, 1);
    await session.close();
    sent(test);
    session.delete(one);
    expect([state(one), [...session.deleted]]).toEqual(['persistent', [one]]);
    await session.flush();
    expect(sent(test)).toEqual(['DELETE users']);
  });

  it('STA-18: and is expunged after the flush stays out after a rollback', async () => {
    const one = await deleted();
    session.expunge(one);
    await session.rollback();
    const { wasDeleted } = session.inspect(one);
    expect([state(one), session.has(one), wasDeleted]).toEqual(['detached', false, true]);
    expect(() => session.add(one)).toThrow(ObjectStateError);
  });
});
