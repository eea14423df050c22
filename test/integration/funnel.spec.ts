/** Every way that TypeORM has to the database goes through the session: begun first, once, and undone as a whole. */
import { createEngine, scopedSession, type ScopedSession, sessionFactory } from 'nestjs-scoped-session';
import { DataSource } from 'typeorm';
import { beforeEach, describe, expect, it } from 'vitest';
import { joinDataSource } from '../../src/session/index.js';
import { ALL_KINDS, onEach } from '../support/databases.js';
import { Author, Category, LIBRARY, Setting, Tag } from '../support/library.js';
import { DATA_SOURCE_PATHS, MANAGER_PATHS, type Path } from '../support/paths.js';
import { isBegin, isEnd, StatementLog } from '../support/statement-log.js';

onEach(ALL_KINDS, (database) => {
  const log = new StatementLog();
  let dataSource: DataSource;
  let session: ScopedSession;
  /** Most tests leave the tables empty, and say so; what is in memory goes with its DataSource. */
  let hasTables = false;

  beforeEach(async () => {
    const isNew = !hasTables || database.kind === 'sqljs';
    const options = { entities: LIBRARY, synchronize: isNew, dropSchema: isNew, logger: log, poolSize: 2 };
    hasTables = true;
    dataSource = await new DataSource(database.options(options)).initialize();
    const engine = createEngine(dataSource, database.engine);
    session = scopedSession(sessionFactory(engine));
    database.watch({ dataSource, close: () => dataSource.destroy() });
    joinDataSource(engine, session, { repositories: 'join', warn: () => undefined });
    log.take();
  });

  const rows = async (): Promise<number> => {
    const counts = [Author, Tag, Category, Setting].map((entity) => dataSource.getRepository(entity).count());
    return (await Promise.all(counts)).reduce((sum, count) => sum + count, 0);
  };

  /** Runs a path inside a unit of work that then fails, and looks at what was sent and what is left. */
  async function isOneTransaction(path: Path, manager: () => DataSource['manager']): Promise<void> {
    const failure = new Error('undo everything');
    const work = session.run(async () => {
      await path({ dataSource, manager: manager() });
      throw failure;
    });
    await expect(work).rejects.toBe(failure);
    const sent = log.take();
    expect(sent.filter(isBegin)).toHaveLength(1);
    expect(sent.findIndex(isBegin)).toBe(sent.findIndex(({ sql }) => !sql.startsWith('SET TRANSACTION')));
    expect(sent.filter(isEnd).map(({ sql }) => sql)).toEqual(['ROLLBACK']);
    expect(new Set(sent.map(({ runner }) => runner)).size, 'everything on one runner').toBe(1);
    expect(await rows(), 'nothing is left').toBe(0);
  }

  describe("through the session's own manager", () => {
    it.each(Object.entries(MANAGER_PATHS))('%s', async (_name, path) => {
      await isOneTransaction(path, () => session.manager);
    });

    it.each(Object.entries(MANAGER_PATHS))('%s, with a session outside every scope', async (_name, path) => {
      const own = session.sessionFactory.create();
      await path({ dataSource, manager: own.manager });
      const sent = log.take();
      expect(sent.filter(isBegin)).toHaveLength(1);
      expect(new Set(sent.map(({ runner }) => runner))).toEqual(new Set([own.queryRunner]));
      await own.rollback();
      expect(await rows(), 'nothing is left').toBe(0);
    });
  });

  describe('through the adopted DataSource', () => {
    it.each(Object.entries({ ...MANAGER_PATHS, ...DATA_SOURCE_PATHS }))('%s', async (_name, path) => {
      await isOneTransaction(path, () => dataSource.manager);
    });

    it.each(Object.entries(DATA_SOURCE_PATHS))('%s is plain outside a scope', async (_name, path) => {
      hasTables = false;
      await path({ dataSource, manager: dataSource.manager });
      expect(log.take().filter(({ sql }) => sql.includes('ss_'))).toEqual([]);
    });

    it.runIf(database.kind === 'mariadb')('stream', async () => {
      await isOneTransaction(
        async ({ manager }) => {
          await manager.insert(Tag, [{ name: 'a' }, { name: 'b' }]);
          const seen: unknown[] = [];
          for await (const row of await manager.createQueryBuilder(Tag, 'tag').stream()) seen.push(row);
          expect(seen).toHaveLength(2);
        },
        () => dataSource.manager,
      );
    });

    it('leaves no runner of a request in a repository that all requests share', async () => {
      hasTables = false;
      // TypeORM's getRepository keeps the runner of the manager at its first call (Repository.queryRunner).
      await session.run(async () => dataSource.getRepository(Tag).insert({ name: 'first' }));
      await session.run(async () => dataSource.getTreeRepository(Category).findTrees());
      const failure = session.run(async () => {
        await dataSource
          .getRepository(Tag)
          .createQueryBuilder()
          .insert()
          .values({ name: 'second' })
          .execute();
        await dataSource
          .getTreeRepository(Category)
          .createQueryBuilder()
          .insert()
          .values({ name: 'root' })
          .execute();
        throw new Error('undo');
      });
      await expect(failure).rejects.toThrow('undo');
      expect(await dataSource.getRepository(Tag).find()).toMatchObject([{ name: 'first' }]);
      expect(await dataSource.getTreeRepository(Category).count()).toBe(0);
    });
  });

  it('takes nothing for a session that sends nothing', async () => {
    await session.run(async () => {
      const { manager } = session;
      manager.create(Author, { name: 'never saved' });
      manager.createQueryBuilder(Author, 'author').where('author.id = 1').getQuery();
      expect(session.inTransaction()).toBe(false);
      await session.commit();
      await session.rollback();
    });
    expect(log.take()).toEqual([]);
  });
});
