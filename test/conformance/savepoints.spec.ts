/** TRX: what savepoints make of objects that were added, changed and deleted inside them and before them. */
import { PendingRollbackError } from 'nestjs-scoped-session';
import { QueryFailedError } from 'typeorm';
import { describe, expect, it } from 'vitest';
import { ALL_KINDS, onEach } from '../support/databases.js';
import { User } from '../support/users.js';
import { user, usersSession } from '../support/users-session.js';

const duplicate = (): User => user({ name: 'again', nick: 'x' });

onEach(ALL_KINDS, (database) => {
  const test = usersSession(database);

  it('TRX-09: a block whose flush fails is undone; what was added before it survives', async () => {
    const { session } = test;
    const three = user({ name: 'three' });
    session.add(three);
    const again = duplicate();
    const block = session.beginNested(async () => session.add(again));
    await expect(block).rejects.toThrow(QueryFailedError);
    expect(test.recorder.transactionControl).toEqual(['BEGIN', 'SAVEPOINT ss_1', 'ROLLBACK TO ss_1']);
    expect([test.state(three), test.state(again)]).toEqual(['persistent', 'transient']);
    expect([session.isActive, session.inNestedTransaction()]).toEqual([true, false]);
    await session.commit();
    expect(await test.names()).toEqual(['one', 'two', 'three']);
  });

  it('TRX-10: beginNested() stores what is pending, also without autoflush', async () => {
    const session = test.create({ autoflush: false });
    session.add(user({ name: 'three' }));
    const nested = await session.beginNested();
    expect(test.sent()).toEqual(['INSERT users']);
    expect(test.recorder.transactionControl).toEqual(['BEGIN', 'SAVEPOINT ss_1']);
    await nested.rollback();
    await session.commit();
    expect(await test.names()).toEqual(['one', 'two', 'three']);
  });

  it('TRX-12: only what was changed inside is expired; what is new inside is transient', async () => {
    const { session } = test;
    const [u1, u2] = await session.find(User, { order: { id: 'ASC' } });
    const nested = await session.beginNested();
    u2!.name = 'changed';
    const u3 = user({ name: 'three' });
    session.add(u3);
    await session.flush();
    await nested.rollback();
    test.take();
    expect([u1!.name, test.state(u3), u3.name]).toEqual(['one', 'transient', 'three']);
    expect(session.inTransaction()).toBe(true);
    expect(() => u2!.name).toThrow('User.name was expired');
    expect(test.sent()).toEqual([]);
    expect(await session.get(User, 2)).toBe(u2);
    expect([u2!.name, test.sent()]).toEqual(['two', ['SELECT users']]);
    await session.close();
  });

  it('TRX-13: a change that was not flushed is discarded, and never sent', async () => {
    const { session } = test;
    const one = await session.getOrFail(User, 1);
    const nested = await session.beginNested();
    one.name = 'never';
    test.take();
    await nested.rollback();
    expect(test.sent()).toEqual([]);
    expect([...session.dirty]).toEqual([]);
    await session.refresh(one);
    expect(one.name).toBe('one');
    await session.commit();
    expect(test.sent()).toEqual(['SELECT users']);
  });

  it('TRX-14: a savepoint that is kept stores its change, and expires nothing; rollback() still takes it back', async () => {
    const { session } = test;
    const one = await session.getOrFail(User, 1);
    const nested = await session.beginNested();
    one.name = 'uno';
    test.take();
    await nested.commit();
    expect(test.sent()).toEqual(['UPDATE users']);
    expect(test.recorder.transactionControl).toEqual(['RELEASE ss_1']);
    expect([one.name, session.dirty.size]).toEqual(['uno', 0]);
    await session.rollback();
    await session.refresh(one);
    expect(one.name).toBe('one');
    await session.close();
  });

  it('TRX-15: what is new inside a savepoint that was kept is not there after rollback()', async () => {
    const { session } = test;
    const three = user({ name: 'three' });
    await session.beginNested(async () => session.add(three));
    expect([session.has(three), test.state(three)]).toEqual([true, 'persistent']);
    await session.rollback();
    expect([session.has(three), test.state(three), three.name]).toEqual([false, 'transient', 'three']);
    expect(await session.count(User)).toBe(2);
    await session.close();
  });

  it('TRX-17: the outer savepoint takes back what the inner one has kept', async () => {
    const { session } = test;
    const one = await session.getOrFail(User, 1);
    const outer = await session.beginNested();
    const inner = await session.beginNested();
    one.name = 'inner';
    const three = user({ name: 'three' });
    session.add(three);
    const two = await session.getOrFail(User, 2);
    session.delete(two);
    await inner.commit();
    expect([one.name, test.state(two)]).toEqual(['inner', 'deleted']);
    await outer.rollback();
    await session.refresh(one);
    expect([one.name, test.state(three), test.state(two)]).toEqual(['one', 'transient', 'persistent']);
    await session.commit();
    expect(await test.names()).toEqual(['one', 'two']);
  });

  it('TRX-18: what was added before the savepoint stays when it is rolled back, and goes with the whole', async () => {
    const { session } = test;
    const three = user({ name: 'three' });
    session.add(three);
    const nested = await session.beginNested();
    await nested.rollback();
    expect([test.state(three), three.name]).toEqual(['persistent', 'three']);
    await session.rollback();
    expect([test.state(three), three.name, three.id]).toEqual(['transient', 'three', 3]);
    await session.close();
    expect(await test.names()).toEqual(['one', 'two']);
  });

  it('TRX-19: a change before the savepoint was stored by it, and is kept', async () => {
    const { session } = test;
    const one = await session.getOrFail(User, 1);
    one.name = 'uno';
    test.take();
    const nested = await session.beginNested();
    expect(test.sent()).toEqual(['UPDATE users']);
    await nested.rollback();
    expect(one.name).toBe('uno');
    await session.commit();
    expect(await test.names()).toEqual(['uno', 'two']);
  });

  it('TRX-21: rollback() with two open savepoints undoes the objects of all of them (deviation: by one ROLLBACK)', async () => {
    const { session } = test;
    const added = ['three', 'four', 'five'].map((name) => user({ name }));
    session.add(added[0]!);
    await session.beginNested();
    session.add(added[1]!);
    await session.beginNested();
    session.add(added[2]!);
    const two = await session.getOrFail(User, 2);
    two.name = 'changed';
    await session.flush();
    await session.rollback();
    expect(test.recorder.transactionControl.slice(-2)).toEqual(['SAVEPOINT ss_2', 'ROLLBACK']);
    expect([session.inTransaction(), added.map(test.state)]).toEqual([false, Array(3).fill('transient')]);
    await session.refresh(two);
    expect(two.name).toBe('two');
    await session.close();
    expect(await test.names()).toEqual(['one', 'two']);
  });

  describe('TRX-24: a flush that fails inside a savepoint', () => {
    it('refuses everything until the savepoint is rolled back; the whole is intact then', async () => {
      const { session } = test;
      session.add(user({ name: 'three' }));
      const nested = await session.beginNested();
      const [four, again] = [user({ name: 'four' }), duplicate()];
      session.add(four);
      await session.flush();
      session.add(again);
      const failure: unknown = await session.flush().catch((error: unknown) => error);
      expect(failure).toBeInstanceOf(QueryFailedError);
      expect([session.isActive, session.inTransaction(), session.inNestedTransaction()]).toEqual([
        false,
        true,
        true,
      ]);
      for (const use of [
        () => session.execute('SELECT 1'),
        () => session.find(User),
        () => session.flush(),
        () => nested.commit(),
        () => session.commit(),
      ]) {
        const refusal: unknown = await use().catch((error: unknown) => error);
        expect(refusal).toBeInstanceOf(PendingRollbackError);
        expect((refusal as PendingRollbackError).cause).toBe(failure);
      }
      await nested.rollback();
      expect([session.isActive, test.state(four), test.state(again)]).toEqual([
        true,
        'transient',
        'transient',
      ]);
      expect(await session.count(User)).toBe(3);
      await session.commit();
      expect(test.recorder.transactionControl).toEqual([
        'BEGIN',
        'SAVEPOINT ss_1',
        'ROLLBACK TO ss_1',
        'COMMIT',
      ]);
      expect(await test.names()).toEqual(['one', 'two', 'three']);
    });

    it('can be rolled back with the whole instead', async () => {
      const { session } = test;
      await session.beginNested();
      session.add(duplicate());
      await expect(session.flush()).rejects.toThrow(QueryFailedError);
      await session.rollback();
      expect([session.isActive, session.inTransaction(), session.new.size]).toEqual([true, false, 0]);
      expect(await session.count(User)).toBe(2);
      await session.close();
    });
  });
});
