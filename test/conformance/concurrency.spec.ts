/** ASY: one session used by several at once, and several sessions at once. */
import { AsyncLocalStorage } from 'node:async_hooks';
import {
  currentScope,
  runInScope,
  scopedSession,
  type ScopedSession,
  type SessionBase,
} from 'nestjs-scoped-session';
import { beforeEach, describe, expect, it } from 'vitest';
import { ALL_KINDS, isSqlite, onEach } from '../support/databases.js';
import { INSERT_USER, type Users, users } from '../support/users.js';
import { signal, waitUntil } from '../support/wait-until.js';

const named = (name: string): { name: string; nick: null } => ({ name, nick: null });

onEach(ALL_KINDS, (database) => {
  const isOneConnection = database.kind === 'sqljs' || database.kind === 'better-sqlite3';
  let test: Users;
  let scoped: ScopedSession;
  let session: SessionBase;

  beforeEach(async () => {
    test = await users(database);
    scoped = scopedSession(test.factory);
    session = test.factory.create();
  });

  const three = (): Promise<unknown> =>
    Promise.all(['three', 'four', 'five'].map((name) => session.execute(INSERT_USER, named(name))));
  const inOrder = ['one', 'two', 'three', 'four', 'five'];

  it('ASY-01: three statements at once on a session without a connection take one, and turns (deviation: two of them are refused there)', async () => {
    await three();
    expect(test.out).toBe(1);
    expect(test.recorder.transactionControl).toEqual(['BEGIN']);
    await session.commit();
    expect(await test.names()).toEqual(inOrder);
  });

  it('ASY-02: three statements at once on a connected session take turns, in the order asked', async () => {
    await session.execute('SELECT 1');
    test.recorder.take();
    await three();
    expect(test.recorder.transactionControl).toEqual([]);
    await session.commit();
    expect(await test.names()).toEqual(inOrder);
  });

  it('ASY-02: a statement that fails among them fails alone', async () => {
    const outcomes = await Promise.allSettled([
      session.scalar('SELECT 1'),
      session.execute(INSERT_USER, { name: 'again', nick: 'x' }),
      database.kind === 'postgres' ? undefined : session.execute(INSERT_USER, named('three')),
    ]);
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    await session.rollback();
  });

  it('ASY-04: commit() waits for the first statement, which is still on its way to a connection, and commits it (deviation: it is refused there)', async () => {
    const statement = session.execute(INSERT_USER, named('three'));
    const commit = session.commit();
    await Promise.all([statement, commit]);
    expect(test.recorder.transactionControl).toEqual(['BEGIN', 'COMMIT']);
    expect([session.inTransaction(), test.out]).toEqual([false, 0]);
    expect(await test.names()).toEqual(['one', 'two', 'three']);
  });

  it('ASY-06: a scope function that tells tasks apart gives each a session of its own, which stays until it is removed', async () => {
    const task = new AsyncLocalStorage<symbol>();
    const keyed = scopedSession(test.factory, () => task.getStore());
    const of = (name: string): Promise<SessionBase> => task.run(Symbol(name), async () => keyed.current());
    await task.run(Symbol('parent'), async () => {
      const parent = keyed.current();
      const children = await Promise.all([of('one'), of('two'), of('three')]);
      expect(new Set([parent, ...children]).size).toBe(4);
      await keyed.remove();
      expect(keyed.registry.has()).toBe(false);
      expect(keyed.current()).not.toBe(parent);
    });
  });

  it('ASY-07: everything that a scope calls, awaits or starts has its session; one remove() forgets it', async () => {
    await runInScope(async () => {
      const own = scoped.current();
      expect(scoped.current()).toBe(own);
      const children = await Promise.all([
        (async () => scoped.current())(),
        Promise.resolve().then(() => scoped.current()),
        new Promise((resolve) => setTimeout(() => resolve(scoped.current()), 0)),
        new Promise((resolve) => setImmediate(() => resolve(scoped.current()))),
        new Promise((resolve) => process.nextTick(() => resolve(scoped.current()))),
        new Promise((resolve) => queueMicrotask(() => resolve(scoped.current()))),
      ]);
      for (const child of children) expect(child).toBe(own);
      await scoped.execute('SELECT 1');
      expect(scoped.current()).toBe(own);
      await scoped.remove();
      expect(currentScope()!.entries.size).toBe(0);
    });
  });

  it('ASY-09: remove() that nobody awaits forgets the session at once and ends it soon (deviation: nothing happens there)', async () => {
    await runInScope(async () => {
      await scoped.execute(INSERT_USER, named('three'));
      const before = scoped.current();
      void scoped.remove();
      expect(scoped.registry.has()).toBe(false);
      expect(scoped.current()).not.toBe(before);
      await waitUntil('the connection is back', () => test.out === 0);
      expect(before.inTransaction()).toBe(false);
    });
    expect(await test.names()).toEqual(['one', 'two']);
  });

  describe('ASY-10: two units of work at the same time', () => {
    it('have a session each, with notes of its own', async () => {
      const both = signal();
      let inside = 0;
      const one = (name: string): Promise<SessionBase> =>
        scoped.run(async (own) => {
          own.info['name'] = name;
          if ((inside += 1) === 2) both.resolve();
          await both.promise;
          expect(scoped.current()).toBe(own);
          expect(scoped.info).toEqual({ name });
          return own;
        });
      const [a, b] = await Promise.all([one('a'), one('b')]);
      expect(a).not.toBe(b);
    });

    it('have a transaction each: one fails, the other is kept', async () => {
      const failure = new Error('of the first');
      const first = scoped.run(async () => {
        await scoped.execute(INSERT_USER, named('three'));
        throw failure;
      });
      const second = scoped.run(() => scoped.execute(INSERT_USER, named('four')));
      await Promise.all([expect(first).rejects.toBe(failure), second]);
      expect(await test.names()).toEqual(['one', 'two', 'four']);
    });

    it.runIf(!isOneConnection)('do not see what the other has not committed', async () => {
      const [written, read] = [signal(), signal()];
      const writer = scoped.run(async () => {
        await scoped.execute(INSERT_USER, named('three'));
        written.resolve();
        await read.promise;
      });
      const count = await scoped.run(
        async () => {
          await written.promise;
          return scoped.scalar('SELECT COUNT(*) FROM users').finally(read.resolve);
        },
        // SQLite has one writer at a time.
        { readOnly: isSqlite(database.kind) },
      );
      await writer;
      expect(Number(count)).toBe(2);
    });
  });
});
