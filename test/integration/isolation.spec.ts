/** Isolation levels: those that a database does not have are refused before anything is sent, the others take effect. */
import { InvalidOptionError, sessionFactory } from 'nestjs-scoped-session';
import { expect, it } from 'vitest';
import { onEach, SERVERS, SQLITE_FILES } from '../support/databases.js';
import { ours } from '../support/plain-and-ours.js';
import { StatementLog } from '../support/statement-log.js';

onEach(['sqljs', ...SQLITE_FILES], (database) => {
  it('a level that SQLite does not have is refused everywhere, and nothing is sent', async () => {
    const log = new StatementLog();
    const { dataSource, session } = await ours(database, { logger: log });
    log.take();
    const isolation = 'REPEATABLE READ';
    const refused = /REPEATABLE READ does not exist on sqlite: use READ UNCOMMITTED or SERIALIZABLE/;
    expect(() => sessionFactory(dataSource, { isolation })).toThrow(refused);
    expect(() => session.sessionFactory.configure({ isolation })).toThrow(InvalidOptionError);
    expect(() => session.sessionFactory.create({ isolation })).toThrow(refused);
    await expect(session.run(() => session.scalar('SELECT 1'), { isolation })).rejects.toThrow(refused);
    const begun = session.sessionFactory.create();
    await begun.begin({ isolation });
    await expect(begun.execute('SELECT 1')).rejects.toThrow(refused);
    await begun.close();
    expect(log.take()).toEqual([]);
  });
});

onEach(SERVERS, (database) => {
  it.each(['READ UNCOMMITTED', 'READ COMMITTED', 'REPEATABLE READ', 'SERIALIZABLE'] as const)(
    '%s is set for one transaction, and no longer',
    async (isolation) => {
      const log = new StatementLog();
      const { session } = await ours(database, { poolSize: 1, logger: log });
      log.take();
      await session.run(() => session.scalar('SELECT 1'), { isolation });
      await session.run(() => session.scalar('SELECT 2'));
      // MariaDB sets it for the next transaction only, PostgreSQL for the one that begins.
      const asked =
        database.kind === 'mariadb'
          ? [`SET TRANSACTION ISOLATION LEVEL ${isolation}`, 'START TRANSACTION']
          : [`START TRANSACTION ISOLATION LEVEL ${isolation}`];
      const usual = ['START TRANSACTION', 'SELECT 2', 'COMMIT'];
      expect(log.take().map(({ sql }) => sql)).toEqual([...asked, 'SELECT 1', 'COMMIT', ...usual]);
    },
  );
});

onEach(['postgres'], (database) => {
  it('the server says that the level is in force', async () => {
    const { session } = await ours(database, { poolSize: 1 });
    const level = (): Promise<unknown> => session.scalar('SHOW transaction_isolation');
    expect(await session.run(level, { isolation: 'SERIALIZABLE' })).toBe('serializable');
    expect(await session.run(level)).toBe('read committed');
  });
});

onEach(['mariadb'], (database) => {
  it('the server says that the level is in force', async () => {
    const { session, dataSource } = await ours(database, { poolSize: 2 });
    const count = (): Promise<unknown> => session.scalar('SELECT COUNT(*) FROM note');
    const writer = dataSource.createQueryRunner();
    await writer.startTransaction();
    await writer.query("INSERT INTO note (text) VALUES ('not committed')");
    expect(Number(await session.run(count, { isolation: 'READ UNCOMMITTED' }))).toBe(1);
    expect(Number(await session.run(count))).toBe(0);
    await writer.rollbackTransaction();
    await writer.release();
  });
});

onEach(['sqljs', ...SQLITE_FILES], (database) => {
  it("the DataSource's own level is the default", async () => {
    const log = new StatementLog();
    const { session } = await ours(database, { isolationLevel: 'SERIALIZABLE', logger: log });
    log.take();
    await session.run(() => session.scalar('SELECT 1'));
    expect(log.take()[0]?.sql).toBe('PRAGMA read_uncommitted = 0');
  });
});
