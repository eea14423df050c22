/** The tables that the unit of work is measured on, as TypeORM's classes; MikroORM is given the same tables. */
import { EntitySchema } from 'typeorm';

export class Item {}
export class VersionedItem {}
export class Author {}
export class Post {}

const id = { type: 'int', primary: true, generated: 'increment' };
const text = { type: 'varchar', length: 50 };
/** With the key, eight columns. */
const columns = {
  id,
  name: text,
  color: text,
  stock: { type: 'int' },
  price: { type: 'int' },
  weight: { type: 'int' },
  note: { ...text, nullable: true },
  madeAt: { type: 'datetime', precision: 6 },
};

export const SCHEMAS = [
  new EntitySchema({ name: 'Item', target: Item, tableName: 'item', columns }),
  new EntitySchema({
    name: 'VersionedItem',
    target: VersionedItem,
    tableName: 'versioned_item',
    columns: {
      ...columns,
      version: { type: 'int', version: true },
      updatedAt: { type: 'datetime', precision: 6, updateDate: true },
    },
  }),
  new EntitySchema({
    name: 'Author',
    target: Author,
    tableName: 'author',
    columns: { id, name: text },
    relations: {
      posts: { type: 'one-to-many', target: 'Post', inverseSide: 'author', cascade: ['insert', 'update'] },
    },
  }),
  new EntitySchema({
    name: 'Post',
    target: Post,
    tableName: 'post',
    columns: { id, title: text, likes: { type: 'int', default: 0 } },
    relations: {
      author: {
        type: 'many-to-one',
        target: 'Author',
        inverseSide: 'posts',
        joinColumn: { name: 'authorId' },
      },
    },
  }),
];

export function itemValues(number) {
  return {
    name: `item ${number}`,
    color: number % 2 === 0 ? 'red' : 'blue',
    stock: number,
    price: number * 100,
    weight: 7,
    note: null,
    madeAt: new Date(1_700_000_000_000 + number * 1_000),
  };
}

/** The rows that every measurement begins with. */
export async function fill(dataSource, { items = 1_000, authors = 200, posts = 10 } = {}) {
  const values = Array.from({ length: items }, (_, number) => itemValues(number));
  await dataSource.getRepository(Item).insert(values);
  await dataSource.getRepository(VersionedItem).insert(values);
  const people = Array.from({ length: authors }, (_, number) => ({
    id: number + 1,
    name: `author ${number}`,
  }));
  await dataSource.getRepository(Author).insert(people);
  // TypeORM writes keys into what it is given, and of type mysql not those that were given.
  const written = Array.from({ length: authors * posts }, (_, number) => ({
    title: `post ${number}`,
    likes: 0,
    author: { id: Math.floor(number / posts) + 1 },
  }));
  for (let from = 0; from < written.length; from += 500)
    await dataSource.getRepository(Post).insert(written.slice(from, from + 500));
}
