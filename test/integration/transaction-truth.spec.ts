/** What the server did to a transaction outranks what the session thought: nothing autocommits, nothing is half stored. */
import { PendingRollbackError, type ScopedSession } from 'nestjs-scoped-session';
import { type DataSource, QueryFailedError, type QueryRunner } from 'typeorm';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { classifyFailure } from '../../src/engine/failures.js';
import {
  ALL_KINDS,
  isSqlite,
  onEach,
  SQLITE_FILES,
  SERVERS,
  type TestDatabase,
} from '../support/databases.js';
import { connectionId, kill, ours, texts } from '../support/plain-and-ours.js';
import { waitUntil } from '../support/wait-until.js';

const insert = (text: string): string => `INSERT INTO note (text) VALUES ('${text}')`;

/** Nothing but a rollback is accepted; after it the session works, and of the spoilt transaction only `stored` is there. */
async function acceptsOnlyARollback(
  session: ScopedSession,
  dataSource: DataSource,
  { reason, stored = [] }: { reason: RegExp; stored?: readonly string[] },
): Promise<void> {
  expect(session.isActive).toBe(false);
  for (const refused of [
    session.execute(insert('refused')),
    session.query(insert('refused')),
    session.commit(),
  ]) {
    await expect(refused).rejects.toThrow(PendingRollbackError);
    await expect(refused).rejects.toThrow(reason);
  }
  await session.rollback();
  expect(session.isActive).toBe(true);
  await session.execute(insert('after the rollback'));
  await session.commit();
  expect(await texts(dataSource)).toEqual([...stored, 'after the rollback']);
}

/** Another client, in a transaction of its own. */
async function opponent(dataSource: DataSource, ...statements: string[]): Promise<QueryRunner> {
  const runner = dataSource.createQueryRunner();
  await runner.connect();
  await runner.query('START TRANSACTION');
  for (const sql of statements) await runner.query(sql);
  return runner;
}

async function end(runner: QueryRunner, how: 'COMMIT' | 'ROLLBACK' = 'ROLLBACK'): Promise<void> {
  if (runner.isReleased) return;
  await runner.query(how);
  await runner.release();
}

onEach(ALL_KINDS, (database) => {
  describe('a transaction that is ended by hand', () => {
    const alsoEnd: [string, string[]][] = isSqlite(database.kind)
      ? [['END', ['by hand']]]
      : [
          ['COMMIT AND CHAIN', ['by hand']],
          ['ROLLBACK AND CHAIN', []],
        ];
    it.each<[sql: string, stored: string[]]>([['COMMIT', ['by hand']], ['ROLLBACK', []], ...alsoEnd])(
      'with %s',
      async (sql, stored) => {
        const { session, dataSource } = await ours(database);
        await session.run(async () => {
          await session.execute(insert('by hand'));
          await session.query(sql);
          await acceptsOnlyARollback(session, dataSource, { reason: /ended the transaction/, stored });
        });
      },
    );

    it('is said to be in doubt: what it had done may be stored', async () => {
      const { session } = await ours(database);
      const work = session.run(async () => {
        await session.execute(insert('by hand'));
        await session.query('COMMIT');
      });
      await expect(work).rejects.toMatchObject({ code: 'SS_ERR_PENDING_ROLLBACK', outcome: 'unknown' });
    });
  });
});

