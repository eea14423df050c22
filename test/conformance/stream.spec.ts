/** session.stream: rows one by one, on every kind of database. */
import { currentScope, runInScope, scopedSession } from 'nestjs-scoped-session';
import { expect, it } from 'vitest';
import { ALL_KINDS, onEach, SERVERS } from '../support/databases.js';
import { User } from '../support/users.js';
import { user, usersSession } from '../support/users-session.js';

const NUMBERS = `WITH RECURSIVE numbers AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM numbers WHERE n < :most)
  SELECT n FROM numbers`;

onEach(ALL_KINDS, (database) => {
  const test = usersSession(database);

  async function all<Row>(rows: AsyncIterable<Row>): Promise<Row[]> {
    const read: Row[] = [];
    for await (const row of rows) read.push(row);
    return read;
  }

  it('gives the rows of a statement with named parameters', async () => {
    const rows = test.session.stream<{ name: string }>(
      'SELECT name FROM users WHERE id >= :least AND name <> :name ORDER BY id',
      { least: 1, name: 'two' },
    );
    expect(await all(rows)).toEqual([{ name: 'one' }]);
    expect(await all(test.session.stream('SELECT id FROM users WHERE id = 99'))).toEqual([]);
    expect(
      await all(test.session.stream('SELECT id FROM users WHERE id IN (:ids);', { ids: [1, 2] })),
    ).toHaveLength(2);
  });

  it('gives more rows than are fetched at once, in order', async () => {
    for (const most of [100, 101, 1_000]) {
      const rows = await all(test.session.stream<{ n: unknown }>(NUMBERS, { most }));
      expect(rows.map(({ n }) => Number(n))).toEqual(Array.from({ length: most }, (_, index) => index + 1));
    }
  });

  it('gives the rows of a builder as its stream() does, untracked, and leaves the builder as it was', async () => {
    const query = test.session.query(User, 'user').where('user.name = :name', { name: 'one' });
    expect(await all(test.session.stream(query))).toEqual([{ user_id: 1, user_name: 'one', user_nick: 'x' }]);
    expect(test.session.identityMap.size).toBe(0);
    expect(await query.getOne()).toBeInstanceOf(User);
    const named = test.session.query(User, 'user').select('user.name', 'name').orderBy('user.id');
    expect(await all(test.session.stream<{ name: string }>(named))).toEqual([
      { name: 'one' },
      { name: 'two' },
    ]);
  });

  it('sees what was not flushed yet', async () => {
    test.session.add(user({ name: 'three' }));
    expect(await all(test.session.stream('SELECT name FROM users'))).toHaveLength(3);
    test.session.add(user({ name: 'four' }));
    expect(await all(test.session.stream(test.session.query(User)))).toHaveLength(4);
    await test.session.rollback();
  });

  it('sends nothing before the first row is asked for', async () => {
    const rows = test.session.stream('SELECT 1 AS n');
    expect([test.session.inTransaction(), test.out]).toEqual([false, 0]);
    await rows.next();
    expect(test.session.inTransaction()).toBe(true);
    await rows.return!();
  });

  it('F121: other statements, and COMMIT, are refused while rows are read, and taken behind the loop', async () => {
    const refusals: unknown[] = [];
    for await (const _row of test.session.stream(NUMBERS, { most: 1_000 })) {
      if (refusals.length > 0) continue;
      for (const asked of [
        () => test.session.scalar('SELECT 1'),
        () => test.session.stream('SELECT 1').next(),
        () => test.session.commit(),
      ])
        refusals.push(await asked().catch((error: unknown) => (error as { code: unknown }).code));
    }
    expect(refusals).toEqual(Array(3).fill('SS_ERR_ILLEGAL_STATE_CHANGE'));
    expect(Number(await test.session.scalar('SELECT 7'))).toBe(7);
    await test.session.commit();
  });

  it('a loop that is left frees the connection at once, by break and by throw', async () => {
    for (let count = 0; count < 3; count += 1) {
      for await (const _row of test.session.stream(NUMBERS, { most: 1_000 })) break;
      expect(Number(await test.session.scalar('SELECT 7'))).toBe(7);
    }
    const failing = (async () => {
      for await (const _row of test.session.stream(NUMBERS, { most: 1_000 })) throw new Error('mine');
    })();
    await expect(failing).rejects.toThrow('mine');
    for await (const _row of test.session.stream(NUMBERS, { most: 1_000 })) break;
    await test.session.commit();
    expect(test.out).toBe(0);
  });

  it('a statement that the database refuses rejects, at the first row', async () => {
    const rows = test.session.stream('SELECT nothing FROM nowhere');
    await expect(rows.next()).rejects.toThrow(/nowhere|nothing/);
    await test.session.rollback();
    expect(Number(await test.session.scalar('SELECT 7'))).toBe(7);
  });

  it('rows that are still read when their transaction is rolled back end with an error', async () => {
    const rows = test.session.stream(NUMBERS, { most: 1_000 });
    await rows.next();
    await test.session.rollback();
    const read = all(rows);
    await expect(read).rejects.toMatchObject({ code: 'SS_ERR_TRANSACTION_CLOSED' });
    expect(Number(await test.session.scalar('SELECT 7'))).toBe(7);
  });

  it('F89: rows are read in the scope of whoever asked, and not after its end', async () => {
    const scoped = scopedSession(test.factory);
    let kept: AsyncIterableIterator<unknown>;
    await scoped.run(async () => {
      const scope = currentScope();
      for await (const _row of scoped.stream(NUMBERS, { most: 300 })) expect(currentScope()).toBe(scope);
      kept = scoped.stream('SELECT 1');
    });
    await expect(kept!.next()).rejects.toMatchObject({ code: 'SS_ERR_SESSION_CLOSED' });
    await runInScope(async () => {
      kept = scoped.stream('SELECT 1');
      await scoped.remove();
    });
  });

  it('refuses what cannot be sent at the call', () => {
    for (const call of [
      () => test.session.stream(''),
      () => test.session.stream('SELECT :id'),
      () => test.session.stream('SELECT :id', [1] as never),
      () => test.session.stream(User as never),
    ])
      expect(call).toThrow(expect.objectContaining({ code: 'SS_ERR_INVALID_PARAMETER' }));
  });
});

