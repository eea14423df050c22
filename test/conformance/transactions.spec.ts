/** TRX: savepoints, statements that fail, and transactions that are lost. */
import {
  CommitOutcomeUnknownError,
  PendingRollbackError,
  type SessionBase,
  TransactionClosedError,
} from 'nestjs-scoped-session';
import { QueryFailedError } from 'typeorm';
import { beforeEach, describe, expect, it } from 'vitest';
import { ALL_KINDS, onEach, SERVERS } from '../support/databases.js';
import { loseAtCommit } from '../support/plain-and-ours.js';
import { connectionNumber, INSERT_USER, type Users, users } from '../support/users.js';
import { waitsForLock } from '../support/waits-for-lock.js';
import { waitUntil } from '../support/wait-until.js';

const DUPLICATE = { name: 'again', nick: 'x' };
const named = (name: string): { name: string; nick: null } => ({ name, nick: null });

onEach(ALL_KINDS, (database) => {
  let test: Users;
  let session: SessionBase;

  beforeEach(async () => {
    test = await users(database);
    session = test.factory.create();
  });

  it('TRX-11: a savepoint without a statement is opened and released (deviation: at once, not at its first statement)', async () => {
    const nested = await session.beginNested();
    expect(session.inTransaction()).toBe(true);
    expect(session.inNestedTransaction()).toBe(true);
    await nested.commit();
    expect(session.inNestedTransaction()).toBe(false);
    await session.commit();
    expect(test.recorder.transactionControl).toEqual(['BEGIN', 'SAVEPOINT ss_1', 'RELEASE ss_1', 'COMMIT']);
  });

  it('TRX-21: rollback() with two open savepoints rolls everything back (deviation: by one ROLLBACK)', async () => {
    await session.execute(INSERT_USER, named('three'));
    const outer = await session.beginNested();
    await session.execute(INSERT_USER, named('four'));
    const inner = await session.beginNested();
    await session.execute(INSERT_USER, named('five'));
    await session.rollback();
    expect(test.recorder.transactionControl).toEqual([
      'BEGIN',
      'SAVEPOINT ss_1',
      'SAVEPOINT ss_2',
      'ROLLBACK',
    ]);
    expect([session.inTransaction(), session.inNestedTransaction(), session.isActive]).toEqual([
      false,
      false,
      true,
    ]);
    expect([outer.isActive, inner.isActive]).toEqual([false, false]);
    await expect(inner.commit()).rejects.toThrow(TransactionClosedError);
    expect(await test.names()).toEqual(['one', 'two']);
  });

  describe('TRX-24: a statement that fails inside a savepoint', () => {
    it('is undone with the savepoint; the whole transaction is intact', async () => {
      await session.execute(INSERT_USER, named('three'));
      const nested = await session.beginNested();
      await session.execute(INSERT_USER, named('four'));
      await expect(session.execute(INSERT_USER, DUPLICATE)).rejects.toThrow(QueryFailedError);
      await nested.rollback();
      expect([session.isActive, session.inTransaction(), session.inNestedTransaction()]).toEqual([
        true,
        true,
        false,
      ]);
      await session.execute(INSERT_USER, named('five'));
      await session.commit();
      expect(test.recorder.transactionControl).toEqual([
        'BEGIN',
        'SAVEPOINT ss_1',
        'ROLLBACK TO ss_1',
        'COMMIT',
      ]);
      expect(await test.names()).toEqual(['one', 'two', 'three', 'five']);
    });

    const refuses = database.kind === 'postgres';
    it.runIf(refuses)('makes the session inactive until then', async () => {
      await session.execute(INSERT_USER, named('three'));
      const nested = await session.beginNested();
      const failure: unknown = await session.execute(INSERT_USER, DUPLICATE).catch((error: unknown) => error);
      expect([session.isActive, session.inTransaction(), session.inNestedTransaction()]).toEqual([
        false,
        true,
        true,
      ]);
      for (const use of [() => session.execute('SELECT 1'), () => nested.commit(), () => session.commit()]) {
        const refusal = await use().catch((error: unknown) => error);
        expect(refusal).toBeInstanceOf(PendingRollbackError);
        expect((refusal as PendingRollbackError).cause).toBe(failure);
      }
      await nested.rollback();
      expect(session.isActive).toBe(true);
      expect(Number(await session.scalar('SELECT COUNT(*) FROM users'))).toBe(3);
      await session.close();
    });

    it.runIf(!refuses)(
      'leaves the session active where the database does (deviation: as execute() there, unlike flush())',
      async () => {
        const nested = await session.beginNested();
        await session.execute(INSERT_USER, named('three'));
        await expect(session.execute(INSERT_USER, DUPLICATE)).rejects.toThrow(QueryFailedError);
        expect(session.isActive).toBe(true);
        await session.execute(INSERT_USER, named('four'));
        await nested.commit();
        await session.commit();
        expect(await test.names()).toEqual(['one', 'two', 'three', 'four']);
      },
    );
  });

  describe('TRX-28: a table that is made inside a transaction', () => {
    const create = (): Promise<unknown> => session.execute('CREATE TABLE made (id INTEGER)');
    const commitsByItself = database.kind === 'mariadb';

    it.runIf(!commitsByItself)('is rolled back with its rows where the database can', async () => {
      await session.execute(INSERT_USER, named('three'));
      await create();
      expect(session.isActive).toBe(true);
      await session.rollback();
      expect(await test.names()).toEqual(['one', 'two']);
      await expect(test.factory.begin((other) => other.execute('SELECT * FROM made'))).rejects.toThrow(
        QueryFailedError,
      );
    });

    it.runIf(commitsByItself)(
      'commits what was before it in MySQL; the session then only rolls back (deviation: it goes on there, outside every transaction)',
      async () => {
        await session.execute(INSERT_USER, named('three'));
        await create();
        expect([session.isActive, session.inTransaction()]).toEqual([false, true]);
        await expect(session.execute(INSERT_USER, named('four'))).rejects.toThrow(
          'a statement ended the transaction on the server (DDL, or COMMIT)',
        );
        await expect(session.commit()).rejects.toThrow(PendingRollbackError);
        await session.rollback();
        expect(await test.names()).toEqual(['one', 'two', 'three']);
        await session.execute(INSERT_USER, named('five'));
        await session.rollback();
        expect(await test.names()).toEqual(['one', 'two', 'three']);
      },
    );

    it.runIf(commitsByItself)(
      'takes MySQL’s savepoints with it; their rollback sends nothing (deviation: error 1305 there)',
      async () => {
        const nested = await session.beginNested();
        await create();
        await nested.rollback();
        expect(session.isActive).toBe(false);
        await session.rollback();
        expect(test.recorder.transactionControl).toEqual(['BEGIN', 'SAVEPOINT ss_1', 'ROLLBACK']);
        await expect(
          session.beginNested(async () => {
            await session.execute('DROP TABLE made');
            await session.execute(INSERT_USER, named('three'));
          }),
        ).rejects.toThrow(PendingRollbackError);
        await session.rollback();
        expect(session.isActive).toBe(true);
      },
    );
  });

  describe('TRX-31: a savepoint that cannot be rolled back', () => {
    const loseSavepoint = (): Promise<unknown> => session.execute('RELEASE SAVEPOINT ss_1');

    it('fails with the server’s error, makes the session inactive, and rollback() recovers', async () => {
      const nested = await session.beginNested();
      await session.execute(INSERT_USER, named('three'));
      await loseSavepoint();
      await expect(nested.rollback()).rejects.toThrow(QueryFailedError);
      expect([session.isActive, session.inTransaction(), session.inNestedTransaction()]).toEqual([
        false,
        true,
        false,
      ]);
      await expect(session.commit()).rejects.toThrow(PendingRollbackError);
      await session.rollback();
      expect(session.isActive).toBe(true);
      await session.execute(INSERT_USER, named('four'));
      await session.commit();
      expect(await test.names()).toEqual(['one', 'two', 'four']);
    });

    it('keeps the error of the block that it is rolled back for, and stores none of it', async () => {
      const failure: Error & { suppressed?: unknown[] } = new Error('of the block');
      const block = session.beginNested(async () => {
        await session.execute(INSERT_USER, named('three'));
        await loseSavepoint();
        throw failure;
      });
      await expect(block).rejects.toBe(failure);
      expect(failure.suppressed).toEqual([expect.any(QueryFailedError)]);
      await expect(session.commit()).rejects.toThrow(PendingRollbackError);
      await session.rollback();
      expect(await test.names()).toEqual(['one', 'two']);
    });
  });
});

