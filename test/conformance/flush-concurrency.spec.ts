/** B4, LIF-33: calls that are made at the same time on one session, and calls from inside a flush. */
import { FlushError, IllegalStateChangeError, type SessionBase } from 'nestjs-scoped-session';
import { type EntitySubscriberInterface, EventSubscriber, type InsertEvent } from 'typeorm';
import { beforeEach, describe, expect, it } from 'vitest';
import { ALL_KINDS, onEach } from '../support/databases.js';
import { Address, User } from '../support/users.js';
import { user, usersSession } from '../support/users-session.js';

type Told = (event: InsertEvent<User>) => unknown;
let told: Told = () => undefined;

@EventSubscriber()
class UserSubscriber implements EntitySubscriberInterface<User> {
  listenTo(): typeof User {
    return User;
  }

  async afterInsert(event: InsertEvent<User>): Promise<void> {
    await told(event);
  }
}

const codes = (results: readonly PromiseSettledResult<unknown>[]): unknown[] =>
  results.map((result) =>
    result.status === 'fulfilled' ? 'done' : ((result.reason as { code?: string }).code ?? result.reason),
  );

onEach(ALL_KINDS, (database) => {
  const test = usersSession(database);
  const family = (): User =>
    user({ name: 'three', addresses: [Object.assign(new Address(), { email: 'a@b' })] });

  it('a flush of several statements is not interrupted by what is asked for meanwhile', async () => {
    const { session } = test;
    session.add(family());
    const [, found, one, addresses] = await Promise.all([
      session.flush(),
      session.find(User),
      session.get(User, 1),
      session.count(Address),
    ]);
    expect([found.length, one?.name, addresses]).toEqual([3, 'one', 1]);
    expect(test.sent().slice(0, 2)).toEqual(['INSERT users', 'INSERT addresses']);
    expect(
      test
        .sent()
        .slice(2)
        .every((sql) => sql.startsWith('SELECT')),
    ).toBe(true);
    await session.commit();
    expect(test.recorder.transactionControl).toEqual(['BEGIN', 'COMMIT']);
  });

  it('several flushes at once store everything once', async () => {
    const { session } = test;
    session.add(family());
    await Promise.all([session.flush(), session.flush(), session.find(User), session.flush()]);
    expect(test.sent().filter((sql) => sql.startsWith('INSERT'))).toEqual([
      'INSERT users',
      'INSERT addresses',
    ]);
    await session.commit();
    expect(await test.names()).toEqual(['one', 'two', 'three']);
  });

  it('flush() beside commit() stores once; the transaction is over after it', async () => {
    const { session } = test;
    session.add(family());
    expect(codes(await Promise.allSettled([session.flush(), session.commit(), session.commit()]))).toEqual([
      'done',
      'done',
      'SS_ERR_ILLEGAL_STATE_CHANGE',
    ]);
    expect([session.inTransaction(), test.out]).toEqual([false, 0]);
    session.add(user({ name: 'four' }));
    await Promise.allSettled([session.commit(), session.flush()]);
    expect([session.inTransaction(), test.out]).toEqual([false, 0]);
    expect(await test.names()).toEqual(['one', 'two', 'three', 'four']);
  });

  it('what is added and changed while a flush is under way is stored by the next', async () => {
    const { session } = test;
    const one = await session.getOrFail(User, 1);
    session.add(family());
    const flushed = session.flush();
    const four = user({ name: 'four' });
    session.add(four);
    one.name = 'uno';
    await flushed;
    expect(test.sent().filter((sql) => sql === 'INSERT addresses')).toHaveLength(1);
    await session.commit();
    expect(await test.names()).toEqual(['uno', 'two', 'three', 'four']);
    expect([session.new.size, session.dirty.size]).toEqual([0, 0]);
  });

  it('those that wait behind a flush that fails are refused, and nothing hangs', async () => {
    const { session } = test;
    session.add(user({ name: 'again', nick: 'x' }));
    const results = await Promise.allSettled([
      session.flush().catch(() => Promise.reject(new Error('the first'))),
      session.find(User),
      session.flush(),
      session.commit(),
    ]);
    expect(codes(results).slice(1)).toEqual(Array(3).fill('SS_ERR_PENDING_ROLLBACK'));
    expect(codes(results)[0]).toBeInstanceOf(Error);
    await session.rollback();
    expect(await session.count(User)).toBe(2);
    await session.close();
  });

  it('rollback() beside a flush comes after it, and takes it back', async () => {
    const { session } = test;
    const three = family();
    session.add(three);
    await Promise.all([session.flush(), session.rollback()]);
    expect([test.state(three), session.inTransaction(), test.out]).toEqual(['transient', false, 0]);
    expect(await test.names()).toEqual(['one', 'two']);
  });
});

