/** `unitOfWork: 'everything'`: repositories and managers track what they load, and store what is tracked. */
import type { ScopedSession, SessionFactoryOptions } from 'nestjs-scoped-session';
import type { DataSource, Repository } from 'typeorm';
import { beforeEach, expect, it } from 'vitest';
import { KINDS, onEach } from '../support/databases.js';
import { Author, Category, Comment, LIBRARY, Post, Setting, Tag } from '../support/library.js';
import { ours } from '../support/plain-and-ours.js';
import { StatementRecorder } from '../support/statement-recorder.js';

onEach(KINDS, (database) => {
  let dataSource: DataSource;
  let session: ScopedSession;
  let authors: Repository<Author>;
  let posts: Repository<Post>;
  const recorder = new StatementRecorder();

  const open = async (factory: SessionFactoryOptions = {}): Promise<void> => {
    const more = { entities: LIBRARY, logger: recorder };
    ({ dataSource, session } = await ours(database, more, { unitOfWork: 'everything', ...factory }));
    authors = dataSource.getRepository(Author);
    posts = dataSource.getRepository(Post);
    await dataSource.manager.insert(Author, [{ name: 'ann' }, { name: 'bob' }]);
    await dataSource.manager.insert(Tag, [{ name: 'red' }, { name: 'blue' }]);
    await dataSource.manager.insert(Post, { title: 'first', author: { id: 1 } });
    await dataSource.manager.insert(Setting, { name: 'size' });
    await dataSource.getRepository(Comment).insert({ text: 'good', post: { id: 1 } as never });
  };
  beforeEach(() => open());

  const names = async (): Promise<string[]> =>
    (await dataSource.query<Author[]>('SELECT name FROM author ORDER BY id')).map(({ name }) => name);

  const nothingToFlush = async (): Promise<void> => {
    expect([...session.dirty]).toEqual([]);
    recorder.take();
    await session.flush();
    expect(recorder.rowStatements).toEqual([]);
  };

  it('whoever loads a row gets the object of the session, and a change is stored', async () => {
    await session.run(async () => {
      const ann = await authors.findOneByOrFail({ id: 1 });
      expect(session.inspect(ann).state).toBe('persistent');
      const others = [
        await session.get(Author, 1),
        await session.manager.findOneBy(Author, { id: 1 }),
        await dataSource.manager.findOneBy(Author, { id: 1 }),
        await session.queryRunner.manager.getRepository(Author).findOneBy({ id: 1 }),
        await authors.createQueryBuilder('a').where('a.id = 1').getOne(),
        await dataSource.createQueryBuilder(Author, 'a').where('a.id = 1').getOne(),
        await dataSource.createQueryBuilder().select('a').from(Author, 'a').where('a.id = 1').getOne(),
        await dataSource.transaction((manager) => manager.findOneBy(Author, { id: 1 })),
        (await posts.findOneOrFail({ where: { id: 1 }, relations: { author: true } })).author,
      ];
      for (const other of others) expect(other).toBe(ann);
      ann.name = 'anna';
      expect(await authors.countBy({ name: 'anna' })).toBe(1);
    });
    expect(await names()).toEqual(['anna', 'bob']);
  });

  it('save() of a tracked object is a flush, and one UPDATE', () =>
    session.run(async () => {
      const ann = await authors.findOneByOrFail({ id: 1 });
      ann.name = 'anna';
      recorder.take();
      expect(await authors.save(ann)).toBe(ann);
      expect(recorder.rowStatements).toHaveLength(1);
      await nothingToFlush();
      await session.rollback();
      await session.refresh(ann);
      expect(ann.name).toBe('ann');
    }));

  it('save() of what is plain, or not known, returns the tracked objects', () =>
    session.run(async () => {
      const ann = await authors.findOneByOrFail({ id: 1 });
      expect(await authors.save({ id: 1, name: 'anna' })).toBe(ann);
      const unknown = Object.assign(new Author(), { id: 2, likes: 4 });
      const [one, two] = await session.manager.save(Author, [{ id: 1, likes: 3 }, unknown]);
      expect(one).toBe(ann);
      expect(two).toBe(await session.get(Author, 2));
      expect([ann.name, ann.likes, two!.name, two!.likes]).toEqual(['anna', 3, 'bob', 4]);
      const plain: Partial<Author> = { name: 'carl' };
      const carl = await authors.save(plain);
      expect([plain.id, session.inspect(carl).state]).toEqual([carl.id, 'persistent']);
      expect(carl).toBeInstanceOf(Author);
      await nothingToFlush();
      expect(await names()).toEqual(['anna', 'bob', 'carl']);
    }));

  it('save() of a new instance returns it, with what it cascades to', () =>
    session.run(async () => {
      const post = posts.create({ title: 'second' });
      const carl = Object.assign(authors.create({ name: 'carl' }), { posts: [post] });
      expect(await authors.save(carl)).toBe(carl);
      expect([session.inspect(carl).state, session.inspect(post).state]).toEqual([
        'persistent',
        'persistent',
      ]);
      carl.posts = [post, posts.create({ id: 1, title: 'renamed' })];
      await authors.save(carl);
      const [renamed] = await posts.find({ where: { id: 1 }, relations: { author: true } });
      expect([renamed!.title, renamed!.author]).toEqual(['renamed', carl]);
      expect(carl.posts[1]).toBe(renamed);
      await nothingToFlush();
      await session.rollback();
      expect(session.inspect(carl).state).toBe('transient');
    }));

  it('remove() of tracked objects and of others', () =>
    session.run(async () => {
      const bob = await authors.findOneByOrFail({ id: 2 });
      expect(await authors.remove(bob)).toBe(bob);
      expect(session.inspect(bob).state).toBe('deleted');
      await session.rollback();
      await session.refresh(bob);
      expect(bob.name).toBe('bob');
      await authors.remove([Object.assign(new Author(), { id: 2 })]);
      expect(session.inspect(bob).state).toBe('deleted');
      expect(await authors.save(bob)).toBe(bob);
      expect(await names()).toEqual(['ann', 'bob']);
      await nothingToFlush();
    }));

  it("TypeORM's other writes: the objects follow", () =>
    session.run(async () => {
      const ann = await authors.findOneByOrFail({ id: 1 });
      const post = await posts.findOneByOrFail({ id: 1 });
      await authors.update(1, { name: 'anna' });
      await authors.increment({ id: 1 }, 'likes', 2);
      await posts.softRemove(post);
      expect([ann.name, ann.likes, post.deletedAt]).toEqual(['anna', 2, expect.any(Date)]);
      await posts.recover(post);
      expect(post.deletedAt).toBeNull();
      await nothingToFlush();
      await authors.delete(2);
      expect(await authors.findOneBy({ id: 2 })).toBeNull();
    }));

  it('preload() changes the tracked object', () =>
    session.run(async () => {
      const ann = await authors.findOneByOrFail({ id: 1 });
      expect(await authors.preload({ id: 1, name: 'anna' })).toBe(ann);
      expect([...session.dirty]).toEqual([ann]);
    }));

  it('lazy relations, and entities with methods of their own', () =>
    session.run(async () => {
      const post = await posts.findOneByOrFail({ id: 1 });
      const [comment] = await post.comments;
      expect(await session.get(Comment, 1)).toBe(comment);
      expect(await comment!.post).toBe(post);
      const setting = (await Setting.findOneBy({ name: 'size' }))!;
      expect(session.inspect(setting).state).toBe('persistent');
      setting.name = 'width';
      await setting.save();
      await nothingToFlush();
      await Setting.create({ name: 'height' }).save();
      expect(await Setting.count()).toBe(2);
      await setting.remove();
      expect(await Setting.count()).toBe(1);
    }));

  it('trees', () =>
    session.run(async () => {
      const trees = dataSource.getTreeRepository(Category);
      const root = await trees.save(trees.create({ name: 'root' }));
      const leaf = await trees.save(trees.create({ name: 'leaf', parent: root }));
      session.expungeAll();
      const [found] = await trees.findTrees();
      expect([found!.id, found!.children.map(({ id }) => id)]).toEqual([root.id, [leaf.id]]);
      await session.flush();
      expect((await trees.findTrees())[0]!.children.map(({ name }) => name)).toEqual(['leaf']);
    }));

  it('outside of a session, and in one that only reads, TypeORM is as it was', async () => {
    const outside = await authors.findOneByOrFail({ id: 1 });
    expect(await authors.save(outside)).toBe(outside);
    await open({ readOnly: true });
    await session.run(async () => {
      const inside = await authors.findOneByOrFail({ id: 1 });
      expect(await authors.findOneBy({ id: 1 })).not.toBe(inside);
    });
  });
});
