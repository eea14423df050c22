/** How many statements a flush needs: what counts where the database is far away. */
import { expect, it } from 'vitest';
import { Author, Item, Post, Row } from '../support/catalogue.js';
import { KINDS, onEach } from '../support/databases.js';
import { catalogue, flushing, make } from '../support/flushing.js';

onEach(KINDS, (database) => {
  const dataSource = catalogue(database);
  const inUnit = (work: Parameters<typeof flushing>[1]) => flushing(dataSource(), work);
  const row = (place: number): Row => make(Row, { name: `row ${place}`, amount: place });
  const item = (place: number): Item =>
    make(Item, { name: `item ${place}`, size: { width: place, height: 1 } });
  const thousand = <T>(one: (place: number) => T): T[] =>
    Array.from({ length: 1_000 }, (_, place) => one(place));

  it('1,000 new rows are two statements, and each object has its own key', () =>
    inUnit(async ({ runner, add, flush, sent }) => {
      const all = thousand(row);
      add(...all);
      await flush();
      expect(sent()).toEqual(['INSERT row', 'INSERT row']);
      const stored = await runner.manager.find(Row);
      const names = new Map(stored.map(({ id, name }) => [id, name]));
      expect(all.filter(({ id, name }) => names.get(id) !== name)).toEqual([]);
    }));

  it('1,000 changed rows are two statements', () =>
    inUnit(async ({ runner, add, load, flush, sent }) => {
      add(...thousand(row));
      await flush();
      const loaded = await load(Row);
      for (const one of loaded) Object.assign(one, { name: `changed ${one.amount}`, amount: one.amount + 1 });
      await flush();
      expect(sent()).toEqual(['UPDATE row', 'UPDATE row']);
      expect(await runner.manager.find(Row, { order: { id: 'ASC' } })).toEqual(loaded);
    }));

  it('1,000 changed rows with a version and a date are four', () =>
    inUnit(async ({ runner, add, load, flush, sent }) => {
      add(...thousand(item));
      await flush();
      const loaded = await load(Item);
      for (const one of loaded) one.name = `changed ${one.size.width}`;
      await flush();
      expect(sent()).toEqual(['UPDATE item', 'SELECT item', 'UPDATE item', 'SELECT item']);
      expect(await runner.manager.find(Item, { order: { id: 'ASC' } })).toEqual(loaded);
    }));

  it('1,000 rows are deleted with two', () =>
    inUnit(async ({ runner, add, flush, sent, markDeleted }) => {
      const all = thousand(row);
      add(...all);
      await flush();
      sent();
      for (const one of all) markDeleted(one);
      await flush();
      expect(sent()).toEqual(['DELETE row', 'DELETE row']);
      expect(await runner.manager.count(Row)).toBe(0);
    }));

  it('one changed post among 200 authors with 10 posts each is one statement', () =>
    inUnit(async ({ add, load, flush, sent }) => {
      const posts = (): Post[] =>
        Array.from({ length: 10 }, (_, place) => make(Post, { title: `post ${place}` }));
      add(
        ...Array.from({ length: 200 }, (_, place) =>
          make(Author, { name: `author ${place}`, posts: posts() }),
        ),
      );
      await flush();
      expect(sent()).toEqual(['INSERT author', ...Array.from({ length: 4 }, () => 'INSERT post')]);
      const authors = await load(Author, { relations: { posts: true } });
      authors[100]!.posts[5]!.title = 'changed';
      await flush();
      expect(sent()).toEqual(['UPDATE post']);
    }));
});

onEach(['mariadb'], (database) => {
  // As on MySQL: nothing is returned, and the first key tells the others.
  const dataSource = catalogue(database, { type: 'mysql' });

  it('1,000 new rows without RETURNING are few statements too, and each object has its own key', () =>
    flushing(dataSource(), async ({ runner, add, flush, sent }) => {
      const all = Array.from({ length: 1_000 }, (_, place) =>
        make(Row, { name: `row ${place}`, amount: place }),
      );
      add(...all);
      await flush();
      const told = sent();
      expect(told.filter((statement) => statement === 'INSERT row')).toHaveLength(2);
      expect(told).toHaveLength(3);
      const names = new Map((await runner.manager.find(Row)).map(({ id, name }) => [id, name]));
      expect(all.filter(({ id, name }) => names.get(id) !== name)).toEqual([]);
    }));

  it('what the server makes besides the key is read with one statement', () =>
    flushing(dataSource(), async ({ runner, add, flush, sent }) => {
      const items = [1, 2].map((width) => make(Item, { name: 'a', size: { width, height: 1 } }));
      add(...items);
      await flush();
      // What is not about a table asks for the step between keys.
      expect(sent()).toEqual(['SELECT undefined', 'INSERT item', 'SELECT item']);
      expect(await runner.manager.find(Item)).toEqual(items);
    }));
});

onEach(['mariadb'], (database) => {
  const dataSource = catalogue(database, { type: 'mysql' });

  it('rows go one by one where their keys do not follow each other', () =>
    flushing(dataSource(), async ({ runner, add, flush, sent }) => {
      await runner.query('SET @@auto_increment_increment = 3');
      const rows = [1, 2].map((amount) => make(Row, { name: 'a', amount }));
      add(...rows);
      await flush();
      await runner.query('SET @@auto_increment_increment = DEFAULT');
      expect(sent().filter((statement) => statement === 'INSERT row')).toHaveLength(2);
      expect(rows[1]!.id - rows[0]!.id).toBe(3);
    }));
});
