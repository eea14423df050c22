/** SCO, MKR, FLK: what becomes of a session's objects at the end of its scope, and of all sessions. */
import {
  currentScope,
  ExpiredPropertyError,
  runInScope,
  type ScopedSession,
  scopedSession,
  sessionFactory,
} from 'nestjs-scoped-session';
import { beforeEach, describe, expect, it } from 'vitest';
import { ALL_KINDS, onEach } from '../support/databases.js';
import { User } from '../support/users.js';
import { user, usersSession } from '../support/users-session.js';

onEach(ALL_KINDS, (database) => {
  const test = usersSession(database);
  let scoped: ScopedSession;

  beforeEach(() => {
    scoped = scopedSession(test.factory);
  });

  it('SCO-11: remove() detaches what was loaded; its values stay readable', async () => {
    await runInScope(async () => {
      const one = await scoped.getOrFail(User, 1);
      one.name = 'not flushed';
      const three = user({ name: 'three' });
      scoped.add(three);
      await scoped.remove();
      expect([test.state(one), test.state(three)]).toEqual(['detached', 'transient']);
      expect([one.name, one.nick, scoped.has(one), scoped.identityMap.size]).toEqual([
        'not flushed',
        'x',
        false,
        0,
      ]);
    });
    expect(await test.names()).toEqual(['one', 'two']);
  });

  it('SCO-20: what is set on the scoped session is set on the scope’s session', async () => {
    await runInScope(async () => {
      scoped.autoflush = false;
      expect(scoped.current().autoflush).toBe(false);
      scoped.add(user({ name: 'three' }));
      expect(await scoped.count(User)).toBe(2);
      await scoped.remove();
      expect(scoped.autoflush).toBe(true);
      await scoped.remove();
    });
  });

  it('SCO-31: in a scope that nobody removed, the next task stores what the last one added', async () => {
    const keyed = scopedSession(test.factory, () => 'a worker');
    keyed.add(user({ name: 'left over' }));
    // The next task begins; nobody has called remove().
    await keyed.commit();
    expect(await test.names()).toEqual(['one', 'two', 'left over']);
    keyed.add(user({ name: 'removed in time' }));
    await keyed.remove();
    await keyed.commit();
    await keyed.remove();
    expect(await test.names()).toEqual(['one', 'two', 'left over']);
  });

  it('MKR-06: sessions that are closed are empty (deviation: each is closed by whoever has it, none by a call for all)', async () => {
    const sessions = [test.create(), test.create()];
    const pending = sessions.map((session, index) => {
      const entity = user({ name: `pending ${index}` });
      session.add(entity);
      return entity;
    });
    for (const session of sessions) await session.close();
    for (const [index, session] of sessions.entries()) {
      expect([[...session], session.new.size, session.inTransaction()]).toEqual([[], 0, false]);
      expect([session.has(pending[index]!), test.state(pending[index]!)]).toEqual([false, 'transient']);
    }
    expect(test.recorder.take()).toEqual([]);
  });

  describe('the end of a unit of work', () => {
    it('FLK-04: what was added and flushed by runInScope, which commits nothing, is not there', async () => {
      const three = user({ name: 'three' });
      await runInScope(async () => {
        scoped.add(three);
        await scoped.flush();
        expect([test.state(three), test.out]).toEqual(['persistent', 1]);
      });
      expect(test.recorder.transactionControl).toEqual(['BEGIN', 'ROLLBACK']);
      expect([test.out, currentScope()]).toEqual([0, undefined]);
      expect([test.state(three), three.name]).toEqual(['detached', 'three']);
      expect(await test.names()).toEqual(['one', 'two']);
    });

    it('FLK-05: what was committed by hand is, with no ROLLBACK after it', async () => {
      const three = user({ name: 'three' });
      await runInScope(async () => {
        scoped.add(three);
        await scoped.commit();
      });
      expect(test.sent()).toEqual(['INSERT users']);
      expect(test.recorder.transactionControl).toEqual(['BEGIN', 'COMMIT']);
      expect([test.state(three), test.out]).toEqual(['detached', 0]);
      expect(await test.names()).toEqual(['one', 'two', 'three']);
    });

    it('FLK-07: run() stores everything before it returns, and its objects can be read', async () => {
      const [one, three] = await scoped.run(async () => {
        const added = user({ name: 'three' });
        scoped.add(added);
        const loaded = await scoped.getOrFail(User, 1);
        loaded.name = 'uno';
        return [loaded, added] as const;
      });
      expect(test.recorder.transactionControl).toEqual(['BEGIN', 'COMMIT']);
      expect([one.name, one.nick, three.id]).toEqual(['uno', 'x', 3]);
      expect([test.state(one), test.state(three)]).toEqual(['detached', 'detached']);
      expect(await test.names()).toEqual(['uno', 'two', 'three']);
    });

    it('the same with expireOnCommit: a commit by hand expires, the end does not', async () => {
      const expiring = scopedSession(sessionFactory(test.engine, { expireOnCommit: true }));
      const one = await expiring.run(async () => {
        const loaded = await expiring.getOrFail(User, 1);
        await expiring.commit();
        expect(() => loaded.name).toThrow(ExpiredPropertyError);
        await expiring.refresh(loaded);
        loaded.name = 'uno';
        return loaded;
      });
      expect([one.name, one.nick, test.state(one)]).toEqual(['uno', 'x', 'detached']);
    });

    it('FLK-08: work that throws stores nothing; its objects are detached as they are, not expired', async () => {
      const one = await test.session.getOrFail(User, 1);
      await test.session.close();
      const three = user({ name: 'three' });
      const work = scoped.run(async () => {
        scoped.add(one);
        one.name = 'uno';
        scoped.add(three);
        await scoped.flush();
        throw new Error('of the work');
      });
      await expect(work).rejects.toThrow('of the work');
      expect([one.name, three.name, test.state(one)]).toEqual(['uno', 'three', 'detached']);
      expect(await test.names()).toEqual(['one', 'two']);
    });

    it('FLK-11: a flush at the end that fails is the error of the work; the next one is clean', async () => {
      const again = user({ name: 'again', nick: 'x' });
      const work = scoped.run(async () => scoped.add(again));
      await expect(work).rejects.toMatchObject({ name: 'QueryFailedError' });
      expect([test.state(again), again.id, test.out]).toEqual(['transient', undefined, 0]);
      expect(test.recorder.transactionControl).toEqual(['BEGIN', 'ROLLBACK']);
      expect(await scoped.run(() => scoped.count(User))).toBe(2);
    });
  });
});
