/** A PostgreSQL primary and a standby that is held still: who wrote reads it, by staying or by waiting for its LSN. */
import {
  createEngine,
  type Engine,
  type EngineOptions,
  scopedSession,
  type SessionBase,
  sessionFactory,
} from 'nestjs-scoped-session';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { noStandby, useStandby } from '../support/postgres-standby.js';
import { waitUntil } from '../support/wait-until.js';

describe.skipIf(noStandby !== undefined)('a PostgreSQL standby', () => {
  const pair = useStandby();
  const engines: Engine[] = [];

  const open = async (options: EngineOptions = {}): Promise<Engine> => {
    const engine = await createEngine(pair.options(), options).initialize();
    engines.push(engine);
    return engine;
  };
  const look = async (session: Pick<SessionBase, 'execute'>): Promise<object> => {
    const { rows } = await session.execute(
      'SELECT EXISTS (SELECT FROM note WHERE text = :text) AS found, pg_is_in_recovery() AS standby',
      { text: 'mine' },
    );
    return rows[0]!;
  };
  const write = (session: Pick<SessionBase, 'execute'>): Promise<unknown> =>
    session.execute('INSERT INTO note VALUES (:text)', { text: 'mine' });
  const writeAndLook = async (session: SessionBase): Promise<object> => {
    await write(session);
    await session.commit();
    await session.begin({ readOnly: true });
    return look(session);
  };

  beforeEach(async () => {
    await pair.ask('DROP TABLE IF EXISTS note', 'CREATE TABLE note (text TEXT)');
    await pair.caughtUp();
  });
  afterEach(async () => {
    for (const engine of engines.splice(0)) {
      await waitUntil('I1: all are back', () =>
        [engine.status(), ...engine.replicas()].every(({ active }) => active === 0),
      );
      await engine.dispose();
    }
  });

  describe('that is held still', () => {
    beforeEach(() => pair.hold());
    afterEach(() => pair.release());

    it('who wrote stays on the primary; others read on the standby, which has it later', async () => {
      const session = scopedSession(sessionFactory(await open()));
      expect(await session.run(writeAndLook)).toEqual({ found: true, standby: false });
      expect(await session.run(look, { readOnly: true })).toEqual({ found: false, standby: true });
      await pair.release();
      await pair.caughtUp();
      expect(await session.run(look, { readOnly: true })).toEqual({ found: true, standby: true });
    });

    it('with replicaWaitMs the standby is asked until it has the LSN', async () => {
      const session = scopedSession(sessionFactory(await open({ replicaWaitMs: 20_000 })));
      const looking = session.run(writeAndLook);
      await waitUntil('it is asked', async () => {
        const asked =
          "SELECT pid FROM pg_stat_activity WHERE query LIKE 'SELECT pg_last_wal_replay_lsn() >= $1%'";
        return (await pair.askStandby(asked)).length === 1;
      });
      await pair.release();
      expect(await looking).toEqual({ found: true, standby: true });
    });

    it('the primary serves when it does not come so far in time', async () => {
      const session = scopedSession(sessionFactory(await open({ replicaWaitMs: 50 })));
      expect(await session.run(writeAndLook)).toEqual({ found: true, standby: false });
    });

    it('the position goes with the client to another instance', async () => {
      const [one, other] = [await open({ replicaWaitMs: 50 }), await open({ replicaWaitMs: 50 })].map(
        (engine) => scopedSession(sessionFactory(engine)),
      );
      const position = await one!.run(async (session) => {
        await write(session);
        await session.commit();
        return session.writePosition;
      });
      expect(position).toMatch(/^[0-9A-F]+\/[0-9A-F]+$/);
      const after = (session: SessionBase): Promise<object> => {
        session.readAfter(position!);
        return look(session);
      };
      expect(await other!.run(look, { readOnly: true })).toEqual({ found: false, standby: true });
      expect(await other!.run(after, { readOnly: true })).toEqual({ found: true, standby: false });
    });
  });

  it('that is killed is left for the primary, and found again', async () => {
    const session = scopedSession(sessionFactory(await open({ replicaRetryMs: 0 })));
    const isStandby = (): Promise<boolean | null> =>
      session.run((one) => one.scalar<boolean>('SELECT pg_is_in_recovery()'), { readOnly: true });
    expect(await isStandby()).toBe(true);
    await pair.standby.kill();
    expect(await isStandby()).toBe(false);
    await pair.standby.restart();
    expect(await isStandby()).toBe(true);
  });
});