onEach(SERVERS, (database) => {
  const LOCK_NOW =
    database.kind === 'mariadb'
      ? 'SET SESSION innodb_lock_wait_timeout = 1'
      : "SET LOCAL lock_timeout = '300ms'";
  const RESTORE = database.kind === 'mariadb' ? 'SET SESSION innodb_lock_wait_timeout = DEFAULT' : 'SELECT 1';
  const CODE = database.kind === 'mariadb' ? /ER_LOCK_WAIT_TIMEOUT/ : /55P03/;

  describe('a lock that was waited for too long', () => {
    let session: ScopedSession;
    let dataSource: DataSource;
    let other: QueryRunner;

    beforeEach(async () => {
      ({ session, dataSource } = await ours(database, { poolSize: 2 }));
      await dataSource.query(insert('locked'));
      other = await opponent(dataSource, 'SELECT * FROM note WHERE id = 1 FOR UPDATE');
    });

    afterEach(() => end(other));

    const wait = async (): Promise<void> => {
      const failure: unknown = await session
        .execute("UPDATE note SET text = 'half' WHERE id = 1")
        .catch((error: unknown) => error);
      expect(failure).toBeInstanceOf(QueryFailedError);
      expect(classifyFailure(failure)).toMatchObject({ kind: 'statementUndone', retryable: true });
    };

    it('makes the transaction rollback-only: half of it would be stored', async () => {
      await session.run(async () => {
        await session.query(LOCK_NOW);
        await session.execute(insert('the other half'));
        await wait();
        await end(other);
        await acceptsOnlyARollback(session, dataSource, { reason: CODE, stored: ['locked'] });
        await session.query(RESTORE);
      });
    });

    it('fails the unit of work though the error was swallowed', async () => {
      const work = session.run(async () => {
        await session.query(LOCK_NOW);
        await session.execute(insert('the other half'));
        await wait();
      });
      await expect(work).rejects.toThrow(PendingRollbackError);
      await expect(work).rejects.toMatchObject({
        outcome: 'rolledBack',
        cause: expect.any(QueryFailedError),
      });
      await end(other);
      await session.run(() => session.query(RESTORE));
      expect(await texts(dataSource)).toEqual(['locked']);
    });

    it('is mended by the rollback of a savepoint from before it', async () => {
      await session.run(async () => {
        await session.query(LOCK_NOW);
        await session.execute(insert('before'));
        const nested = session.beginNested(async () => {
          await session.execute(insert('inside'));
          await wait();
          await session.execute(insert('refused'));
        });
        await expect(nested).rejects.toThrow(PendingRollbackError);
        expect(session.isActive).toBe(true);
        await session.execute(insert('after'));
        await session.query(RESTORE);
      });
      await end(other);
      expect(await texts(dataSource)).toEqual(['locked', 'before', 'after']);
    });

    it('is not mended by the end of a savepoint whose block went well', async () => {
      const work = session.run(async () => {
        await session.query(LOCK_NOW);
        await session.beginNested(wait);
      });
      await expect(work).rejects.toThrow(PendingRollbackError);
      await end(other);
      await session.run(() => session.query(RESTORE));
    });
  });

  it('a statement that was cancelled makes the transaction rollback-only', async () => {
    const { session, dataSource } = await ours(database);
    await session.run(async () => {
      await session.execute(insert('half'));
      const sleeping =
        database.kind === 'mariadb'
          ? 'SET STATEMENT max_statement_time = 0.1 FOR SELECT COUNT(*), SLEEP(5) FROM note'
          : "SELECT set_config('statement_timeout', '100ms', true)";
      const work = session.query(sleeping).then(() => session.query('SELECT pg_sleep(5)'));
      await expect(work).rejects.toThrow(QueryFailedError);
      await acceptsOnlyARollback(session, dataSource, { reason: /was cancelled \((1969|57014)\)/ });
    });
  });

  it('a statement that was killed by name makes the transaction rollback-only', async () => {
    const { session, dataSource } = await ours(database);
    await session.run(async () => {
      await session.execute(insert('half'));
      const id = await connectionId(session);
      const isMysql = database.kind === 'mariadb';
      const running = session.query(isMysql ? 'SELECT SLEEP(20) FROM note' : 'SELECT pg_sleep(20)');
      const failed = running.catch((error: unknown) => error);
      await isRunning(database, id);
      await database.ask(isMysql ? `KILL QUERY ${id}` : `SELECT pg_cancel_backend(${id})`);
      expect(await failed).toBeInstanceOf(QueryFailedError);
      await acceptsOnlyARollback(session, dataSource, { reason: /was cancelled/ });
    });
  });

  it('a connection that is lost in the middle of a statement', async () => {
    const { session, dataSource } = await ours(database);
    await session.run(async () => {
      await session.execute(insert('lost'));
      const id = await connectionId(session);
      const running = session.query(
        database.kind === 'mariadb' ? 'SELECT SLEEP(20) FROM note' : 'SELECT pg_sleep(20)',
      );
      const failed = running.catch((error: unknown) => error);
      await isRunning(database, id);
      await kill(database, id);
      expect(classifyFailure(await failed)).toMatchObject({
        fatal: true,
        retryable: true,
        outcome: 'rolledBack',
      });
      await acceptsOnlyARollback(session, dataSource, { reason: /its connection was lost/ });
    });
  });

  it('a duplicate key leaves MySQL its transaction, and takes that of PostgreSQL', async () => {
    const { session, dataSource } = await ours(database);
    await dataSource.query(insert('there'));
    await session.run(async () => {
      await session.execute(insert('new'));
      const failure: unknown = await session.execute(insert('there')).catch((error: unknown) => error);
      expect(classifyFailure(failure)).toMatchObject({ kind: 'constraint', retryable: false });
      if (database.kind === 'mariadb') return session.commit();
      return acceptsOnlyARollback(session, dataSource, {
        reason: /a statement in it failed \(23505\)/,
        stored: ['there'],
      });
    });
  });
});

