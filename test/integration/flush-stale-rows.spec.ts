/** The conformance rows about flushes that find other rows than they loaded, fail, or are overtaken by changes. */
import { StaleDataError } from 'nestjs-scoped-session';
import { QueryFailedError } from 'typeorm';
import { expect, it } from 'vitest';
import { Author, Item, Post, Row, Tag } from '../support/catalogue.js';
import { KINDS, onEach } from '../support/databases.js';
import { catalogue, flushing, make } from '../support/flushing.js';

onEach(KINDS, (database) => {
  const dataSource = catalogue(database);
  const inUnit = (work: Parameters<typeof flushing>[1]) => flushing(dataSource(), work);
  const rows = (count: number): Row[] =>
    Array.from({ length: count }, (_, place) => make(Row, { name: `row ${place}`, amount: place }));

  it('STA-14, TRX-38: a DELETE that finds nothing is only told', () =>
    inUnit(async ({ runner, add, flush, markDeleted, warnings }) => {
      const [row] = rows(1);
      add(row!);
      await flush();
      await runner.manager.createQueryBuilder().delete().from(Row).execute();
      markDeleted(row!);
      await flush();
      expect(warnings).toEqual([
        'DELETE from table row was to find 1 row(s) and found 0: the rest were gone already.',
      ]);
    }));

  it('TRX-36: a row whose version somebody else counted is stale, alone and among others', () =>
    inUnit(async ({ runner, add, flush, sent }) => {
      const [one, two] = ['one', 'two'].map((name) => make(Item, { name, size: { width: 1, height: 1 } }));
      add(one!, two!);
      await flush();
      await runner.query('UPDATE item SET version = 2 WHERE id = ' + String(one!.id));
      one!.name = 'changed';
      sent();
      await expect(flush()).rejects.toThrow(
        new StaleDataError(
          'UPDATE of table item was to change 1 row(s) and found 0: the rest were changed or deleted by somebody else since they were loaded. Load them again.',
        ),
      );
      two!.name = 'changed too';
      await expect(flush()).rejects.toThrow(/was to change 2 row\(s\) and found 1/);
      expect(sent()).toEqual(['UPDATE item', 'UPDATE item']);
      expect([one!.version, two!.version]).toEqual([1, 1]);
    }));

  it('a row that is gone is stale without a version too', () =>
    inUnit(async ({ runner, add, flush }) => {
      const [row] = rows(1);
      add(row!);
      await flush();
      await runner.manager.createQueryBuilder().delete().from(Row).execute();
      row!.name = 'changed';
      await expect(flush()).rejects.toThrow(StaleDataError);
    }));

  it('TRX-01, BLK-08: a failed statement leaves the map and the objects as they were, and the flush can be repeated', () =>
    inUnit(async ({ runner, add, map, load, flush, sent, markDeleted }) => {
      await runner.manager.insert(Author, { name: 'old', nick: 'x' });
      const [old] = await load(Author);
      const tag = make(Tag, { label: 't' });
      const post = make(Post, { title: 'p', tags: [tag] });
      const author = make(Author, { name: 'new', nick: 'x', posts: [post] });
      const [addedTag, addedAuthor] = [...add(tag), ...add(author)];
      await runner.query('SAVEPOINT before_flush');
      await expect(flush()).rejects.toThrow(QueryFailedError);
      await runner.query('ROLLBACK TO SAVEPOINT before_flush');
      expect([addedTag!.state, addedTag!.key, tag.id]).toEqual(['pending', undefined, undefined]);
      expect([addedAuthor!.state, author.id, map.of(post), map.size]).toEqual([
        'pending',
        undefined,
        undefined,
        3,
      ]);
      markDeleted(old!);
      author.nick = 'y';
      sent();
      await flush();
      expect(sent()).toContain('INSERT post_tag');
      expect((await runner.manager.find(Author)).map(({ name }) => name)).toEqual(['new']);
    }));

  it('what is changed while the database works is a change still', () =>
    inUnit(async ({ runner, add, flush, sent }) => {
      const [row] = rows(1);
      add(row!);
      const query = runner.query.bind(runner);
      runner.query = ((...statement: Parameters<typeof query>) => {
        const answer = query(...statement);
        row!.name = 'changed meanwhile';
        return answer;
      }) as typeof query;
      await flush();
      runner.query = query;
      await flush();
      expect(sent()).toEqual(['INSERT row', 'UPDATE row']);
      expect((await runner.manager.find(Row))[0]!.name).toBe('changed meanwhile');
    }));
});
