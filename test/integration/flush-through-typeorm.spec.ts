/** What a flush leaves to TypeORM: classes with listeners, and trees. */
import { StaleDataError } from 'nestjs-scoped-session';
import { QueryFailedError } from 'typeorm';
import { expect, it } from 'vitest';
import { Account, AccountSubscriber, Branch, Country } from '../support/catalogue.js';
import { KINDS, onEach } from '../support/databases.js';
import { catalogue, flushing, make } from '../support/flushing.js';

onEach(KINDS, (database) => {
  const dataSource = catalogue(database);
  const inUnit = (work: Parameters<typeof flushing>[1]) => flushing(dataSource(), work);

  it('listeners and subscribers are told, may change the object still, and nothing is selected first', () =>
    inUnit(async ({ runner, add, map, flush, sent, markDeleted }) => {
      const [subscriber] = dataSource().subscribers as AccountSubscriber[];
      subscriber!.events.length = 0;
      const accounts = ['a', 'b'].map((owner) => make(Account, { owner, balance: 1 }));
      add(...accounts);
      await flush();
      expect(sent()).toEqual(['INSERT account']);
      expect(accounts.map(({ heard, note }) => [...heard, note])).toEqual(
        accounts.map(() => ['before insert', 'after insert number', 'new']),
      );
      accounts[0]!.balance = 5;
      await flush();
      expect(sent()).toEqual(['UPDATE account']);
      expect(subscriber!.events.splice(0)).toEqual(['updated balance, note']);
      expect(await runner.manager.findOneBy(Account, { owner: 'a' })).toMatchObject({
        balance: 5,
        note: 'changed',
        version: 2,
      });
      sent();
      markDeleted(accounts[0]!);
      await flush();
      expect(sent()).toEqual(['DELETE account']);
      expect(subscriber!.events).toEqual(['removes a']);
      expect(accounts[0]!.id).toBeTypeOf('number');
      expect(map.of(accounts[0]!)).toBeUndefined();
    }));

  it('the version is checked where somebody listens too', () =>
    inUnit(async ({ runner, load, flush }) => {
      await runner.manager.save(make(Account, { owner: 'a', balance: 1 }));
      const [account] = await load(Account);
      await runner.manager.createQueryBuilder().update(Account).set({ balance: 2 }).execute();
      account!.balance = 3;
      await expect(flush()).rejects.toThrow(StaleDataError);
    }));

  it('a root of a tree, whose parent is null as it was, is changed in its own columns only', () =>
    inUnit(async ({ add, flush, statements }) => {
      const root = make(Branch, { name: 'root', parent: null });
      add(root);
      await flush();
      statements();
      root.name = 'trunk';
      await flush();
      const updates = statements().filter((sql) => sql.startsWith('UPDATE'));
      expect(updates).toEqual([expect.stringMatching(/^UPDATE .branch. SET .name. = \S+ WHERE/)]);
      await flush();
      expect(statements()).toEqual([]);
    }));

  it('a failure takes back what was written into objects that TypeORM stored', () =>
    inUnit(async ({ runner, add, flush }) => {
      const account = make(Account, { owner: 'a', balance: 1 });
      const root = make(Branch, { name: 'root', parent: null });
      await runner.manager.insert(Country, { code: 'fr', name: 'France' });
      const [tracked, ...others] = add<object>(account, root, make(Country, { code: 'fr', name: 'again' }));
      await runner.query('SAVEPOINT before_flush');
      await expect(flush()).rejects.toThrow(QueryFailedError);
      await runner.query('ROLLBACK TO SAVEPOINT before_flush');
      expect([account.id, account.version, root.id]).toEqual([undefined, undefined, undefined]);
      expect([tracked!, ...others].map(({ state }) => state)).toEqual(['pending', 'pending', 'pending']);
    }));

  it('trees keep their paths', () =>
    inUnit(async ({ runner, add, flush }) => {
      const root = make(Branch, { name: 'root', parent: null });
      const leaf = make(Branch, { name: 'leaf', parent: root });
      add(leaf, root);
      await flush();
      const trees = runner.manager.getTreeRepository(Branch);
      expect((await trees.findAncestors(leaf)).map(({ name }) => name).toSorted()).toEqual(['leaf', 'root']);
    }));
});