async function isRunning(database: TestDatabase, id: number): Promise<void> {
  const asked =
    database.kind === 'mariadb'
      ? `SELECT 1 FROM information_schema.processlist WHERE id = ${id} AND info LIKE '%SLEEP%'`
      : `SELECT 1 FROM pg_stat_activity WHERE pid = ${id} AND state = 'active' AND query LIKE '%sleep%'`;
  await waitUntil('the statement runs', async () => (await database.ask(asked)).length > 0);
}

onEach(['mariadb'], (database) => {
  it('a deadlock: the server has rolled back, and what follows would autocommit', async () => {
    const { session, dataSource } = await ours(database, { poolSize: 2 });
    await dataSource.query("INSERT INTO note (text) VALUES ('a'), ('b')");
    const filler = Array.from({ length: 200 }, (_, n) => `('filler ${n}')`).join();
    // Having changed more, it is not the victim.
    const other = await opponent(
      dataSource,
      `INSERT INTO note (text) VALUES ${filler}`,
      "UPDATE note SET text = 'b2' WHERE id = 2",
    );
    await session.run(async () => {
      await session.execute(insert('lost'));
      await session.execute('UPDATE note SET text = text WHERE id = 1');
      const waiting = other.query("UPDATE note SET text = 'a2' WHERE id = 1");
      const failure: unknown = await session
        .execute("UPDATE note SET text = 'mine' WHERE id = 2")
        .catch((error: unknown) => error);
      expect(classifyFailure(failure)).toMatchObject({ kind: 'transactionLost', retryable: true });
      await waiting;
      await end(other);
      await acceptsOnlyARollback(session, dataSource, {
        reason: /the server has rolled it back \(ER_LOCK_DEADLOCK\)/,
        stored: ['a', 'b'],
      });
    });
  });

  it('a row that changed under the snapshot (1020): the same', async () => {
    const { session, dataSource } = await ours(database, { poolSize: 2 });
    await dataSource.query(insert('a'));
    await session.run(async () => {
      await session.query('SET SESSION innodb_snapshot_isolation = ON');
      await session.query('SELECT * FROM note');
      await session.execute(insert('lost'));
      await end(await opponent(dataSource, "UPDATE note SET text = 'a2' WHERE text = 'a'"), 'COMMIT');
      const failure: unknown = await session
        .execute("UPDATE note SET text = 'mine' WHERE id = 1")
        .catch((error: unknown) => error);
      expect(classifyFailure(failure)).toMatchObject({ kind: 'transactionLost', retryable: true });
      await acceptsOnlyARollback(session, dataSource, { reason: /ER_CHECKREAD/, stored: ['a2'] });
      await session.query('SET SESSION innodb_snapshot_isolation = DEFAULT');
    });
  });

  it('a savepoint that went with the whole transaction leaves nothing to go on with', async () => {
    // As a lock wait timeout does on a server with innodb_rollback_on_timeout, which the error does not say.
    const { session, dataSource } = await ours(database);
    await session.run(async () => {
      await session.execute(insert('lost'));
      const nested = session.beginNested(async () => {
        const driver = (await session.connection()) as { query(sql: string, done: () => void): void };
        await new Promise<void>((done) => driver.query('ROLLBACK', done));
        await session.query("SIGNAL SQLSTATE '45000' SET MYSQL_ERRNO = 1205");
      });
      await expect(nested).rejects.toThrow(QueryFailedError);
      await acceptsOnlyARollback(session, dataSource, { reason: /ER_LOCK_WAIT_TIMEOUT/ });
    });
  });

  describe('a statement that commits what is open', () => {
    it.each([
      ['START TRANSACTION', 'begins the next, so that the status looks as before'],
      ['BEGIN', 'likewise'],
      ['CREATE TABLE made (id INT)', 'DDL'],
      ['DROP TABLE IF EXISTS made', 'DDL'],
      ['ANALYZE TABLE note', 'answers with rows, and without a status'],
      ['LOCK TABLES note WRITE', 'a lock of the old kind'],
    ])('%s (%s)', async (sql) => {
      const { session, dataSource } = await ours(database);
      await session.run(async () => {
        await session.execute(insert('committed by it'));
        await session.query(sql);
        await session.execute(insert('would autocommit')).catch(() => undefined);
        await acceptsOnlyARollback(session, dataSource, {
          reason: /ended the transaction/,
          stored: ['committed by it'],
        });
      });
    });

    it('also when it fails', async () => {
      const { session, dataSource } = await ours(database);
      await session.run(async () => {
        await session.execute(insert('committed by it'));
        await expect(session.query('CREATE TABLE note (id INT)')).rejects.toThrow(QueryFailedError);
        await acceptsOnlyARollback(session, dataSource, {
          reason: /ended the transaction/,
          stored: ['committed by it'],
        });
      });
    });

    it('is not a temporary table', async () => {
      const { session, dataSource } = await ours(database);
      await session.run(async () => {
        await session.execute(insert('lost'));
        await session.query('CREATE TEMPORARY TABLE passing (id INT)');
        await session.query('DROP TEMPORARY TABLE passing');
        await session.rollback();
      });
      expect(await texts(dataSource)).toEqual([]);
    });
  });

  describe('autocommit that is set inside a unit of work', () => {
    it('to 0: the transaction goes on, and the connection does not go back', async () => {
      const { session, dataSource } = await ours(database, { poolSize: 1 });
      let id = 0;
      await session.run(async () => {
        await session.query('SET autocommit = 0');
        await session.execute(insert('kept'));
        id = await connectionId(session);
      });
      await dataSource.query(insert('by plain TypeORM'));
      expect(await session.run(() => connectionId(session))).not.toBe(id);
      expect((await database.ask('SELECT text FROM note')).length).toBe(2);
    });

    it('to 0, and rolled back', async () => {
      const { session, dataSource } = await ours(database, { poolSize: 1 });
      await session.run(async () => {
        await session.execute(insert('lost'));
        await session.query('SET autocommit = 0');
        await session.rollback();
      });
      await dataSource.query(insert('by plain TypeORM'));
      expect((await database.ask('SELECT text FROM note')).length).toBe(1);
    });

    it('to 1 where it is 1: nothing has happened', async () => {
      const { session, dataSource } = await ours(database);
      await session.run(async () => {
        await session.execute(insert('lost'));
        await session.query('SET autocommit = 1');
        await session.rollback();
      });
      expect(await texts(dataSource)).toEqual([]);
    });

    it('to 1 where it was 0: that is a COMMIT', async () => {
      const { session, dataSource } = await ours(database);
      await session.run(async () => {
        await session.query('SET autocommit = 0');
        await session.execute(insert('committed by it'));
        await session.query('SET autocommit = 1');
        await acceptsOnlyARollback(session, dataSource, {
          reason: /ended the transaction/,
          stored: ['committed by it'],
        });
      });
    });
  });

  it('a stream that fails spoils the transaction as any other statement', async () => {
    const { session, dataSource } = await ours(database, { poolSize: 2 });
    await dataSource.query(insert('locked'));
    const other = await opponent(dataSource, 'SELECT * FROM note WHERE id = 1 FOR UPDATE');
    await session.run(async () => {
      await session.execute(insert('half'));
      const rows = await session.queryRunner.stream('SELECT * FROM note WHERE id = 1 FOR UPDATE NOWAIT');
      await expect(rows.toArray()).rejects.toThrow(/timeout/);
      await end(other);
      await acceptsOnlyARollback(session, dataSource, { reason: /ER_LOCK_WAIT_TIMEOUT/, stored: ['locked'] });
    });
  });
});

