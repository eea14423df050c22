/** Every way that TypeORM has to the database, as one list: each must go through the session's transaction. */
import { type DataSource, type EntityManager, Repository } from 'typeorm';
import { Author, Category, Comment, Post, Setting, Tag } from './library.js';

/** What a path is given: everything that can be asked for a repository or a manager. */
export interface Ways {
  readonly dataSource: DataSource;
  readonly manager: EntityManager;
}

export type Path = (ways: Ways) => Promise<unknown>;

class AuthorRepository extends Repository<Author> {
  byName(name: string): Promise<Author | null> {
    return this.findOneBy({ name });
  }
}

let count = 0;
const fresh = (): string => `author ${(count += 1)}`;
const anAuthor = (manager: EntityManager): Promise<Author> =>
  manager.save(manager.create(Author, { name: fresh() }));

async function aPost(manager: EntityManager): Promise<Post> {
  const tags = await manager.save([manager.create(Tag, { name: 'a' }), manager.create(Tag, { name: 'b' })]);
  const author = await anAuthor(manager);
  return manager.save(manager.create(Post, { title: 'title', author, tags }));
}

/** Paths through a manager: a session's own, or one of an adopted DataSource. */
export const MANAGER_PATHS: Readonly<Record<string, Path>> = {
  find: ({ manager }) => manager.find(Author),
  'findOne with relations': ({ manager }) =>
    manager.findOne(Post, { where: { id: 1 }, relations: { author: true, tags: true } }),
  "relationLoadStrategy 'query'": async ({ manager }) => {
    await aPost(manager);
    return manager.find(Post, { relations: { author: true, tags: true }, relationLoadStrategy: 'query' });
  },
  findAndCount: ({ manager }) => manager.findAndCount(Author, { take: 1, skip: 0 }),
  'count, exists, sum': async ({ manager }) => {
    await manager.count(Author);
    await manager.exists(Author);
    await manager.sum(Author, 'likes');
  },
  insert: ({ manager }) => manager.insert(Author, { name: fresh() }),
  'update and delete': async ({ manager }) => {
    const { id } = await anAuthor(manager);
    await manager.update(Author, { id }, { likes: 2 });
    await manager.delete(Author, { id });
  },
  upsert: async ({ manager }) => {
    const name = fresh();
    await manager.upsert(Author, { name, likes: 1 }, ['name']);
    await manager.upsert(Author, { name, likes: 2 }, ['name']);
  },
  'save a new entity with cascades': ({ manager }) =>
    manager.save(
      manager.create(Author, { name: fresh(), posts: [manager.create(Post, { title: 'cascaded' })] }),
    ),
  'load, change, save': async ({ manager }) => {
    const { id } = await anAuthor(manager);
    const author = await manager.findOneByOrFail(Author, { id });
    author.likes = 7;
    await manager.save(author);
  },
  remove: async ({ manager }) => manager.remove(await anAuthor(manager)),
  'softRemove and recover': async ({ manager }) => {
    const post = await aPost(manager);
    await manager.softRemove(post);
    await manager.recover(post);
  },
  'softDelete and restore': async ({ manager }) => {
    const { id } = await aPost(manager);
    await manager.softDelete(Post, { id });
    await manager.restore(Post, { id });
  },
  'increment and decrement': async ({ manager }) => {
    const { id } = await anAuthor(manager);
    await manager.increment(Author, { id }, 'likes', 2);
    await manager.decrement(Author, { id }, 'likes', 1);
  },
  preload: async ({ manager }) => {
    const { id } = await anAuthor(manager);
    const author = await manager.preload(Author, { id, likes: 5 });
    if (author?.likes !== 5) throw new Error('preload did not see the row of its own transaction');
  },
  'repository.preload': async ({ manager }) => {
    const { id } = await anAuthor(manager);
    const author = await manager.getRepository(Author).preload({ id, likes: 5 });
    if (author?.likes !== 5) throw new Error('preload did not see the row of its own transaction');
  },
  'query builder: getMany, getRawMany, getCount': async ({ manager }) => {
    const builder = manager.createQueryBuilder(Author, 'author').where('author.likes >= :n', { n: 0 });
    await builder.getMany();
    await builder.getRawMany();
    await builder.getCount();
  },
  'query builder: pagination with joins': ({ manager }) =>
    manager.createQueryBuilder(Post, 'post').leftJoinAndSelect('post.tags', 'tag').take(2).skip(0).getMany(),
  'query builder: insert, update, delete': async ({ manager }) => {
    await manager.createQueryBuilder().insert().into(Tag).values({ name: 'built' }).execute();
    await manager
      .createQueryBuilder()
      .update(Tag)
      .set({ name: 'rebuilt' })
      .where({ name: 'built' })
      .execute();
    await manager.createQueryBuilder().delete().from(Tag).where({ name: 'rebuilt' }).execute();
  },
  'query builder: relation().add and loadMany': async ({ manager }) => {
    const post = await aPost(manager);
    const tag = await manager.save(manager.create(Tag, { name: 'c' }));
    await manager.createQueryBuilder().relation(Post, 'tags').of(post).add(tag);
    return manager.createQueryBuilder().relation(Post, 'tags').of(post).loadMany();
  },
  'query builder: useTransaction': ({ manager }) =>
    manager.createQueryBuilder().insert().into(Tag).values({ name: 'own' }).useTransaction(true).execute(),
  'manager.query and sql``': async ({ manager }) => {
    await manager.query('SELECT 1');
    await manager.sql`SELECT ${1}`;
  },
  'repository: find, insert, createQueryBuilder': async ({ manager }) => {
    const tags = manager.getRepository(Tag);
    await tags.insert({ name: 'by repository' });
    await tags.find();
    await tags.createQueryBuilder('tag').getMany();
    await tags.query('SELECT 1');
  },
  'extended repository': ({ manager }) =>
    manager
      .getRepository(Author)
      .extend({
        all: async function (this: Repository<Author>) {
          return this.find();
        },
      })
      .all(),
  'custom repository through withRepository': ({ manager, dataSource }) =>
    manager.withRepository(new AuthorRepository(Author, dataSource.manager)).byName('nobody'),
  'tree repository': async ({ manager }) => {
    const tree = manager.getTreeRepository(Category);
    const root = await tree.save(tree.create({ name: 'root' }));
    await tree.save(tree.create({ name: 'leaf', parent: root }));
    const [found] = await tree.findTrees();
    if (found?.children.length !== 1) throw new Error('the tree did not see its own transaction');
    await tree.findDescendants(root);
    await tree.countAncestors(root);
  },
  'lazy relation': async ({ manager }) => {
    const { id } = await aPost(manager);
    await manager.insert(Comment, { text: 'first', post: { id } as never });
    const post = await manager.findOneByOrFail(Post, { id });
    if ((await post.comments).length !== 1)
      throw new Error('the lazy relation did not see its own transaction');
  },
  'nested manager.transaction': ({ manager }) =>
    manager.transaction(async (inner) => {
      await inner.insert(Tag, { name: 'nested' });
      await inner.transaction((innermost) => innermost.insert(Tag, { name: 'innermost' }));
    }),
  'three queries at once': ({ manager }) =>
    Promise.all([manager.find(Author), manager.find(Tag), manager.insert(Tag, { name: 'at once' })]),
};

