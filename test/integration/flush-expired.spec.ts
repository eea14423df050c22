/** A flush of objects that are expired or half loaded: what was assigned is sent, and nothing that is not known. */
import { expect, it } from 'vitest';
import { expire } from '../../src/unit-of-work/index.js';
import { StaleDataError } from 'nestjs-scoped-session';
import { Account, Author, Item, Post, Row } from '../support/catalogue.js';
import { KINDS, onEach } from '../support/databases.js';
import { catalogue, flushing, make } from '../support/flushing.js';

onEach(KINDS, (database) => {
  const dataSource = catalogue(database);
  const inUnit = (work: Parameters<typeof flushing>[1]) => flushing(dataSource(), work);
  const item = (name: string): Item => make(Item, { name, size: { width: 1, height: 2 } });

  it('an expired object is no change, whatever became of its row, and its change before is given up', () =>
    inUnit(async ({ runner, add, map, flush, sent }) => {
      const rows = [1, 2].map((amount) => make(Row, { name: 'a', amount }));
      const author = make(Author, { name: 'a', posts: [make(Post, { title: 't' })] });
      add<object>(...rows, author);
      await flush();
      rows[0]!.name = 'given up';
      author.posts = [];
      for (const tracked of map) expire(tracked);
      await runner.query('UPDATE row SET amount = 9');
      sent();
      await flush();
      expect(sent()).toEqual([]);
    }));

  it('EXP-09: what is assigned to an expired object is sent, and nothing else of it', () =>
    inUnit(async ({ runner, add, map, flush, statements }) => {
      const row = make(Row, { name: 'a', amount: 1 });
      add(row);
      await flush();
      expire(map.of(row)!);
      await runner.query('UPDATE row SET amount = 9');
      statements();
      row.name = 'b';
      expect(statements()).toEqual([]);
      await flush();
      expect(statements()).toEqual([
        expect.stringMatching(/^UPDATE .row. SET .name. = \S+ WHERE .id. = \S+$/),
      ]);
      expect(await runner.manager.find(Row)).toEqual([{ id: row.id, name: 'b', amount: 9 }]);
      expect(map.of(row)!.isExpired).toBe(true);
      statements();
      await flush();
      expect(statements()).toEqual([]);
    }));

  it('a version that is not known is not checked, and is known afterwards', () =>
    inUnit(async ({ runner, load, flush, statements }) => {
      await runner.manager.save([item('a'), item('b'), item('c')]);
      const items = await load(Item, { select: { id: true, name: true } });
      for (const one of items.slice(0, 2)) one.name += '!';
      await runner.query('UPDATE item SET version = 5');
      statements();
      await flush();
      const [update, read] = statements();
      expect(update).toMatch(/WHERE .id. IN \([^()]*\)$/);
      expect(read).toMatch(/^SELECT /);
      expect(items.map(({ version }) => version)).toEqual([6, 6, undefined]);
      items[0]!.name = 'again';
      await runner.query('UPDATE item SET version = 9');
      await expect(flush()).rejects.toThrow(StaleDataError);
    }));

  it('a version that is known is checked, also among those that are not', () =>
    inUnit(async ({ runner, add, load, flush, sent }) => {
      const known = item('known');
      add(known);
      await flush();
      await runner.manager.save(item('unknown'));
      const [unknown] = await load(Item, { select: { id: true, name: true }, where: { name: 'unknown' } });
      for (const one of [known, unknown!]) one.name = 'changed';
      await flush();
      expect(sent()).toEqual(['UPDATE item', 'SELECT item', 'UPDATE item', 'SELECT item']);
      expect([known.version, unknown!.version]).toEqual([2, 2]);
      await runner.query(`UPDATE item SET version = 7 WHERE id = ${known.id}`);
      for (const one of [known, unknown!]) one.name = 'again';
      await expect(flush()).rejects.toThrow(StaleDataError);
    }));

  it('a version that is not known is not checked either where somebody listens', () =>
    inUnit(async ({ runner, load, flush }) => {
      await runner.manager.save(make(Account, { owner: 'a', balance: 1 }));
      const [account] = await load(Account, { select: { id: true, balance: true } });
      account!.balance = 2;
      await flush();
      expect(account!.version).toBe(2);
      expect(await runner.manager.find(Account)).toMatchObject([{ owner: 'a', balance: 2, version: 2 }]);
    }));
});
