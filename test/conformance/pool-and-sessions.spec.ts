/** POOL: what sessions and scopes hold of a pool, and that it comes back clean. */
import { PoolTimeoutError, runInScope, type ScopedSession, scopedSession } from 'nestjs-scoped-session';
import { describe, expect, it } from 'vitest';
import { ALL_KINDS, isSqlite, onEach } from '../support/databases.js';
import { named, pool } from '../support/pools.js';
import { INSERT_USER, type Users } from '../support/users.js';
import { signal } from '../support/wait-until.js';

onEach(ALL_KINDS, (database) => {
  describe('POOL-34: of two scopes on a pool of one', () => {
    const both = async (test: Users, end: (first: ScopedSession) => Promise<unknown>): Promise<void> => {
      const scoped = scopedSession(test.factory);
      const [held, refused] = [signal(), signal()];
      const first = runInScope(async () => {
        await scoped.execute(INSERT_USER, named('three'));
        held.resolve();
        await refused.promise;
        await end(scoped);
      });
      await runInScope(async () => {
        await held.promise;
        await expect(scoped.execute('SELECT 1')).rejects.toThrow(PoolTimeoutError);
        refused.resolve();
        await first;
        expect(Number(await scoped.scalar('SELECT COUNT(*) FROM users'))).toBe(2);
        await scoped.remove();
      });
    };

    it('the second gets its connection when the first has called remove()', async () => {
      await both(await pool(database, 1, 50), (first) => first.remove());
    });

    it('the second gets its connection when the first has ended without it', async () => {
      await both(await pool(database, 1, 50), async () => undefined);
    });
  });

  it('POOL-35: a scope that has committed holds nothing; a later read takes a connection until remove()', async () => {
    const test = await pool(database, 1);
    const scoped = scopedSession(test.factory);
    await runInScope(async () => {
      await scoped.execute(INSERT_USER, named('three'));
      expect(test.out).toBe(1);
      await scoped.commit();
      expect(test.out).toBe(0);
      await scoped.scalar('SELECT COUNT(*) FROM users');
      expect(test.out).toBe(1);
      await scoped.remove();
      expect(test.out).toBe(0);
    });
  });

  describe('POOL-36: a connection on which a transaction was open', () => {
    const isClean = async (test: Users): Promise<void> => {
      expect(test.out).toBe(0);
      await using session = test.factory.create();
      expect(await session.scalars('SELECT name FROM users ORDER BY id')).toEqual(['one', 'two']);
      // No lock is left: the same row can be written at once.
      await session.execute(INSERT_USER, { name: 'three', nick: 'unique' });
      await session.commit();
      expect(await test.names()).toEqual(['one', 'two', 'three']);
    };

    it.each(['rollback', 'close', 'reset', 'invalidate'] as const)('is clean after %s()', async (end) => {
      const test = await pool(database, 1);
      const session = test.factory.create();
      await session.execute(INSERT_USER, { name: 'lost', nick: 'unique' });
      await session[end]();
      await isClean(test);
    });

    it('is clean though the transaction was opened by hand', async () => {
      const test = await pool(database, 1);
      const session = test.factory.create();
      await session.query('COMMIT');
      await session.close();
      const again = test.factory.create();
      const connection = (await again.connection()) as {
        query(sql: string, done: (error: unknown) => void): unknown;
        exec(sql: string): unknown;
      };
      const byHand = (sql: string): Promise<unknown> =>
        isSqlite(database.kind)
          ? Promise.resolve(connection.exec(sql))
          : new Promise((resolve, reject) =>
              connection.query(sql, (error) => (error ? reject(error) : resolve(undefined))),
            );
      for (const sql of ['COMMIT', 'BEGIN', "INSERT INTO users (name, nick) VALUES ('by hand', 'unique')"])
        await byHand(sql);
      await again.close();
      await isClean(test);
    });
  });
});
