/** BGT: tasks that outlive a request, and what they may do with its session and its objects. */
import {
  BackgroundTasks,
  currentScope,
  DetachedInstanceError,
  ObjectStateError,
  type ScopedSession,
  scopedSession,
  SessionClosedError,
  sessionFactory,
} from 'nestjs-scoped-session';
import { beforeEach, expect, it } from 'vitest';
import { KINDS, onEach } from '../support/databases.js';
import { User } from '../support/users.js';
import { user, usersSession } from '../support/users-session.js';
import { signal } from '../support/wait-until.js';

onEach(KINDS, (database) => {
  const test = usersSession(database);
  let scoped: ScopedSession;
  let tasks: BackgroundTasks;
  let reported: { readonly error: unknown; readonly label: string }[];

  const tasksOf = (session: ScopedSession): BackgroundTasks =>
    new BackgroundTasks(session, {
      onError: (error, { label }) => void reported.push({ error, label }),
    });

  beforeEach(() => {
    reported = [];
    scoped = scopedSession(test.factory);
    tasks = tasksOf(scoped);
  });

  it('BGT-02: a task has a scope, a session and a connection of its own, and gives all of them back', async () => {
    let around: unknown[] = [];
    await scoped.run(async (session) => {
      // The connection of SQLite is the request's until it ends: the task waits for it.
      await session.scalar('SELECT 1');
      const task = tasks.run(async (own) => {
        const one = await own.getOrFail(User, 1);
        around = [own === session, currentScope()?.parent, currentScope()?.label, one.name];
        return scoped.current() === own;
      });
      expect([task.label, around]).toEqual(['background task of scopedSession.run', []]);
      void task.done.then((result) => expect(result).toEqual({ outcome: 'succeeded', value: true }));
    });
    await tasks.idle();
    expect(around).toEqual([false, undefined, 'background task of scopedSession.run', 'one']);
    expect([test.out, currentScope(), tasks.status()]).toEqual([
      0,
      undefined,
      { running: 0, waiting: 0, registered: 0 },
    ]);
    expect(reported).toEqual([]);
  });

  it('BGT-03: an object of the request cannot be added to the session of a task', async () => {
    await scoped.run(async (session) => {
      const one = await session.getOrFail(User, 1);
      // Nothing of the task needs a connection.
      const { done } = tasks.run((own) => own.add(one));
      const result = await done;
      expect(result).toMatchObject({ outcome: 'failed' });
      expect(session.has(one)).toBe(true);
    });
    expect(reported).toHaveLength(1);
    expect(reported[0]!.error).toBeInstanceOf(ObjectStateError);
    expect(String(reported[0]!.error)).toContain('is already attached to another session');
  });

  it('BGT-04: merge() makes a copy of it there, and leaves the original alone', async () => {
    const original = await scoped.run((session) => {
      const given = session.getOrFail(User, 1);
      tasks.run(async (own) => {
        const copy = await own.merge(await given);
        expect([copy === (await given), own.has(copy), own.has(await given)]).toEqual([false, true, false]);
        copy.name = 'by the task';
      });
      return given;
    });
    await tasks.idle();
    expect(reported).toEqual([]);
    expect([original.name, test.state(original)]).toEqual(['one', 'detached']);
    expect(await test.names()).toEqual(['by the task', 'two']);
  });

  it('BGT-05: the request has ended, and the task reads what had expired: an error, and no stale value', async () => {
    const expiring = scopedSession(sessionFactory(test.engine, { expireOnCommit: true }));
    const own = tasksOf(expiring);
    const one = await expiring.run(async (session) => {
      const loaded = await session.getOrFail(User, 1);
      await session.commit();
      return loaded;
    });
    const read = own.run(() => one.name);
    expect(await read.done).toEqual({ outcome: 'failed', error: expect.any(DetachedInstanceError) });
    // The cure that the error names.
    const cured = own.run(async (session) => {
      session.add(one);
      await session.refresh(one);
      return one.name;
    });
    expect(await cured.done).toEqual({ outcome: 'succeeded', value: 'one' });
  });

  it('BGT-06: the request commits and ends first, the task later, with what it has begun before', async () => {
    const requestEnded = signal();
    const inTask = signal();
    await scoped.run(async (session) => {
      session.add(user({ name: 'of the request' }));
      tasks.run(async (own) => {
        own.add(user({ name: 'of the task' }));
        inTask.resolve();
        await requestEnded.promise;
        await own.flush();
      });
      await inTask.promise;
    });
    expect(await test.names()).toEqual(['one', 'two', 'of the request']);
    requestEnded.resolve();
    await tasks.idle();
    expect(reported).toEqual([]);
    expect(await test.names()).toEqual(['one', 'two', 'of the request', 'of the task']);
  });

  it('BGT-07: the session of a request that has ended begins nothing for a task', async () => {
    const session = await scoped.run(async (own) => own);
    test.take();
    tasks.run(() => session.execute("INSERT INTO users (name) VALUES ('late')"), { label: 'late' });
    await tasks.idle();
    expect(reported).toEqual([{ label: 'late', error: expect.any(SessionClosedError) }]);
    expect(String(reported[0]!.error)).toMatch(
      /The session of scopedSession\.run has ended.*BackgroundTasks\.run\(fn\)/,
    );
    expect([test.sent(), test.out]).toEqual([[], 0]);
  });

  it('BGT-08: a task that throws is rolled back and reported; the request, and the next task, know nothing of it', async () => {
    const answer = await scoped.run(async (session) => {
      session.add(user({ name: 'of the request' }));
      tasks.run(
        async (own) => {
          own.add(user({ name: 'never' }));
          await own.flush();
          throw new Error('of the task');
        },
        { label: 'mail' },
      );
      tasks.run(async (own) => own.add(user({ name: 'of the next' })));
      return 'done';
    });
    await tasks.idle();
    expect(answer).toBe('done');
    expect(reported).toEqual([{ label: 'mail', error: expect.objectContaining({ message: 'of the task' }) }]);
    expect((await test.names()).toSorted()).toEqual(['of the next', 'of the request', 'one', 'two']);
    expect(test.out).toBe(0);
  });
});
