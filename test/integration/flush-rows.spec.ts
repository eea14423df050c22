/** The conformance rows about flushing that need no session: order, batches, keys, stale rows, failures. */
import { StaleDataError } from 'nestjs-scoped-session';
import { QueryFailedError } from 'typeorm';
import { expect, it } from 'vitest';
import {
  Author,
  Country,
  Employee,
  Folder,
  Item,
  Person,
  Post,
  Remark,
  Row,
  Tag,
} from '../support/catalogue.js';
import { KINDS, onEach } from '../support/databases.js';
import { catalogue, flushing, make } from '../support/flushing.js';

onEach(KINDS, (database) => {
  const dataSource = catalogue(database);
  const inUnit = (work: Parameters<typeof flushing>[1]) => flushing(dataSource(), work);
  const rows = (count: number): Row[] =>
    Array.from({ length: count }, (_, place) => make(Row, { name: `row ${place}`, amount: place }));

  it('LIF-03, LIF-04: one INSERT, the key is set, the object is persistent; again sends nothing', () =>
    inUnit(async ({ add, map, flush, sent }) => {
      const [row] = rows(1);
      const [tracked] = add(row!);
      await flush();
      expect(sent()).toEqual(['INSERT row']);
      expect(tracked).toMatchObject({ state: 'persistent', key: String(row!.id) });
      expect(map.get(tracked!.shape.metadata, String(row!.id))).toBe(tracked);
      await flush();
      expect(sent()).toEqual([]);
    }));

  it('IDM-27: a change of the primary key is an UPDATE by the old one, and the map knows the new one', () =>
    inUnit(async ({ add, map, flush, statements, sent }) => {
      const france = make(Country, { code: 'fr', name: 'France' });
      const [tracked] = add(france);
      await flush();
      statements();
      france.code = 'FRA';
      await flush();
      expect(statements()).toEqual([
        expect.stringMatching(/^UPDATE .country. SET .code. = \S+ WHERE .code. = \S+$/),
      ]);
      expect(map.get(tracked!.shape.metadata, 'FRA')).toBe(tracked);
      expect(map.get(tracked!.shape.metadata, 'fr')).toBeUndefined();
      france.name = 'La France';
      await flush();
      expect(sent()).toEqual(['UPDATE country']);
    }));

  it("two objects that take each other's names are both found", () =>
    inUnit(async ({ add, map }) => {
      const [one, two] = add(make(Country, { code: 'fr' }), make(Country, { code: 'it' }));
      map.rename(one!, 'it');
      map.rename(two!, 'fr');
      const { metadata } = one!.shape;
      expect([map.get(metadata, 'it'), map.get(metadata, 'fr')]).toEqual([one, two]);
    }));

  it('STA-06, STA-12: what was marked, once or twice, is one DELETE; the object is deleted and out of the map', () =>
    inUnit(async ({ runner, add, map, flush, sent, markDeleted }) => {
      const [row] = rows(1);
      const [tracked] = add(row!);
      await flush();
      sent();
      markDeleted(row!);
      markDeleted(row!);
      await flush();
      expect(sent()).toEqual(['DELETE row']);
      expect(tracked).toMatchObject({ state: 'deleted', isMarkedDeleted: false });
      expect(map.size).toBe(0);
      expect(row!.id).toBeTypeOf('number');
      expect(await runner.manager.count(Row)).toBe(0);
      await flush();
    }));

  it('STA-13: what was marked and unmarked stays', () =>
    inUnit(async ({ add, map, flush, sent, markDeleted }) => {
      const [row] = rows(1);
      add(row!);
      await flush();
      sent();
      markDeleted(row!);
      map.of(row!)!.isMarkedDeleted = false;
      await flush();
      expect(sent()).toEqual([]);
    }));

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

  it('STA-32: changed and changed back is no change', () =>
    inUnit(async ({ add, flush, sent }) => {
      const [row] = rows(1);
      add(row!);
      await flush();
      sent();
      row!.name = 'other';
      row!.name = 'row 0';
      await flush();
      expect(sent()).toEqual([]);
    }));

  it('STA-35: a new parent with a new child in its collection: the child gets the key that the parent got', () =>
    inUnit(async ({ runner, add, flush, sent }) => {
      const author = make(Author, { name: 'a', posts: [make(Post, { title: 't' })] });
      add(author);
      await flush();
      expect(sent()).toEqual(['INSERT author', 'INSERT post']);
      expect(await runner.manager.findBy(Post, { author: { id: author.id } })).toHaveLength(1);
    }));

  it('STA-35: a new child in the collection of a stored parent, on which no statement is spent', () =>
    inUnit(async ({ runner, add, flush, sent }) => {
      const author = make(Author, { name: 'a', posts: [] });
      add(author);
      await flush();
      sent();
      author.posts.push(make(Post, { title: 't' }));
      await flush();
      expect(sent()).toEqual(['INSERT post']);
      expect(await runner.manager.findBy(Post, { author: { id: author.id } })).toHaveLength(1);
      sent();
      await flush();
      expect(sent()).toEqual([]);
    }));

  it('STA-36: only the child is added: the parent is stored before it', () =>
    inUnit(async ({ add, flush, sent }) => {
      add(make(Post, { title: 't', author: make(Author, { name: 'a' }) }));
      await flush();
      expect(sent()).toEqual(['INSERT author', 'INSERT post']);
    }));

  it('STA-37: who leaves a collection whose orphans go is one DELETE', () =>
    inUnit(async ({ add, flush, sent }) => {
      const post = make(Post, {
        title: 't',
        remarks: [make(Remark, { text: 'a' }), make(Remark, { text: 'b' })],
      });
      add(post);
      await flush();
      sent();
      post.remarks.pop();
      await flush();
      expect(sent()).toEqual(['DELETE remark']);
    }));

  it('STA-38: objects with the same columns changed are one UPDATE, by key, whatever was changed first', () =>
    inUnit(async ({ runner, add, flush, statements }) => {
      const three = rows(3);
      add(...three);
      await flush();
      statements();
      for (const row of three.toReversed()) row.amount += 10;
      const parameters: unknown[][] = [];
      const query = runner.query.bind(runner);
      runner.query = ((sql: string, values: unknown[], isStructured: boolean) => {
        parameters.push(values);
        return query(sql, values, isStructured as true);
      }) as typeof runner.query;
      await flush();
      expect(statements()).toEqual([
        expect.stringMatching(/^UPDATE .row. SET .amount. = CASE .id. (WHEN \S+ THEN \S+ ){3}ELSE/),
      ]);
      const keys = three.map(({ id }) => id);
      expect(parameters).toEqual([[keys[0], 10, keys[1], 11, keys[2], 12, ...keys]]);
      expect((await runner.manager.find(Row, { order: { id: 'ASC' } })).map(({ amount }) => amount)).toEqual([
        10, 11, 12,
      ]);
    }));

  it('STA-39: different columns are two UPDATEs, each of its own column', () =>
    inUnit(async ({ add, flush, statements }) => {
      const [one, two] = rows(2);
      add(one!, two!);
      await flush();
      statements();
      one!.name = 'one';
      two!.amount = 2;
      await flush();
      expect(statements().map((sql) => /SET .(\w+). =/.exec(sql)![1])).toEqual(['name', 'amount']);
    }));

  it('STA-40: one object goes and another of its key comes: one UPDATE', () =>
    inUnit(async ({ runner, add, map, flush, statements, markDeleted }) => {
      const old = make(Country, { code: 'fr', name: 'France', capital: 'Vichy' });
      const [before] = add(old);
      await flush();
      statements();
      markDeleted(old);
      const [after] = add(make(Country, { code: 'fr', name: 'France', capital: 'Paris' }));
      await flush();
      expect(statements()).toEqual([
        expect.stringMatching(/^UPDATE .country. SET .capital. = \S+ WHERE .code. = \S+$/),
      ]);
      expect([before!.state, after!.state]).toEqual(['deleted', 'persistent']);
      expect(map.get(after!.shape.metadata, 'fr')).toBe(after);
      expect(await runner.manager.find(Country)).toEqual([{ code: 'fr', name: 'France', capital: 'Paris' }]);
    }));

  it('one object goes and another class of its table takes its key: that is refused before anything is sent', () =>
    inUnit(async ({ runner, add, flush, sent, markDeleted }) => {
      const person = make(Person, { name: 'p' });
      add(person);
      await flush();
      sent();
      markDeleted(person);
      add(make(Employee, { id: person.id, name: 'e', salary: 1 }));
      await expect(flush()).rejects.toThrow(
        /object of class Person is to be deleted and one of class Employee is to be added under the same key/,
      );
      expect(sent()).toEqual([]);
      expect(await runner.manager.find(Person)).toEqual([person]);
    }));

  it('new rows refer to new rows of their own table, and go in the other order', () =>
    inUnit(async ({ runner, add, flush, sent, markDeleted }) => {
      const root = make(Folder, { name: 'root' });
      const inner = make(Folder, { name: 'inner', parent: root });
      const leaf = make(Folder, { name: 'leaf', parent: inner });
      add(leaf, inner, root);
      await flush();
      expect(sent()).toEqual(['INSERT folder', 'INSERT folder', 'INSERT folder']);
      for (const folder of [root, inner, leaf]) markDeleted(folder);
      await flush();
      expect(sent()).toEqual(['DELETE folder', 'DELETE folder', 'DELETE folder']);
      expect(await runner.manager.count(Folder)).toBe(0);
    }));

  it('new rows that refer to each other are stored, and then linked', () =>
    inUnit(async ({ runner, add, flush, sent }) => {
      const one = make(Folder, { name: 'one' });
      const two = make(Folder, { name: 'two', parent: one });
      one.parent = two;
      add(one, two);
      await flush();
      expect(sent()).toEqual(['INSERT folder', 'INSERT folder', 'UPDATE folder']);
      const [first] = await runner.manager.find(Folder, {
        where: { name: 'one' },
        relations: { parent: true },
      });
      expect(first!.parent!.name).toBe('two');
      sent();
      await flush();
      expect(sent()).toEqual([]);
    }));

  it('children are deleted before their parents, and what is stored goes before what is deleted', () =>
    inUnit(async ({ add, flush, sent, markDeleted }) => {
      const author = make(Author, { name: 'a', posts: [make(Post, { title: 't' })] });
      add(author);
      await flush();
      sent();
      markDeleted(author);
      markDeleted(author.posts[0]!);
      add(make(Tag, { label: 'x' }));
      await flush();
      expect(sent()).toEqual(['INSERT tag', 'DELETE post', 'DELETE author']);
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