onEach(['postgres'], (database) => {
  it('25P02 is what the server says after a failed statement; here it is not even asked', async () => {
    const { session, dataSource } = await ours(database);
    await session.run(async () => {
      await session.execute(insert('lost'));
      await expect(session.query('SELECT * FROM no_such_table')).rejects.toThrow(QueryFailedError);
      await acceptsOnlyARollback(session, dataSource, { reason: /a statement in it failed \(42P01\)/ });
    });
  });

  it('a serialization failure takes the transaction, and may be run again', async () => {
    const { session, dataSource } = await ours(database, { poolSize: 2 });
    await dataSource.query(insert('a'));
    await session.run(
      async () => {
        await session.query('SELECT * FROM note');
        await session.execute(insert('lost'));
        await end(await opponent(dataSource, "UPDATE note SET text = 'a2'"), 'COMMIT');
        const failure: unknown = await session
          .execute("UPDATE note SET text = 'mine' WHERE text LIKE 'a%'")
          .catch((error: unknown) => error);
        expect(classifyFailure(failure)).toMatchObject({ kind: 'transactionLost', retryable: true });
        await acceptsOnlyARollback(session, dataSource, { reason: /\(40001\)/, stored: ['a2'] });
      },
      { isolation: 'REPEATABLE READ' },
    );
  });

  it('DDL does not commit', async () => {
    const { session, dataSource } = await ours(database);
    await session.run(async () => {
      await session.execute(insert('lost'));
      await session.query('CREATE TABLE made (id INT)');
      await session.rollback();
    });
    expect(await texts(dataSource)).toEqual([]);
    expect(await dataSource.query("SELECT to_regclass('made') AS made")).toEqual([{ made: null }]);
  });

  it('a BEGIN by hand changes nothing', async () => {
    const { session, dataSource } = await ours(database);
    await session.run(async () => {
      await session.execute(insert('kept'));
      await session.query('BEGIN');
      await session.execute(insert('also kept'));
    });
    expect(await texts(dataSource)).toEqual(['kept', 'also kept']);
  });
});