onEach(['mariadb'], (database) => {
  it('TRX-27: a deadlock inside a savepoint makes the session inactive; its own error is thrown (deviation: 1305 there, and a commit of half)', async () => {
    const test = await users(database);
    const [victim, survivor] = [test.factory.create(), test.factory.create()];
    // InnoDB undoes the one that has changed less.
    await survivor.execute(
      INSERT_USER,
      Array.from({ length: 50 }, (_, number) => named(`heavy ${number}`)),
    );
    await survivor.execute("UPDATE users SET name = 'by the survivor' WHERE id = 2");
    await victim.execute(INSERT_USER, named('before the savepoint'));
    await victim.execute("UPDATE users SET name = 'by the victim' WHERE id = 1");
    const blocked = await connectionNumber(survivor, database);
    const waiting = survivor.execute("UPDATE users SET name = 'by the survivor' WHERE id = 1");
    await waitUntil('the survivor waits for the victim', () => waitsForLock(database, blocked));
    const block = victim.beginNested(() =>
      victim.execute("UPDATE users SET name = 'by the victim' WHERE id = 2"),
    );
    await expect(block).rejects.toMatchObject({ driverError: { errno: 1213 } });
    await waiting;
    expect([victim.isActive, victim.inTransaction(), victim.inNestedTransaction()]).toEqual([
      false,
      true,
      false,
    ]);
    await expect(victim.execute('SELECT 1')).rejects.toThrow('the server has rolled it back');
    await expect(victim.commit()).rejects.toThrow(PendingRollbackError);
    await victim.rollback();
    await victim.execute(INSERT_USER, named('afterwards'));
    await survivor.rollback();
    await victim.commit();
    expect(await test.names()).toEqual(['one', 'two', 'afterwards']);
  });
});

