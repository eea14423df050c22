/** What is measured of a flush: each case the same work by `repository.save`, by a session, and by MikroORM. */
import { Author, Item, itemValues, VersionedItem } from './entities.mjs';

const change = (items) => {
  for (const item of items) {
    item.stock += 1;
    item.price += 100;
  }
};
const newItems = (make) => Array.from({ length: 1_000 }, (_, number) => make(itemValues(number)));

/**
 * @typedef {object} Case
 * @property {string} title
 * @property {string} target
 * @property {number} most - statements, without BEGIN and COMMIT
 * @property {(dataSource) => Promise<() => Promise<void>>} save - loads, and returns what is measured
 * @property {(session) => Promise<() => Promise<void>>} session
 * @property {(em, entities) => Promise<() => Promise<void>>} mikroOrm
 */

/** @type {readonly Case[]} */
export const CASES = [
  ofRows('1,000 rows changed in 2 columns', Item, '≤ 5 statements, ≥ 12×', 5),
  ofRows('the same with @VersionColumn and @UpdateDateColumn', VersionedItem, '≤ 6 statements, ≥ 12×', 6),
  {
    title: '1,000 new rows',
    target: '≥ 15× on type mysql, ≥ 2× on type mariadb',
    most: 1_000,
    save: async (dataSource) => {
      const repository = dataSource.getRepository(Item);
      const items = newItems((values) => repository.create(values));
      return () => repository.save(items);
    },
    session: async (session) => {
      const items = newItems((values) => Object.assign(new Item(), values));
      return async () => {
        session.addAll(items);
        await session.commit();
      };
    },
    mikroOrm: async (em, { Item: Class }) => {
      const items = newItems((values) => em.create(Class, values));
      return async () => {
        em.persist(items);
        await em.flush();
      };
    },
  },
  {
    title: '200 authors with 10 loaded posts each, one post changed',
    target: '2 statements, ≥ 50×',
    most: 2,
    save: async (dataSource) => {
      const repository = dataSource.getRepository(Author);
      const authors = await repository.find({ relations: { posts: true }, order: { id: 'ASC' } });
      return () => {
        authors[100].posts[5].likes += 1;
        return repository.save(authors);
      };
    },
    session: async (session) => {
      const authors = await session.find(Author, { relations: { posts: true }, order: { id: 'ASC' } });
      return () => {
        authors[100].posts[5].likes += 1;
        return session.commit();
      };
    },
    mikroOrm: async (em, { Author: Class }) => {
      const authors = await em.find(Class, {}, { populate: ['posts'], orderBy: { id: 'asc' } });
      return () => {
        authors[100].posts.getItems()[5].likes += 1;
        return em.flush();
      };
    },
  },
];

function ofRows(title, Class, target, most) {
  return {
    title,
    target,
    most,
    save: async (dataSource) => {
      const repository = dataSource.getRepository(Class);
      const items = await repository.find({ take: 1_000, order: { id: 'ASC' } });
      return () => {
        change(items);
        return repository.save(items);
      };
    },
    session: async (session) => {
      const items = await session.find(Class, { take: 1_000, order: { id: 'ASC' } });
      return () => {
        change(items);
        return session.commit();
      };
    },
    mikroOrm: async (em, entities) => {
      const items = await em.find(entities[Class.name], {}, { limit: 1_000, orderBy: { id: 'asc' } });
      return () => {
        change(items);
        return em.flush();
      };
    },
  };
}
