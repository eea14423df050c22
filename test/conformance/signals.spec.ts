/** SIG: which objects a COMMIT stores, told before and after it. */
import { type ModelChange, type ScopedSession, scopedSession, sessionFactory } from 'nestjs-scoped-session';
import { beforeEach, describe, expect, it } from 'vitest';
import { ALL_KINDS, onEach } from '../support/databases.js';
import { User } from '../support/users.js';
import { user, usersSession } from '../support/users-session.js';

onEach(ALL_KINDS, (database) => {
  const warnings: string[] = [];
  const test = usersSession(database, {
    factory: { trackModifications: true, warn: (message) => void warnings.push(message) },
  });
  let told: [when: string, ...changes: [entity: object, operation: string][]][];
  const note = (when: string) => (changes: readonly ModelChange[]) =>
    void told.push([when, ...changes.map(({ entity, operation }): [object, string] => [entity, operation])]);

  beforeEach(() => {
    told = [];
    warnings.length = 0;
    test.factory.beforeModelsCommitted(note('before'));
    test.factory.modelsCommitted(note('after'));
  });

  it('SIG-01: an object that was added is told of before and after the COMMIT, and not at the flush', async () => {
    const three = user({ name: 'three' });
    test.session.add(three);
    await test.session.flush();
    expect(told).toEqual([]);
    await test.session.commit();
    expect(told).toEqual([
      ['before', [three, 'insert']],
      ['after', [three, 'insert']],
    ]);
    await test.session.commit();
    expect(told).toHaveLength(2);
  });

  it('SIG-03: an object is told of once, with what became of it in all', async () => {
    const { session } = test;
    const [inserted, gone] = [user({ name: 'three' }), user({ name: 'four' })];
    const [one, two] = [await session.getOrFail(User, 1), await session.getOrFail(User, 2)];
    session.addAll([inserted, gone]);
    one.name = 'changed';
    two.name = 'changed too';
    await session.flush();
    inserted.name = 'changed';
    one.name = 'and again';
    session.delete(two);
    session.delete(gone);
    await session.flush();
    await session.commit();
    expect(told[1]!.slice(1)).toHaveLength(3);
    expect(new Map(told[1]!.slice(1) as [object, string][])).toEqual(
      new Map<object, string>([
        [inserted, 'insert'],
        [one, 'update'],
        [two, 'delete'],
      ]),
    );
  });

  it('an object that is given the value that it has is not told of', async () => {
    const one = await test.session.getOrFail(User, 1);
    one.name = 'one';
    (await test.session.getOrFail(User, 2)).name = 'other';
    await test.session.commit();
    expect(told[1]!.slice(1)).toHaveLength(1);
  });

  it('SIG-06: what was flushed before a savepoint that rolls back is told of; what was in it is not', async () => {
    const { session } = test;
    const one = await session.getOrFail(User, 1);
    one.name = 'outer';
    await session.flush();
    const inner = session.beginNested(async () => {
      session.add(user({ name: 'three' }));
      one.nick = 'inner';
      await session.flush();
      throw new Error('mine');
    });
    await expect(inner).rejects.toThrow('mine');
    await session.commit();
    expect(told).toEqual([
      ['before', [one, 'update']],
      ['after', [one, 'update']],
    ]);
  });

  it('SIG-06: what is done in a savepoint that is kept is told of, by a block and by handles', async () => {
    const { session } = test;
    const [three, four] = [user({ name: 'three' }), user({ name: 'four' })];
    const kept = await session.beginNested();
    session.add(three);
    await session.beginNested(async () => session.add(four));
    await kept.commit();
    await session.commit();
    expect(told[1]).toEqual(['after', [three, 'insert'], [four, 'insert']]);
  });

  it('SIG-07: bulk operations, SQL, and TypeORM’s own writes tell nothing', async () => {
    const { session } = test;
    await session.get(User, 1);
    await session.bulkInsertMappings(User, [{ name: 'three' }]);
    await session.bulkSaveObjects([user({ name: 'four' })]);
    await session.bulkUpdateMappings(User, [{ id: 2, name: 'other' }]);
    await session.execute('UPDATE users SET name = :name', { name: 'same' });
    await session.manager.createQueryBuilder().update(User).set({ nick: null }).where({ id: 1 }).execute();
    await session.getRepository(User).save(user({ name: 'five' }));
    await session.commit();
    expect(told).toEqual([]);
  });

  it('SIG-08: a commit that stores nothing tells nothing, and a rollback forgets what was flushed', async () => {
    await test.session.scalar('SELECT 1');
    await test.session.commit();
    test.session.add(user({ name: 'three' }));
    await test.session.flush();
    await test.session.rollback();
    await test.session.scalar('SELECT 1');
    await test.session.commit();
    expect(told).toEqual([]);
  });

  it('what a listener throws before the COMMIT prevents it; what one adds is stored and told of', async () => {
    const { session } = test;
    const one = await session.getOrFail(User, 1);
    const end = test.factory.beforeModelsCommitted(async () => {
      await Promise.resolve();
      throw new Error('not that');
    });
    one.name = 'refused';
    await expect(session.commit()).rejects.toThrow('not that');
    await session.rollback();
    end();
    expect((await test.names())[0]).toBe('one');
    told = [];
    await session.refresh(one);
    const audit = user({ name: 'audit' });
    const endAdding = test.factory.beforeModelsCommitted(() => session.add(audit));
    one.name = 'stored';
    await session.commit();
    endAdding();
    expect(told.at(-1)).toEqual(['after', [one, 'update'], [audit, 'insert']]);
    expect(await test.names()).toEqual(['stored', 'two', 'audit']);
  });

  it('what a listener throws after the COMMIT is reported, and the others are told', async () => {
    test.factory.modelsCommitted(() => {
      throw new Error('too late');
    });
    const last: unknown[] = [];
    test.factory.modelsCommitted((changes) => last.push(changes.length));
    test.session.add(user({ name: 'three' }));
    await test.session.commit();
    expect([await test.names(), last]).toEqual([['one', 'two', 'three'], [1]]);
    expect(warnings).toEqual([expect.stringMatching(/modelsCommitted failed: Error: too late/)]);
  });

  it('the scoped session’s listeners are told of all its units of work, in their scopes', async () => {
    const scoped: ScopedSession = scopedSession(test.factory);
    const end = scoped.beforeModelsCommitted(() => {
      if (scoped.info.isTold !== true) scoped.add(user({ name: 'audit' }));
      scoped.info.isTold = true;
    });
    await scoped.run(() => scoped.add(user({ name: 'four' })));
    end();
    expect(await test.names()).toEqual(['one', 'two', 'four', 'audit']);
    expect(told.at(-1)).toHaveLength(3);
  });
});

describe('without trackModifications', () => {
  it('listeners are refused: they would never be told', () => {
    const scoped = scopedSession(sessionFactory());
    for (const listen of [
      () => scoped.modelsCommitted(() => undefined),
      () => scoped.beforeModelsCommitted(() => undefined),
    ])
      expect(listen).toThrow(/trackModifications: true/);
    expect(() => scoped.modelsCommitted(1 as never)).toThrow(/must be a function/);
  });
});
