/** Where a scoped session keeps its sessions: scopes end theirs, keys keep theirs until remove(). */
import {
  IllegalStateChangeError,
  runInScope,
  scopedSession,
  SessionClosedError,
} from 'nestjs-scoped-session';
import { expect, it } from 'vitest';
import { engineOf } from '../../src/engine/index.js';
import { onEach } from '../support/databases.js';
import { ours, texts } from '../support/plain-and-ours.js';
import { signal } from '../support/wait-until.js';

const insert = (text: string): string => `INSERT INTO note (text) VALUES ('${text}')`;

onEach(['mariadb', 'sqljs'], (database) => {
  it('a keyed session lives on when the scope that it was first used in ends', async () => {
    const { session, dataSource } = await ours(database);
    const keyed = scopedSession(session.sessionFactory, () => 'tenant a');
    const first = await runInScope(async () => {
      await keyed.execute(insert('first'));
      await keyed.commit();
      return keyed.current();
    });
    expect(keyed.current()).toBe(first);
    await keyed.execute(insert('second'));
    await keyed.commit();
    await keyed.remove();
    expect(keyed.registry.has()).toBe(false);
    expect(await texts(dataSource)).toEqual(['first', 'second']);
  });

  it('run() with a key commits, or rolls back, and removes', async () => {
    const { session, dataSource } = await ours(database);
    const keyed = scopedSession(session.sessionFactory, () => 'tenant a');
    expect(await keyed.run(async (own) => own.scalar('SELECT 42'))).toBeTruthy();
    await keyed.run(() => keyed.execute(insert('kept')));
    const failing = keyed.run(async () => {
      await keyed.execute(insert('lost'));
      throw new Error('no');
    });
    await expect(failing).rejects.toThrow('no');
    expect(keyed.registry.has()).toBe(false);
    await expect(keyed.independently(async () => 1)).rejects.toThrow(IllegalStateChangeError);
    expect(await texts(dataSource)).toEqual(['kept']);
  });

  it('remove() inside beginNested(fn) is refused, and forgets nothing', async () => {
    const { session, dataSource } = await ours(database);
    await session.run(async () => {
      await session.execute(insert('before'));
      await session.beginNested(async () => {
        await session.execute(insert('inside'));
        await expect(session.remove()).rejects.toThrow(IllegalStateChangeError);
      });
    });
    expect(await texts(dataSource)).toEqual(['before', 'inside']);
  });

  it('a session that was removed by hand is not kept for the end of its scope', async () => {
    const { session, dataSource } = await ours(database);
    const engine = engineOf(dataSource);
    await session.run(async () => {
      const removed = session.current();
      await session.execute(insert('lost'));
      await session.remove();
      expect(engine.status().active).toBe(0);
      await session.execute(insert('kept'));
      expect(session.current()).not.toBe(removed);
    });
    expect(await texts(dataSource)).toEqual(['kept']);
  });

  it("a factory's session made inside a scope is its caller's, and the scope does not end it", async () => {
    const { session, dataSource } = await ours(database);
    const own = await session.run(async () => session.sessionFactory.create());
    await own.execute(insert('by its caller'));
    await own.commit();
    const ended = signal();
    let late: Promise<unknown> | undefined;
    await session.run(async () => {
      late = ended.promise.then(() => session.execute(insert('too late')));
    });
    ended.resolve();
    await expect(late).rejects.toThrow(SessionClosedError);
    expect(await texts(dataSource)).toEqual(['by its caller']);
  });
});
