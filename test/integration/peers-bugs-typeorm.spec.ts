/** Bugs of plain TypeORM that all its companions inherit, each shown there and then absent here; more: typeorm-traps. */
import { PoolTimeoutError } from 'nestjs-scoped-session';
import { QueryRunnerAlreadyReleasedError } from 'typeorm';
import { describe, expect, it } from 'vitest';
import { onEach, SERVERS } from '../support/databases.js';
import { Note } from '../support/note.js';
import { hangs, onPlain, refuse } from '../support/on-plain.js';
import { ours, texts } from '../support/plain-and-ours.js';
import { startApp } from '../support/test-app.js';
import { signal } from '../support/wait-until.js';

const insert = (text: string): string => `INSERT INTO note (text) VALUES ('${text}')`;

onEach(SERVERS, (database) => {
  const slow = database.kind === 'mariadb' ? 'SELECT SLEEP(0.5)' : 'SELECT pg_sleep(0.5)';

  describe('5.A.3: a ROLLBACK that fails', () => {
    it('on plain TypeORM: the connection goes back as it is, and the next one commits what was abandoned', () =>
      onPlain(database, { poolSize: 1 }, async (dataSource) => {
        const work = dataSource.transaction(async (manager) => {
          refuse(await manager.queryRunner!.connect(), 'ROLLBACK');
          await manager.insert(Note, { text: 'abandoned' });
          throw new Error('no');
        });
        await expect(work).rejects.toThrow('no');
        await dataSource.transaction((manager) => manager.insert(Note, { text: 'of the next' }));
        expect(await texts(dataSource)).toEqual(['abandoned', 'of the next']);
      }));

    it('5.E.5, 5.G.4: here: the error of the work is told, and nobody gets that connection', async () => {
      const { session, dataSource } = await ours(database, { poolSize: 1 });
      const work = session.run(async () => {
        refuse(await session.connection(), 'ROLLBACK');
        await session.execute(insert('abandoned'));
        throw new Error('no');
      });
      await expect(work).rejects.toThrow('no');
      await session.run(() => session.execute(insert('of the next')));
      expect(await texts(dataSource)).toEqual(['of the next']);
    });
  });

  describe('5.A.9: a BEGIN that fails', () => {
    it('on plain TypeORM: the runner says that it is in a transaction, and counts below zero after its rollback', () =>
      onPlain(database, {}, async (dataSource) => {
        const runner = dataSource.createQueryRunner();
        const { undo } = refuse(await runner.connect(), 'START TRANSACTION');
        await expect(runner.startTransaction()).rejects.toThrow('refused');
        expect(runner.isTransactionActive).toBe(true);
        await runner.rollbackTransaction();
        undo();
        await expect(runner.startTransaction(), 'SAVEPOINT typeorm_-1').rejects.toThrow(/syntax/);
        await runner.release();
      }));

    it('5.E.2, 5.F.2, 5.G.3, 5.G.6: here: nothing was begun, nothing is held, and the next one begins', async () => {
      const { session, dataSource } = await ours(database, { poolSize: 1 });
      const own = session.sessionFactory.create();
      const { undo } = refuse(await own.connection(), 'START TRANSACTION');
      await own.rollback();
      const refused = await own.execute(insert('not begun')).catch((error: unknown) => error);
      expect(refused).toMatchObject({ message: expect.stringContaining('refused') as unknown });
      expect(session.sessionFactory.engine!.status()).toMatchObject({ active: 0, waiting: 0 });
      undo();
      await own.rollback();
      await own.execute(insert('undone'));
      expect(own.inTransaction()).toBe(true);
      await own.close();
      expect(await texts(dataSource)).toEqual([]);
    });
  });

  describe('5.A.10: destroy() while a transaction is open', () => {
    it('on plain TypeORM: it does not wait, and what comes after it fails', () =>
      onPlain(database, {}, async (dataSource) => {
        const runner = dataSource.createQueryRunner();
        await runner.startTransaction();
        await runner.query(insert('lost'));
        expect(await hangs(dataSource.destroy())).toBe(false);
        await expect(runner.commitTransaction()).rejects.toThrow(/closed state|already released/);
        expect(await database.ask('SELECT text FROM note')).toEqual([]);
      }));

    it('here: the application waits for the unit of work, whose COMMIT comes first', async () => {
      const { app, session } = await startApp(database, {});
      const [arrived, gate] = [signal(), signal()];
      const work = session.run(async () => {
        await session.execute(insert('kept'));
        arrived.resolve();
        await gate.promise;
      });
      await arrived.promise;
      const closing = app.close();
      expect(await hangs(closing)).toBe(true);
      gate.resolve();
      await Promise.all([work, closing]);
      expect(await database.ask('SELECT text FROM note')).toEqual([{ text: 'kept' }]);
    });
  });

  describe('5.A.11: a release during a statement', () => {
    it('on plain TypeORM: the next one gets the busy connection and waits behind it, though another is to be had', () =>
      onPlain(database, { poolSize: 2 }, async (dataSource) => {
        const runner = dataSource.createQueryRunner();
        await runner.connect();
        const running = runner.query(slow);
        expect(await hangs(running)).toBe(true);
        await runner.release();
        const next = dataSource.query('SELECT 1');
        expect(await hangs(next)).toBe(true);
        await Promise.all([running, next]);
      }));

    it('here: the connection goes back when its statement was answered; the next one gets another', async () => {
      const { dataSource } = await ours(database, { poolSize: 2 });
      const runner = dataSource.createQueryRunner();
      await runner.connect();
      const running = runner.query(slow);
      expect(await hangs(running)).toBe(true);
      const released = runner.release();
      const next = dataSource.query('SELECT 1');
      expect(await hangs(next)).toBe(false);
      await Promise.all([running, released, next]);
      await expect(runner.query('SELECT 1')).rejects.toThrow(QueryRunnerAlreadyReleasedError);
    });
  });

  describe('5.A.12, 5.E.1: a manager of createQueryRunner(), which nobody releases', () => {
    it('on plain TypeORM: the next one waits for ever', () =>
      onPlain(database, { poolSize: 2 }, async (dataSource) => {
        for (let round = 0; round < 2; round += 1)
          await dataSource.createQueryRunner('master').manager.getRepository(Note).find();
        expect(await hangs(dataSource.query('SELECT 1'))).toBe(true);
      }));

    it('here: the next one is told who holds what, and a unit of work never needs such a runner', async () => {
      const { dataSource, session } = await ours(database, { poolSize: 2 });
      session.sessionFactory.engine!.configure({ poolTimeoutMs: 100 });
      const runners = [dataSource.createQueryRunner('master'), dataSource.createQueryRunner('master')];
      for (const { manager } of runners) await manager.getRepository(Note).find();
      const refused = await session.run(() => session.execute('SELECT 1')).catch((error: unknown) => error);
      expect(refused).toBeInstanceOf(PoolTimeoutError);
      expect(String(refused)).toContain('active=2');
      for (const runner of runners) await runner.release();
      for (let round = 0; round < 5; round += 1) await session.run(() => dataSource.manager.find(Note));
    });
  });
});
