/** The conformance rows about flushing several objects that need no session: which goes first, and which go together. */
import { expect, it } from 'vitest';
import { Author, Folder, Post, Row, Tag } from '../support/catalogue.js';
import { KINDS, onEach } from '../support/databases.js';
import { catalogue, flushing, make } from '../support/flushing.js';

onEach(KINDS, (database) => {
  const dataSource = catalogue(database);
  const inUnit = (work: Parameters<typeof flushing>[1]) => flushing(dataSource(), work);
  const rows = (count: number): Row[] =>
    Array.from({ length: count }, (_, place) => make(Row, { name: `row ${place}`, amount: place }));

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
});