onEach(SERVERS, (database) => {
  const test = usersSession(database);

  it('F121: a result of 100,000 rows is not fetched before it is read', async () => {
    const many =
      database.kind === 'mariadb'
        ? 'SELECT seq AS n FROM seq_1_to_100000'
        : 'SELECT n FROM generate_series(1, 100000) AS numbers (n)';
    let fetched = 0;
    const rows = await test.session.queryRunner.stream(many);
    const push = rows.push.bind(rows);
    rows.push = (row: unknown) => {
      fetched += 1;
      return push(row);
    };
    const reader = rows[Symbol.asyncIterator]();
    await reader.next();
    await new Promise((resolve) => setImmediate(resolve));
    expect(fetched).toBeLessThan(20_000);
    let count = 1;
    for await (const _row of { [Symbol.asyncIterator]: () => reader }) count += 1;
    expect(count).toBe(100_000);
  });

  it('an error in the middle rejects, and only the rollback is accepted where the server says so', async () => {
    const failing =
      database.kind === 'postgres'
        ? 'SELECT 1 / (500 - n) AS n FROM generate_series(1, 1000) AS numbers (n)'
        : `SELECT IF(seq < 500, seq, (SELECT 1 UNION SELECT 2)) AS n FROM seq_1_to_1000`;
    let count = 0;
    const read = (async () => {
      for await (const _row of test.session.stream(failing)) count += 1;
    })();
    await expect(read).rejects.toThrow(/division by zero|more than 1 row/);
    expect(count).toBeGreaterThan(0);
    expect(test.session.isActive).toBe(database.kind !== 'postgres');
    await test.session.rollback();
    expect(Number(await test.session.scalar('SELECT 7'))).toBe(7);
  });

  it('a connection that is given up ends the rows that are read from it', async () => {
    const rows = test.session.stream(NUMBERS, { most: 900 });
    await rows.next();
    await test.session.invalidate();
    const read = (async () => {
      for await (const _row of rows) continue;
    })();
    await expect(read).rejects.toThrow('The session was invalidated.');
    expect(Number(await test.session.scalar('SELECT 7'))).toBe(7);
  });
});