onEach(['sqljs', ...SQLITE_FILES], (database) => {
  it('a statement that rolls the whole transaction back is noticed, though sql.js does not tell of it', async () => {
    const { session, dataSource } = await ours(database);
    await dataSource.query(insert('there'));
    await session.run(async () => {
      await session.execute(insert('lost'));
      await expect(session.query("INSERT OR ROLLBACK INTO note (text) VALUES ('there')")).rejects.toThrow(
        QueryFailedError,
      );
      await acceptsOnlyARollback(session, dataSource, {
        reason: /the server has rolled it back/,
        stored: ['there'],
      });
    });
  });

  it('a duplicate key leaves the transaction as it is', async () => {
    const { session, dataSource } = await ours(database);
    await dataSource.query(insert('there'));
    await session.run(async () => {
      await session.execute(insert('kept'));
      await expect(session.execute(insert('there'))).rejects.toThrow(QueryFailedError);
    });
    expect(await texts(dataSource)).toEqual(['there', 'kept']);
  });

  it("a COMMIT on the driver's own connection is noticed before ours", async () => {
    const { session, dataSource } = await ours(database);
    const work = session.run(async () => {
      await session.execute(insert('by hand'));
      const driver = (await session.connection()) as { exec(sql: string): void };
      driver.exec('COMMIT');
    });
    await expect(work).rejects.toMatchObject({ code: 'SS_ERR_PENDING_ROLLBACK', outcome: 'unknown' });
    expect(await texts(dataSource)).toEqual(['by hand']);
  });
});
