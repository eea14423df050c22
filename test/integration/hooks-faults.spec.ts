/** Hooks and what the server does to a transaction: refused and lost COMMITs, lost connections, deadlocks, DDL. */
import { PendingRollbackError } from 'nestjs-scoped-session';
import { beforeEach, expect, it } from 'vitest';
import { onEach, SERVERS } from '../support/databases.js';
import { connectionId, kill, loseAtCommit, type Ours, ours } from '../support/plain-and-ours.js';
import { signal } from '../support/wait-until.js';

let test: Ours;
let calls: string[];
const add = (text: string): Promise<unknown> =>
  test.session.execute('INSERT INTO note (text) VALUES (:text)', { text });
/** Registers one of each kind, which note their calls under this name. */
const watch = (name: string): void => {
  const { session } = test;
  session.beforeCommit(() => void calls.push(`${name} before`));
  session.afterCommit(() => void calls.push(`${name} committed`));
  session.afterRollback(() => void calls.push(`${name} rolled back`));
  session.afterCompletion((outcome) => void calls.push(`${name} completed: ${outcome}`));
};

onEach(SERVERS, (database) => {
  beforeEach(async () => {
    calls = [];
    test = await ours(database);
  });

  it('after a COMMIT whose answer was lost only afterCompletion is called, with unknown', async () => {
    const work = test.session.run(async (session) => {
      watch('a');
      await add('x');
      await loseAtCommit(session);
    });
    await expect(work).rejects.toMatchObject({ outcome: 'unknown' });
    expect(calls).toEqual(['a before', 'a completed: unknown']);
  });

  it('after a connection that was lost on the way they hear of the ROLLBACK', async () => {
    const work = test.session.run(async () => {
      watch('a');
      await add('x');
      await kill(database, await connectionId(test.session));
      await add('y');
    });
    await expect(work).rejects.toBeInstanceOf(Error);
    expect(calls).toEqual(['a rolled back', 'a completed: rolledBack']);
  });

  it('a deadlock in a NESTED part, swallowed, is the whole’s failure', async () => {
    await test.session.run(() => add('1').then(() => add('2')));
    const [first, second] = [signal(), signal()];
    const lock = (text: string): Promise<unknown> =>
      test.session.execute('UPDATE note SET text = text WHERE text = :text', { text });
    const cross = (own: string, other: string, mine: typeof first, theirs: typeof first): Promise<unknown> =>
      test.session.run(async () => {
        watch(own);
        await lock(own);
        mine.resolve();
        await theirs.promise;
        await test.session.transactional(() => lock(other), { propagation: 'NESTED' }).catch(() => undefined);
      });
    const ends = await Promise.allSettled([cross('1', '2', first, second), cross('2', '1', second, first)]);
    const failed = ends.filter(({ status }) => status === 'rejected');
    // Postgres goes back to the savepoint; in MariaDB nothing is left to go back to.
    const isWhole = database.kind === 'mariadb';
    const reasons = failed.map(
      (end) => (end as PromiseRejectedResult).reason instanceof PendingRollbackError,
    );
    expect(reasons).toEqual(isWhole ? [true] : []);
    expect(calls.filter((call) => call.endsWith('rolled back'))).toHaveLength(isWhole ? 1 : 0);
  });
});

onEach(['postgres'], (database) => {
  it('a COMMIT that the server refuses is a ROLLBACK for them', async () => {
    calls = [];
    test = await ours(database);
    await test.dataSource.query(
      'CREATE TABLE child (id int, note int REFERENCES note (id) DEFERRABLE INITIALLY DEFERRED)',
    );
    const work = test.session.run(async (session) => {
      watch('a');
      await session.execute('INSERT INTO child VALUES (1, 99)');
    });
    await expect(work).rejects.toThrow(/foreign key/);
    expect(calls).toEqual(['a before', 'a rolled back', 'a completed: rolledBack']);
    await test.dataSource.query('DROP TABLE child');
  });
});

onEach(['mariadb'], (database) => {
  it('what DDL has committed implicitly is unknown to them', async () => {
    calls = [];
    test = await ours(database);
    const work = test.session.run(async (session) => {
      watch('a');
      await add('x');
      await session.execute('CREATE TABLE other (id int)').catch(() => undefined);
      await add('y').catch(() => undefined);
    });
    await expect(work).rejects.toBeInstanceOf(Error);
    expect(calls).toEqual(['a completed: unknown']);
    await test.dataSource.query('DROP TABLE IF EXISTS other');
  });
});
