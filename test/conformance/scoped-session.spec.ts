/** SCO: scopedSession behaves as SQLAlchemy's scoped_session. */
import {
  currentScope,
  InvalidParameterError,
  NoActiveScopeError,
  runInScope,
  scopedSession,
  ScopedSession,
  SessionAlreadyPresentError,
  SessionBase,
  type SessionQuery,
} from 'nestjs-scoped-session';
import { SelectQueryBuilder } from 'typeorm';
import { beforeEach, expect, it, onTestFinished, vi } from 'vitest';
import { ALL_KINDS, onEach, SERVERS } from '../support/databases.js';
import { kill } from '../support/plain-and-ours.js';
import { connectionNumber, INSERT_USER, User, type Users, users } from '../support/users.js';
import { waitUntil } from '../support/wait-until.js';

const THREE = { name: 'three', nick: null };

/** A scope function that a test moves from scope to scope, and that counts its calls. */
function scopeFunction() {
  const scope = { key: 'a' };
  const calls = vi.fn<() => string>(() => scope.key);
  return {
    scope,
    calls,
    /** How often it was called since the last time. */
    count: () => calls.mock.calls.splice(0).length,
  };
}

onEach(ALL_KINDS, (database) => {
  let test: Users;
  let scoped: ScopedSession;

  beforeEach(async () => {
    test = await users(database);
    scoped = scopedSession(test.factory);
  });

  it('SCO-01: a scope has one session, made once', async () => {
    const create = vi.spyOn(test.factory, 'createIn');
    await runInScope(() => expect(scoped.current()).toBe(scoped.current()));
    expect(create).toHaveBeenCalledTimes(1);
  });

  it('SCO-02: another scope has another session', async () => {
    const [a, b] = await Promise.all([1, 2].map(() => runInScope(() => scoped.current())));
    expect(a).not.toBe(b);
  });

  it('SCO-03: remove() without a session makes none, sends nothing, and asks for the scope twice', async () => {
    const create = vi.spyOn(test.factory, 'createIn');
    const { calls, count } = scopeFunction();
    await scopedSession(test.factory, calls).remove();
    expect(count()).toBe(2);
    await runInScope(() => scoped.remove());
    expect(create).not.toHaveBeenCalled();
    expect(test.recorder.take()).toEqual([]);
  });

  it('SCO-07: configure() with a session present warns and changes later sessions alone', async () => {
    const heard: Error[] = [];
    const listen = (warning: Error): void => void heard.push(warning);
    process.on('warning', listen);
    await runInScope(async () => {
      scoped.configure({ info: { age: 'old' } });
      const session = scoped.current();
      expect(session.info).toEqual({ age: 'old' });
      expect(heard).toEqual([]);
      scoped.configure({ info: { age: 'new' } });
      await waitUntil('the warning is told', () => heard.length > 0);
      expect(scoped.current()).toBe(session);
      expect(session.info).toEqual({ age: 'old' });
      expect(scoped.sessionFactory.create().info).toEqual({ age: 'new' });
      // Only this scope's session counts.
      await runInScope(() => scoped.configure({ info: { age: 'newest' } }));
      await new Promise((resolve) => setImmediate(resolve));
    });
    process.removeListener('warning', listen);
    expect(heard.map(({ name, message }) => [name, message])).toEqual([
      [
        'ScopedSessionWarning',
        'At least one scoped session is already present. configure() can not affect sessions that have already been created.',
      ],
    ]);
  });

  it('SCO-12: after remove() the scope gets another session', async () => {
    await runInScope(async () => {
      const before = scoped.current();
      await scoped.remove();
      expect(scoped.registry.has()).toBe(false);
      expect(scoped.current()).not.toBe(before);
    });
  });

  it('SCO-14: commit() keeps the session in the scope and gives its connection back', async () => {
    await runInScope(async () => {
      const session = scoped.current();
      await scoped.execute(INSERT_USER, THREE);
      expect(test.out).toBe(1);
      await scoped.commit();
      expect(test.out).toBe(0);
      expect(scoped.registry.has()).toBe(true);
      expect(scoped.current()).toBe(session);
    });
    expect(await test.names()).toEqual(['one', 'two', 'three']);
  });

  it('SCO-15: an error of close() is thrown by remove(), and the next session works (deviation: it is another one)', async () => {
    const failure = new Error('cannot close');
    let mayFail = true;
    class Failing extends SessionBase {
      override async close(): Promise<void> {
        if (!mayFail) return super.close();
        mayFail = false;
        throw failure;
      }
    }
    scoped.configure({ sessionClass: Failing });
    await runInScope(async () => {
      const first = scoped.current();
      await scoped.execute(INSERT_USER, THREE);
      await expect(scoped.remove()).rejects.toBe(failure);
      expect(scoped.registry.has()).toBe(false);
      expect(test.out).toBe(0);
      expect(scoped.current()).not.toBe(first);
      await scoped.execute(INSERT_USER, { name: 'four', nick: null });
      await scoped.commit();
      await scoped.remove();
    });
    expect(await test.names()).toEqual(['one', 'two', 'four']);
  });

  it('SCO-18: passes every member of the row on, and every other one, inherited ones and the iterator too', () => {
    const row = ['has', 'add', 'addAll', 'begin', 'beginNested', 'close', 'reset', 'commit', 'connection'];
    row.push(
      'delete',
      'execute',
      'expire',
      'expireAll',
      'expunge',
      'expungeAll',
      'flush',
      'get',
      'getOrFail',
    );
    row.push('getBind', 'isModified', 'bulkSaveObjects', 'bulkInsertMappings', 'bulkUpdateMappings', 'merge');
    row.push('query', 'refresh', 'rollback', 'scalar', 'scalars');
    const passedOn = Object.getOwnPropertyDescriptors(ScopedSession.prototype) as PropertyDescriptorMap;
    for (const name of [...row, Symbol.iterator])
      expect([name, typeof passedOn[name]?.value]).toEqual([name, 'function']);
    for (const name of ['autoflush', 'dirty', 'deleted', 'new', 'identityMap', 'isActive', 'info'])
      expect([name, typeof passedOn[name]?.get]).toEqual([name, 'function']);
    const members: string[] = [];
    let prototype = SessionBase.prototype as object;
    while (prototype !== Object.prototype) {
      members.push(...Object.getOwnPropertyNames(prototype));
      prototype = Object.getPrototypeOf(prototype) as object;
    }
    expect(members).toContain('bulkSaveObjects');
    expect(members.filter((name) => !(name in passedOn))).toEqual(['toJSON']);
  });

  it('SCO-18: members that are inherited work on the session of the scope', async () => {
    await runInScope(async () => {
      const user = Object.assign(new User(), { name: 'three' });
      scoped.add(user);
      expect([scoped.has(user), scoped.current().has(user)]).toEqual([true, true]);
      expect([...scoped]).toEqual([user]);
      expect([...scoped.new]).toEqual([user]);
      await scoped.commit();
      expect(await scoped.get(User, 3)).toBe(user);
    });
    expect(await test.names()).toEqual(['one', 'two', 'three']);
  });

  it('SCO-20: autoflush that is set on the scoped session is set on the session', async () => {
    await runInScope(async () => {
      expect(scoped.autoflush).toBe(true);
      scoped.autoflush = false;
      expect(scoped.current().autoflush).toBe(false);
      scoped.add(Object.assign(new User(), { name: 'three' }));
      expect(await scoped.count(User)).toBe(2);
      scoped.autoflush = true;
      expect(await scoped.count(User)).toBe(3);
    });
    expect(await test.names()).toEqual(['one', 'two']);
  });

  it('SCO-23: a query property gives another query at each reading, of the session that the scope has', async () => {
    class Owner extends User {
      declare static readonly query: SessionQuery<User>;
    }
    Object.defineProperty(User, 'query', scoped.queryProperty());
    onTestFinished(() => void Reflect.deleteProperty(User, 'query'));
    const of = (owner: typeof User): SessionQuery<User> => (owner as typeof Owner).query;
    await runInScope(async () => {
      const [first, second] = [of(User), of(User)];
      expect(first).not.toBe(second);
      expect(first.alias).toBe('User');
      const one = await first.where('User.id = 1').getOneOrFail();
      expect([scoped.has(one), await second.getCount()]).toEqual([true, 2]);
      const before = scoped.queryRunner;
      await scoped.remove();
      const after = of(User) as SessionQuery<User> & { queryRunner: unknown };
      expect(after.queryRunner).toBe(scoped.queryRunner);
      expect(after.queryRunner).not.toBe(before);
      const again = await after.where('User.id = 1').getOneOrFail();
      expect(again).not.toBe(one);
      expect(scoped.has(again)).toBe(true);
      // A class that extends it is the class that is asked for.
      expect(() => of(Owner)).toThrow('No metadata for "Owner"');
      expect(() => Reflect.get(User, 'query', {})).toThrow(InvalidParameterError);
    });
    expect(() => of(User)).toThrow(NoActiveScopeError);
  });

  it('SCO-24: a query property of one’s own, beside the default one', async () => {
    class Query {
      constructor(
        readonly builder: SessionQuery<User>,
        readonly owner: unknown,
      ) {}
      named(name: string): Promise<User | null> {
        return this.builder.where({ name }).getOne();
      }
    }
    const own = scoped.queryProperty<User, Query>((builder, of) => new Query(builder, of));
    Object.defineProperties(User, { query: scoped.queryProperty<User>(), own });
    onTestFinished(() => {
      for (const name of ['query', 'own']) Reflect.deleteProperty(User, name);
    });
    await runInScope(async () => {
      const asked = User as typeof User & { readonly query: SessionQuery<User>; readonly own: Query };
      expect(asked.own).toBeInstanceOf(Query);
      expect(asked.own.owner).toBe(User);
      expect((await asked.own.named('two'))?.id).toBe(2);
      expect(asked.query).toBeInstanceOf(SelectQueryBuilder);
    });
    expect(() => scoped.queryProperty('User' as never)).toThrow('must be a function');
  });

  it('SCO-22: two scoped sessions over one factory have a session each', async () => {
    const other = scopedSession(test.factory);
    await runInScope(async () => {
      const mine = other.current();
      expect(scoped.current()).not.toBe(mine);
      await scoped.remove();
      expect(other.registry.has()).toBe(true);
      expect(other.current()).toBe(mine);
    });
  });

  it('SCO-25: with a session present, the scope function is called once a use, and three times by remove()', async () => {
    const { calls, count } = scopeFunction();
    const keyed = scopedSession(test.factory, calls);
    keyed.current();
    count();
    keyed.current();
    expect(count()).toBe(1);
    await keyed.scalar('SELECT 1');
    expect(count()).toBe(1);
    expect(() => keyed.current({ readOnly: true })).toThrow(SessionAlreadyPresentError);
    expect(count()).toBe(1);
    const warned = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
    keyed.configure({});
    expect(count()).toBe(1);
    expect(warned).toHaveBeenCalledTimes(1);
    warned.mockRestore();
    await keyed.remove();
    expect(count()).toBe(3);
  });

  it('SCO-26: without a session, the scope function is called once, and twice when options are given', async () => {
    const { calls, count, scope } = scopeFunction();
    const keyed = scopedSession(test.factory, calls);
    keyed.current();
    expect(count()).toBe(1);
    scope.key = 'b';
    keyed.current({ readOnly: true });
    expect(count()).toBe(2);
    expect(keyed.current({})).toBe(keyed.current());
  });

  it('SCO-27: forwards calls with exactly their arguments, in order', async () => {
    const calls: unknown[][] = [];
    class Recording extends SessionBase {
      override async execute(...given: unknown[]): Promise<never> {
        calls.push(['execute', ...given]);
        return undefined as never;
      }
      override query(...given: unknown[]): never {
        calls.push(['query', ...given]);
        return undefined as never;
      }
    }
    scoped.configure({ sessionClass: Recording });
    await runInScope(async () => {
      await scoped.execute('a');
      await scoped.query('d', [1]);
      await scoped.execute('e', { f: 2 });
    });
    expect(calls).toEqual([
      ['execute', 'a'],
      ['query', 'd', [1]],
      ['execute', 'e', { f: 2 }],
    ]);
  });

  it('SCO-28: a session class of one’s own is used, with what it overrides', async () => {
    const getBind = vi.fn<SessionBase['getBind']>(() => test.dataSource);
    class Own extends SessionBase {
      override getBind = getBind;
    }
    scoped.configure({ sessionClass: Own });
    await runInScope(() => {
      expect(scoped.current()).toBeInstanceOf(Own);
      expect(scoped.getBind('User')).toBe(test.dataSource);
    });
    expect(getBind).toHaveBeenCalledExactlyOnceWith('User');
  });

  it('SCO-31: in a scope that nobody removed, the next task commits what the last one left', async () => {
    const keyed = scopedSession(test.factory, () => 'a worker');
    await keyed.execute(INSERT_USER, THREE);
    await keyed.commit();
    await keyed.execute(INSERT_USER, { name: 'left over', nick: null });
    // The next task begins; nobody has called remove().
    await keyed.commit();
    expect(await test.names()).toEqual(['one', 'two', 'three', 'left over']);
    await keyed.execute(INSERT_USER, { name: 'removed in time', nick: null });
    await keyed.remove();
    await keyed.commit();
    expect(await test.names()).toEqual(['one', 'two', 'three', 'left over']);
  });

  it('has no session outside a scope that a scope function or run() names', () => {
    expect(currentScope()).toBeUndefined();
    expect(() => scoped.current()).toThrow('was used outside a scope');
  });
});

onEach(SERVERS, (database) => {
  it('SCO-16: remove() of a session whose connection was killed forgets it and leaks nothing (deviation: without an error)', async () => {
    const test = await users(database, { dataSource: { poolSize: 1 } });
    const scoped = scopedSession(test.factory);
    await runInScope(async () => {
      await scoped.execute(INSERT_USER, THREE);
      await kill(database, await connectionNumber(scoped, database));
      await expect(scoped.remove()).resolves.toBeUndefined();
      expect(scoped.registry.has()).toBe(false);
      expect(test.out).toBe(0);
      await scoped.execute(INSERT_USER, { name: 'four', nick: null });
      await scoped.commit();
      await scoped.remove();
    });
    expect(await test.names()).toEqual(['one', 'two', 'four']);
  });
});
