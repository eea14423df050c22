/** A flush stores who came into a collection and who left it, also between many and many. */
import { expect, it } from 'vitest';
import { Author, Draft, Post, Remark, Tag } from '../support/catalogue.js';
import { KINDS, onEach } from '../support/databases.js';
import { catalogue, flushing, make } from '../support/flushing.js';

onEach(KINDS, (database) => {
  const dataSource = catalogue(database);
  const inUnit = (work: Parameters<typeof flushing>[1]) => flushing(dataSource(), work);

  it('who is taken out of a collection is cut off, deleted or marked, by the rule for orphans', () =>
    inUnit(async ({ runner, add, load, map, flush, sent }) => {
      const posts = [make(Post, { title: '1' }), make(Post, { title: '2' })];
      posts[0]!.remarks = [make(Remark, { text: 'r' })];
      posts[0]!.drafts = [new Draft()];
      add(make(Author, { name: 'a', posts }));
      await flush();
      const [author] = await load(Author, { relations: { posts: { remarks: true, drafts: true } } });
      const [first, second] = author!.posts.toSorted((one, other) => one.id - other.id);
      const [remark] = first!.remarks;
      const [draft] = first!.drafts;
      author!.posts = [first!];
      first!.remarks = [];
      first!.drafts = [];
      await flush();
      expect(sent().slice(0, 3)).toEqual(['UPDATE post', 'DELETE remark', 'UPDATE draft']);
      expect(map.of(remark!)).toBeUndefined();
      expect(draft!.deletedAt).toBeInstanceOf(Date);
      expect(
        await runner.manager.findOne(Post, { where: { id: second!.id }, relations: { author: true } }),
      ).toMatchObject({
        author: null,
      });
      sent();
      await flush();
      expect(sent()).toEqual([]);
    }));

  it('who is moved to another collection belongs to that one', () =>
    inUnit(async ({ runner, add, load, flush, sent }) => {
      add(
        make(Author, { name: 'a', posts: [make(Post, { title: 't' })] }),
        make(Author, { name: 'b', posts: [] }),
      );
      await flush();
      const [a, b] = await load(Author, { relations: { posts: true } });
      b!.posts.push(...a!.posts.splice(0));
      await flush();
      expect(sent()).toEqual(['UPDATE post']);
      const [post] = await runner.manager.find(Post, { relations: { author: true } });
      expect(post!.author!.name).toBe('b');
    }));

  it('a member that no cascade adds belongs to its collection as soon as it is added', () =>
    inUnit(async ({ runner, add, flush, sent }) => {
      const post = make(Post, { title: 't' });
      const tag = make(Tag, { label: 'x', leads: [post] });
      add(tag);
      await flush();
      expect(sent()).toEqual(['INSERT tag']);
      await flush();
      expect(sent()).toEqual([]);
      add(post);
      await flush();
      expect(sent()).toEqual(['INSERT post']);
      expect(await runner.manager.findBy(Post, { mainTag: { id: tag.id } })).toHaveLength(1);
    }));

  it('many-to-many: only the difference is sent, without a SELECT', () =>
    inUnit(async ({ runner, add, load, flush, sent }) => {
      add(make(Post, { title: 't', tags: ['a', 'b'].map((label) => make(Tag, { label })) }));
      await flush();
      const [post] = await load(Post, { relations: { tags: true } });
      post!.tags = [...post!.tags.filter(({ label }) => label !== 'a'), make(Tag, { label: 'c' })];
      await flush();
      expect(sent()).toEqual(['INSERT tag', 'INSERT post_tag', 'DELETE post_tag']);
      const [stored] = await runner.manager.find(Post, { relations: { tags: true } });
      expect(stored!.tags.map(({ label }) => label).toSorted()).toEqual(['b', 'c']);
      sent();
      await flush();
      expect(sent()).toEqual([]);
    }));

  it('many-to-many: both sides may tell of the same pair', () =>
    inUnit(async ({ runner, add, flush, sent }) => {
      const post = make(Post, { title: 't' });
      const tag = make(Tag, { label: 'x', posts: [post] });
      post.tags = [tag];
      add<object>(post, tag);
      await flush();
      expect(sent().filter((statement) => statement.endsWith('post_tag'))).toEqual(['INSERT post_tag']);
      post.tags = [];
      tag.posts = [];
      await flush();
      expect(sent()).toEqual(['DELETE post_tag']);
      const [stored] = await runner.manager.find(Post, { relations: { tags: true } });
      expect(stored!.tags).toEqual([]);
    }));

  it('many-to-many: where it was not loaded before, TypeORM looks what is there', () =>
    inUnit(async ({ runner, add, load, flush, sent }) => {
      const [a, b] = ['a', 'b'].map((label) => make(Tag, { label }));
      add(make(Post, { title: 't', tags: [a!, b!] }));
      await flush();
      const [post] = await load(Post);
      post!.tags = [b!];
      await flush();
      expect(sent()).toContain('DELETE post_tag');
      const [stored] = await runner.manager.find(Post, { relations: { tags: true } });
      expect(stored!.tags.map(({ label }) => label)).toEqual(['b']);
    }));
});
