/** A MariaDB primary and a replica that is held still, or late: who wrote reads it, by staying or by waiting for its GTID. */
import {
  createEngine,
  type EngineOptions,
  scopedSession,
  type ScopedSession,
  type SessionBase,
  sessionFactory,
} from 'nestjs-scoped-session';
import { DataSource } from 'typeorm';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { noReplicas, useReplicatedMariadb } from '../support/mariadb-replicas.js';
import { askServer } from '../support/mariadb-admin.js';
import { Note } from '../support/note.js';
import { waitUntil } from '../support/wait-until.js';

const PRIMARY = 1;
const REPLICA = 2;
const WRITE = "INSERT INTO note (text) VALUES ('mine')";
describe.skipIf(noReplicas !== undefined)('MariaDB replicas', () => {
  const database = useReplicatedMariadb(1);

  /** Whether the row is there, and on which server that was read. */
  const look = async (session: Pick<SessionBase, 'execute'>): Promise<{ found: boolean; server: number }> => {
    const { rows } = await session.execute<{ found: string; server: string }>(
      "SELECT (SELECT COUNT(*) FROM note WHERE text = 'mine') AS found, @@server_id AS server",
    );
    return { found: Number(rows[0]!.found) === 1, server: Number(rows[0]!.server) };
  };
  const seen = { found: true };
  const stale = { found: false, server: REPLICA };

  /** One instance of an application. */
  const open = async (options: EngineOptions = {}): Promise<ScopedSession> => {
    const engine = await createEngine(database.options({ entities: [Note] }), options).initialize();
    database.watch({ dataSource: engine.dataSource, close: () => engine.dispose() });
    return scopedSession(sessionFactory(engine));
  };

  beforeEach(async () => {
    await database.ask('DROP TABLE IF EXISTS note');
    await database.ask(
      'CREATE TABLE note (id INT AUTO_INCREMENT PRIMARY KEY, text VARCHAR(100) NOT NULL UNIQUE)',
    );
    await database.caughtUp();
  });

  describe('a replica that is held still', () => {
    beforeEach(() => database.hold());
    afterEach(async () => {
      await database.release();
      await database.caughtUp();
    });

    it('plain TypeORM does not read what it has just written (typeorm#9427)', async () => {
      const dataSource = await new DataSource(database.options({ entities: [Note] })).initialize();
      database.watch({ dataSource, close: () => dataSource.destroy() });
      const notes = dataSource.getRepository(Note);
      await notes.insert({ text: 'mine' });
      expect(await notes.countBy({ text: 'mine' })).toBe(0);
    });

    it('a session that wrote reads it on the primary; another reads on the replica, which has it later', async () => {
      const session = await open();
      await session.run(async (one) => {
        await one.execute(WRITE);
        await one.commit();
        await one.begin({ readOnly: true });
        expect(await look(one)).toEqual({ ...seen, server: PRIMARY });
      });
      expect(await session.run(look, { readOnly: true })).toEqual(stale);
      await database.release();
      await database.caughtUp();
      expect(await session.run(look, { readOnly: true })).toEqual({ ...seen, server: REPLICA });
    });

    it('with replicaWaitMs it waits for the replica to have its GTID, and reads there', async () => {
      const session = await open({ replicaWaitMs: 20_000 });
      await session.run(async (one) => {
        await one.execute(WRITE);
        await one.commit();
        await one.begin({ readOnly: true });
        const looking = look(one);
        await waitUntil('the replica is waited for', async () => {
          const waiting = await askServer(
            database.replicas[0]!.port,
            "SELECT id FROM information_schema.processlist WHERE state LIKE 'Waiting in MASTER_GTID_WAIT%'",
          );
          return waiting.length === 1;
        });
        await database.release();
        expect(await looking).toEqual({ ...seen, server: REPLICA });
      });
    });

    it('it reads on the primary when the replica does not come so far in time', async () => {
      const session = await open({ replicaWaitMs: 50 });
      await session.run(async (one) => {
        await one.execute(WRITE);
        await one.commit();
        await one.begin({ readOnly: true });
        expect(await look(one)).toEqual({ ...seen, server: PRIMARY });
      });
    });

    it('the position goes with the client to another instance, which does not know that it wrote', async () => {
      const [one, other] = [await open({ replicaWaitMs: 50 }), await open({ replicaWaitMs: 50 })];
      const position = await one.run(
        async (session) => {
          await session.execute(WRITE);
          await session.commit();
          return session.writePosition;
        },
        { client: 'Ada' },
      );
      expect(position).toMatch(/^0-1-\d+$/);
      const readOnly = { readOnly: true, client: 'Ada' };
      expect(await other.run(look, readOnly)).toEqual(stale);
      const after = (session: SessionBase): ReturnType<typeof look> => {
        session.readAfter(position!);
        return look(session);
      };
      expect(await other.run(after, { readOnly: true })).toEqual({ ...seen, server: PRIMARY });
      await database.release();
      await database.caughtUp();
      expect(await other.run(after, { readOnly: true })).toEqual({ ...seen, server: REPLICA });
    });

    it('a position that never comes costs the wait, and nothing else', async () => {
      const session = await open({ replicaWaitMs: 50 });
      const server = await session.run(
        async (one) => {
          one.readAfter('0-1-999999999');
          return (await look(one)).server;
        },
        { readOnly: true },
      );
      expect(server).toBe(PRIMARY);
    });
  });

  describe('a replica that is three seconds late', () => {
    beforeEach(() => database.delay(3));
    afterEach(() => database.delay(0));

    it('is waited for that long by whoever wrote, and by nobody else', async () => {
      const session = await open({ replicaWaitMs: 20_000 });
      await session.run((one) => one.execute(WRITE), { client: 'Ada' });
      expect(await session.run(look, { readOnly: true })).toEqual(stale);
      expect(await session.run(look, { readOnly: true, client: 'Ada' })).toEqual({
        ...seen,
        server: REPLICA,
      });
    });
  });
});