onEach(SERVERS, (database) => {
  it('TRX-29: a COMMIT whose connection is lost has an unknown outcome, and leaves the session inactive until rollback()', async () => {
    const test = await users(database);
    const session = test.factory.create();
    await session.execute(INSERT_USER, named('three'));
    await loseAtCommit(session);
    const error = await session.commit().catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(CommitOutcomeUnknownError);
    expect((error as CommitOutcomeUnknownError).outcome).toBe('unknown');
    expect([session.isActive, session.inTransaction()]).toEqual([false, true]);
    expect(test.out).toBe(0);
    for (const use of [() => session.execute('SELECT 1'), () => session.commit()]) {
      const refusal = await use().catch((thrown: unknown) => thrown);
      expect(refusal).toBeInstanceOf(PendingRollbackError);
      expect((refusal as PendingRollbackError).message).toContain('its COMMIT failed');
      expect((refusal as PendingRollbackError).cause).toBe(error);
    }
    await session.rollback();
    expect([session.isActive, session.inTransaction()]).toEqual([true, false]);
    await session.execute(INSERT_USER, named('four'));
    await session.commit();
    expect(await test.names()).toEqual(['one', 'two', 'four']);
  });
});

onEach(['postgres'], (database) => {
  it('TRX-29: a COMMIT that the server refuses throws its error, and leaves the session inactive until rollback()', async () => {
    const test = await users(database);
    const session = test.factory.create();
    await test.dataSource.query(
      'CREATE TABLE late (user_id INTEGER REFERENCES users (id) DEFERRABLE INITIALLY DEFERRED)',
    );
    await session.execute(INSERT_USER, named('three'));
    await session.execute('INSERT INTO late VALUES (9999)');
    const error = await session.commit().catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(QueryFailedError);
    expect(error).toMatchObject({ driverError: { code: '23503' } });
    expect([session.isActive, session.inTransaction()]).toEqual([false, true]);
    expect(test.out).toBe(0);
    await expect(session.execute('SELECT 1')).rejects.toThrow(PendingRollbackError);
    await session.rollback();
    await session.execute(INSERT_USER, named('four'));
    await session.commit();
    expect(await test.names()).toEqual(['one', 'two', 'four']);
    await test.dataSource.query('DROP TABLE late');
  });
});