onEach(ALL_KINDS, (database) => {
  // Before the tables of the next test are filled.
  beforeEach(() => {
    told = () => undefined;
  });

  const test = usersSession(database, { dataSource: { subscribers: [UserSubscriber] } });

  describe('from inside a flush', () => {
    const REFUSED: readonly (readonly [string, (session: SessionBase) => Promise<unknown>])[] = [
      ['flush()', (session) => session.flush()],
      ['commit()', (session) => session.commit()],
      ['rollback()', (session) => session.rollback()],
      ['close()', (session) => session.close()],
      ['beginNested()', (session) => session.beginNested()],
    ];

    it.each(REFUSED)('%s is refused, and the flush goes on when that is caught', async (_name, call) => {
      const { session } = test;
      let refusal: unknown;
      told = async () => {
        refusal ??= await call(session).catch((error: unknown) => error);
      };
      session.add(user({ name: 'three' }));
      await session.flush();
      expect(refusal).toBeInstanceOf(IllegalStateChangeError);
      expect((refusal as Error).message).toContain('flush');
      await session.commit();
      expect(test.recorder.transactionControl).toEqual(['BEGIN', 'COMMIT']);
      expect(await test.names()).toEqual(['one', 'two', 'three']);
    });

    it.each(REFUSED)('%s that is not caught fails the flush', async (_name, call) => {
      const { session } = test;
      told = () => call(session);
      session.add(user({ name: 'three' }));
      await expect(session.commit()).rejects.toThrow(IllegalStateChangeError);
      expect(session.isActive).toBe(false);
      await session.rollback();
      expect(await test.names()).toEqual(['one', 'two']);
    });

    it('queries see what was flushed until then, and do not flush', async () => {
      const { session } = test;
      const counts: number[] = [];
      told = async ({ manager }) => {
        counts.push(await session.count(User), await manager.count(User));
      };
      session.add(user({ name: 'three' }));
      await session.commit();
      expect(counts).toEqual([3, 3]);
    });

    it('a savepoint around other statements is one, and leaves the objects of the flush alone', async () => {
      const { session } = test;
      told = async ({ manager }) => {
        await manager
          .transaction(async (inner) => {
            await inner.insert(Address, { email: 'lost' });
            throw new Error('never mind');
          })
          .catch(() => undefined);
        await session.beginNested(() => manager.insert(Address, { email: 'kept' }));
      };
      const three = user({ name: 'three' });
      const one = await session.getOrFail(User, 1);
      one.name = 'uno';
      session.add(three);
      await session.commit();
      expect([test.state(three), three.id, one.name]).toEqual(['persistent', 3, 'uno']);
      expect((await session.find(Address)).map(({ email }) => email)).toEqual(['kept']);
      await session.close();
      expect(await test.names()).toEqual(['uno', 'two', 'three']);
    });
  });

  it('LIF-33: what a subscriber adds during a flush is stored before the COMMIT', async () => {
    const { session } = test;
    const more = [user({ name: 'four' }), user({ name: 'five' })];
    told = () => {
      const next = more.shift();
      if (next !== undefined) session.add(next);
    };
    session.add(user({ name: 'three' }));
    await session.commit();
    expect(test.recorder.transactionControl).toEqual(['BEGIN', 'COMMIT']);
    expect(test.sent().filter((sql) => sql === 'INSERT users')).toHaveLength(3);
    expect([session.new.size, session.inTransaction()]).toEqual([0, false]);
    expect(await test.names()).toEqual(['one', 'two', 'three', 'four', 'five']);
  });

  it('a subscriber that adds one more each time is stopped, and nothing is stored', async () => {
    const { session } = test;
    told = ({ entity }) => session.add(user({ name: `after ${entity.id}` }));
    session.add(user({ name: 'three' }));
    await expect(session.commit()).rejects.toThrow(FlushError);
    expect(test.recorder.transactionControl).not.toContain('COMMIT');
    told = () => undefined;
    await session.rollback();
    expect(await session.count(User)).toBe(2);
    await session.close();
  });
});
