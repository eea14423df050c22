/** `readOnly` sessions read on a replica, and whoever wrote reads what he wrote: the replica here never catches up. */
import {
  createEngine,
  type Engine,
  type EngineOptions,
  scopedSession,
  sessionFactory,
} from 'nestjs-scoped-session';
import { DataSource } from 'typeorm';
import { describe, expect, it } from 'vitest';
import { joinDataSource } from '../../src/session/index.js';
import { onEach, SERVERS } from '../support/databases.js';
import { Note } from '../support/note.js';
import { ON_PRIMARY, ON_REPLICA, type StaleReplica, useStaleReplica } from '../support/replicated.js';
import { quiet } from '../support/quiet.js';

const TEXTS = 'SELECT text FROM note ORDER BY id';
const WRITE = 'INSERT INTO note (text) VALUES (:text)';

onEach(SERVERS, (database) => {
  const replica: StaleReplica = useStaleReplica(database);

  const open = async (options: EngineOptions = {}, more: object = {}, replicas = 1): Promise<Engine> => {
    const engine = await createEngine(replica.options(more as never, replicas), options).initialize();
    database.watch({ dataSource: engine.dataSource, close: () => engine.dispose() });
    return engine;
  };
  const texts = (session: { scalars<T>(sql: string): Promise<T[]> }): Promise<string[]> =>
    session.scalars(TEXTS);

  it('plain TypeORM reads what it wrote on the replica, which does not have it (typeorm#9427)', async () => {
    const dataSource = await new DataSource(replica.options()).initialize();
    database.watch({ dataSource, close: () => dataSource.destroy() });
    const notes = dataSource.getRepository(Note);
    await notes.insert({ text: 'mine' });
    expect((await notes.find()).map(({ text }) => text)).toEqual([ON_REPLICA]);
  });

  describe('which server', () => {
    it('a readOnly session reads on the replica, any other on the primary', async () => {
      const session = scopedSession(sessionFactory(await open()));
      expect(await session.run(texts, { readOnly: true })).toEqual([ON_REPLICA]);
      expect(await session.run(texts)).toEqual([ON_PRIMARY]);
    });

    it('a session without a scope does the same, for each of its transactions', async () => {
      const own = sessionFactory(await open()).create();
      await own.begin({ readOnly: true });
      expect(await texts(own)).toEqual([ON_REPLICA]);
      await own.commit();
      expect(await texts(own)).toEqual([ON_PRIMARY]);
      await own.close();
    });

    it('one transaction is on one server: readOnly comes too late for one that runs', async () => {
      const session = scopedSession(sessionFactory(await open()));
      await session.run(async (one) => {
        expect(await texts(one)).toEqual([ON_PRIMARY]);
        await expect(one.begin({ readOnly: true })).rejects.toMatchObject({
          code: 'SS_ERR_ILLEGAL_STATE_CHANGE',
        });
        expect(await texts(one)).toEqual([ON_PRIMARY]);
      });
    });

    it('locks and writes are refused on a replica as in every readOnly session', async () => {
      const session = scopedSession(sessionFactory(await open()));
      await expect(
        session.run((one) => one.execute(WRITE, { text: 'never' }), { readOnly: true }),
      ).rejects.toThrow(/read.only/i);
    });

    it('repositories that join a readOnly session read where it reads; outside of sessions TypeORM decides', async () => {
      const engine = await open();
      const session = scopedSession(sessionFactory(engine));
      const adoption = joinDataSource(engine, session, { repositories: 'join', warn: () => undefined });
      const notes = engine.dataSource.getRepository(Note);
      const found = async (): Promise<string[]> => (await notes.find()).map(({ text }) => text);
      expect(await session.run(found, { readOnly: true })).toEqual([ON_REPLICA]);
      expect(await session.run(found)).toEqual([ON_PRIMARY]);
      expect(await found()).toEqual([ON_REPLICA]);
      const slave = engine.dataSource.createQueryRunner('slave');
      expect(await slave.query(TEXTS)).toEqual([{ text: ON_REPLICA }]);
      await slave.release();
      adoption.undo();
    });

    it('a DataSource whose list of replicas is empty has its primary', async () => {
      const session = scopedSession(sessionFactory(await open({}, {}, 0)));
      expect(await session.run(texts, { readOnly: true })).toEqual([ON_PRIMARY]);
    });

    it('what was set on the connections of a replica is set on each: initSql and the isolation level', async () => {
      const sql = database.kind === 'postgres' ? 'SHOW transaction_isolation' : 'SELECT @@tx_isolation';
      const session = scopedSession(sessionFactory(await open({ isolation: 'SERIALIZABLE' })));
      const level = await session.run((one) => one.scalar<string>(sql), { readOnly: true });
      expect(level?.replace('-', ' ').toUpperCase()).toBe('SERIALIZABLE');
    });
  });

  describe('what was written', () => {
    it('is read by the session that wrote it: it stays on the primary', async () => {
      const sessions = sessionFactory(await open());
      const own = sessions.create();
      await own.execute(WRITE, { text: 'mine' });
      await own.commit();
      await own.begin({ readOnly: true });
      expect(await texts(own)).toEqual([ON_PRIMARY, 'mine']);
      await own.close();
      expect(await sessions.begin(texts, { readOnly: true })).toEqual([ON_REPLICA]);
    });

    it('is read by units of work inside the one that wrote, and by the one around', async () => {
      const session = scopedSession(sessionFactory(await open()));
      await session.run(async (outer) => {
        await session.independently((inner) => inner.execute(WRITE, { text: 'inner' }));
        await outer.begin({ readOnly: true });
        expect(await texts(outer)).toEqual([ON_PRIMARY, 'inner']);
        expect(await session.independently(texts, { readOnly: true })).toEqual([ON_PRIMARY, 'inner']);
      });
      expect(await session.run(texts, { readOnly: true })).toEqual([ON_REPLICA]);
    });

    it('counts once it was committed: who rolled back, and who only read, is served by the replica', async () => {
      const own = sessionFactory(await open()).create();
      await own.execute(WRITE, { text: 'undone' });
      await own.rollback();
      await texts(own);
      await own.commit();
      await own.begin({ readOnly: true });
      expect(await texts(own)).toEqual([ON_REPLICA]);
      await own.close();
    });

    it('is read by the client that wrote it, in its next units of work, and by no other client', async () => {
      const session = scopedSession(sessionFactory(await open()));
      await session.run((one) => one.execute(WRITE, { text: 'of Ada' }), { client: 'Ada' });
      expect(await session.run(texts, { readOnly: true, client: 'Ada' })).toEqual([ON_PRIMARY, 'of Ada']);
      expect(await session.run(texts, { readOnly: true, client: 'Grace' })).toEqual([ON_REPLICA]);
      expect(await session.run(texts, { readOnly: true })).toEqual([ON_REPLICA]);
      const nested = await session.run(() => session.independently(texts, { readOnly: true }), {
        client: 'Ada',
      });
      expect(nested).toEqual([ON_PRIMARY, 'of Ada']);
    });
  });

  describe('where a replica is waited for (replicaWaitMs)', () => {
    it('whoever wrote reads on the primary when the replica has not come so far in time', async () => {
      const session = scopedSession(sessionFactory(await open({ replicaWaitMs: 20 })));
      await session.run(async (one) => {
        await one.execute(WRITE, { text: 'mine' });
        await one.commit();
        await one.begin({ readOnly: true });
        expect(await texts(one)).toEqual([ON_PRIMARY, 'mine']);
      });
    });

    it('a text that is no position is refused before anything is sent', async () => {
      const session = scopedSession(sessionFactory(await open({ replicaWaitMs: 20 })));
      await session.run((one) => {
        for (const text of ["'; DROP TABLE note; --", '', '0-1', 'x/y', 7])
          expect(() => one.readAfter(text as string)).toThrow(
            expect.objectContaining({ code: 'SS_ERR_INVALID_PARAMETER' }),
          );
        expect(one.writePosition).toBeUndefined();
      });
    });
  });

  it('the counters of replicas are told, and a DataSource connects again after its end', async () => {
    const engine = await open({}, {}, 2);
    const session = scopedSession(sessionFactory(engine));
    await session.run(texts, { readOnly: true });
    expect(engine.replicas()).toMatchObject([
      { total: 1, active: 0, isDown: false },
      { total: 0, isDown: false },
    ]);
    await session.run(texts, { readOnly: true });
    expect(engine.replicas()).toMatchObject([{ total: 1 }, { total: 1 }]);
    await engine.dataSource.destroy();
    expect(engine.replicas()).toMatchObject([{ total: 0 }, { total: 0 }]);
    await engine.initialize();
    expect(await session.run(texts, { readOnly: true })).toEqual([ON_REPLICA]);
    expect(quiet.drain()).toEqual([]);
  });
});
