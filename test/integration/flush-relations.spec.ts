/** A flush stores relations by their foreign keys, and what cascades reach. */
import { expect, it } from 'vitest';
import { Author, Book, City, Country, Draft, Post, Remark, Shelf, Tag } from '../support/catalogue.js';
import { KINDS, onEach } from '../support/databases.js';
import { catalogue, flushing, make } from '../support/flushing.js';

onEach(KINDS, (database) => {
  const dataSource = catalogue(database);
  const inUnit = (work: Parameters<typeof flushing>[1]) => flushing(dataSource(), work);

  it('another end is another foreign key, and null is none', () =>
    inUnit(async ({ runner, load, flush, statements, sent }) => {
      const [a, b] = await runner.manager.save([make(Author, { name: 'a' }), make(Author, { name: 'b' })]);
      await runner.manager.save(make(Post, { title: 't', author: a! }));
      const [post] = await load(Post, { relations: { author: true } });
      post!.author = b!;
      await flush();
      expect(statements()).toEqual([
        expect.stringMatching(/^UPDATE .post. SET .authorId. = \S+ WHERE .id. = \S+$/),
      ]);
      post!.author = null;
      await flush();
      expect(sent()).toEqual(['UPDATE post']);
      const [stored] = await runner.manager.find(Post, { relations: { author: true } });
      expect(stored!.author).toBeNull();
      sent();
      await flush();
      expect(sent()).toEqual([]);
    }));

  it('a to-one that is null and was null is no change, unlike with save() of TypeORM', () =>
    inUnit(async ({ runner, load, flush, statements, sent }) => {
      await runner.manager.save(make(Post, { title: 't' }));
      const [post] = await load(Post, { relations: { mainTag: true, tags: true } });
      expect(post!.mainTag).toBeNull();
      await runner.manager.save(post);
      expect(sent()).toContain('UPDATE post');
      post!.title = 'u';
      await flush();
      expect(statements()).toEqual([
        expect.stringMatching(/^UPDATE .post. SET .title. = \S+ WHERE .id. = \S+$/),
      ]);
    }));

  it('new objects are reached by cascades, and stored parents first', () =>
    inUnit(async ({ runner, add, map, flush, sent }) => {
      const author = make(Author, { name: 'a' });
      const tag = make(Tag, { label: 'x' });
      const post = make(Post, { title: 't', author, tags: [tag], remarks: [make(Remark, { text: 'r' })] });
      add(post);
      await flush();
      expect(sent()).toEqual([
        'INSERT author',
        'INSERT tag',
        'INSERT post',
        'INSERT remark',
        'INSERT post_tag',
      ]);
      expect([author, tag, post, ...post.remarks].map((one) => map.of(one)?.state)).toEqual(
        Array.from({ length: 4 }, () => 'persistent'),
      );
      const [stored] = await runner.manager.find(Post, {
        relations: { author: true, tags: true, remarks: true },
      });
      expect(stored).toMatchObject({
        author: { name: 'a' },
        tags: [{ label: 'x' }],
        remarks: [{ text: 'r' }],
      });
      await flush();
      expect(sent()).toContain('SELECT post');
      await flush();
      expect(sent()).toEqual([]);
    }));

  it('an object of a row that is there already is led to, not stored: known by its key, or asked for', () =>
    inUnit(async ({ runner, add, flush, sent }) => {
      const [author] = await runner.manager.save([make(Author, { name: 'a' })]);
      await runner.manager.save(make(Country, { code: 'fr', name: 'France' }));
      sent();
      add(make(Post, { title: 't', author: author! }));
      add(make(City, { name: 'Paris', country: make(Country, { code: 'fr', name: 'France' }) }));
      add(make(City, { name: 'Rome', country: make(Country, { code: 'it', name: 'Italy' }) }));
      await flush();
      expect(sent()).toEqual(['SELECT country', 'INSERT post', 'INSERT country', 'INSERT city']);
      expect(await runner.manager.count(Country)).toBe(2);
    }));

  it('lazy relations are not asked for, and what they were given is stored', () =>
    inUnit(async ({ runner, add, load, flush, sent, statements }) => {
      const shelf = make(Shelf, { name: 's' });
      add<object>(shelf, make(Book, { title: 'b', shelfId: null }));
      await flush();
      expect(sent()).toEqual(['INSERT shelf', 'INSERT book']);
      const [book] = await load(Book);
      book!.title = 'c';
      book!.shelf = Promise.resolve(shelf);
      await flush();
      const [update, ...more] = statements();
      expect(update).toMatch(/^UPDATE .book. SET .title. = \S+, .shelfId. = \S+ WHERE/);
      expect(more).toEqual([]);
      expect(await runner.manager.findBy(Book, { shelfId: shelf.id })).toHaveLength(1);
      sent();
      await flush();
      expect(sent()).toEqual([]);
    }));

  it('a foreign key of the class itself is stored, also where the relation is null', () =>
    inUnit(async ({ runner, add, flush }) => {
      const posts = [make(Post, { title: '1' }), make(Post, { title: '2' })];
      add(...posts);
      await flush();
      const draft = make(Draft, { postId: posts[0]!.id, post: null as never });
      add(draft);
      await flush();
      draft.postId = posts[1]!.id;
      await flush();
      expect(await runner.manager.findOneBy(Draft, { id: draft.id })).toMatchObject({
        postId: posts[1]!.id,
      });
      expect(draft.postId).toBe(posts[1]!.id);
    }));

  it('cascades of removal take what is loaded', () =>
    inUnit(async ({ add, map, flush, sent, markDeleted }) => {
      const post = make(Post, {
        title: 't',
        remarks: [make(Remark, { text: 'a' }), make(Remark, { text: 'b' })],
      });
      add(post);
      await flush();
      sent();
      markDeleted(post);
      await flush();
      expect(sent()).toEqual(['DELETE remark', 'DELETE post']);
      expect(map.size).toBe(0);
    }));

  it('a relation that is changed while the database works is a change still', () =>
    inUnit(async ({ runner, add, flush, sent }) => {
      const authors = [make(Author, { name: 'a' }), make(Author, { name: 'b', posts: [] })];
      const post = make(Post, { title: 't', author: authors[0]! });
      add<object>(...authors, post);
      const query = runner.query.bind(runner);
      runner.query = ((...statement: Parameters<typeof query>) => {
        const answer = query(...statement);
        if (statement[0].includes('post')) post.author = authors[1]!;
        return answer;
      }) as typeof query;
      await flush();
      runner.query = query;
      expect(sent()).toEqual(['INSERT author', 'INSERT post']);
      await flush();
      expect(sent()).toEqual(['UPDATE post']);
      const [stored] = await runner.manager.find(Post, { relations: { author: true } });
      expect(stored!.author!.name).toBe('b');
    }));

  it('what nothing adds and nothing reaches is refused before its row is sent', () =>
    inUnit(async ({ add, flush, sent }) => {
      add(make(Post, { title: 't', mainTag: make(Tag, { label: 'x' }) }));
      await expect(flush()).rejects.toThrow(
        /Post\.mainTag leads to an object of class Tag that is not stored/,
      );
      expect(sent()).toEqual([]);
    }));
});