/** Paths through the DataSource itself; they are a session's only where the DataSource is adopted. */
export const DATA_SOURCE_PATHS: Readonly<Record<string, Path>> = {
  'dataSource.manager': ({ dataSource }) => dataSource.manager.insert(Tag, { name: 'by dataSource.manager' }),
  'dataSource.getRepository': ({ dataSource }) =>
    dataSource.getRepository(Tag).insert({ name: 'by dataSource' }),
  'dataSource.getTreeRepository': ({ dataSource }) => dataSource.getTreeRepository(Category).findTrees(),
  'dataSource.query and sql``': async ({ dataSource }) => {
    await dataSource.query('SELECT 1');
    await dataSource.sql`SELECT ${1}`;
  },
  'dataSource.createQueryBuilder': async ({ dataSource }) => {
    await dataSource.createQueryBuilder(Tag, 'tag').getMany();
    await dataSource
      .createQueryBuilder()
      .insert()
      .into(Tag)
      .values({ name: 'built by dataSource' })
      .execute();
  },
  'dataSource.createEntityManager': ({ dataSource }) =>
    dataSource.createEntityManager().insert(Tag, { name: 'own manager' }),
  'custom repository over createEntityManager': ({ dataSource }) =>
    new AuthorRepository(Author, dataSource.createEntityManager()).insert({ name: fresh() }),
  'dataSource.transaction': ({ dataSource }) =>
    dataSource.transaction(async (manager) => manager.insert(Tag, { name: 'in dataSource.transaction' })),
  BaseEntity: async ({ dataSource }) => {
    Setting.useDataSource(dataSource);
    const setting = Setting.create({ name: 'a setting' });
    await setting.save();
    setting.name = 'another';
    await setting.save();
    await Setting.find();
    await setting.remove();
  },
};
