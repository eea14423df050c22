/** MikroORM on the same tables, where it is installed and the Node is new enough for it. */

/** @returns {Promise<object | undefined>} an ORM, and its classes by name; undefined with `reason` told to `skip` */
export async function startMikroOrm({ host, port, username, password, database }, skip) {
  let modules;
  try {
    modules = await Promise.all([import('@mikro-orm/core'), import('@mikro-orm/mariadb')]);
  } catch (error) {
    skip(`not measured: ${error.message.split('\n')[0]}`);
    return undefined;
  }
  const [{ EntitySchema }, { MikroORM }] = modules;
  const id = { type: 'integer', primary: true, autoincrement: true };
  const text = { type: 'string', length: 50 };
  const columns = {
    id,
    name: text,
    color: text,
    stock: { type: 'integer' },
    price: { type: 'integer' },
    weight: { type: 'integer' },
    note: { ...text, nullable: true },
    madeAt: { type: 'datetime', fieldName: 'madeAt', length: 6 },
  };
  const Item = new EntitySchema({ name: 'Item', tableName: 'item', properties: columns });
  const VersionedItem = new EntitySchema({
    name: 'VersionedItem',
    tableName: 'versioned_item',
    properties: {
      ...columns,
      version: { type: 'integer', version: true, default: 1 },
      updatedAt: { type: 'datetime', fieldName: 'updatedAt', length: 6, onUpdate: () => new Date() },
    },
  });
  const Author = new EntitySchema({
    name: 'Author',
    tableName: 'author',
    properties: { id, name: text, posts: { kind: '1:m', entity: () => 'Post', mappedBy: 'author' } },
  });
  const Post = new EntitySchema({
    name: 'Post',
    tableName: 'post',
    properties: {
      id,
      title: text,
      likes: { type: 'integer', default: 0 },
      author: { kind: 'm:1', entity: () => 'Author', inversedBy: 'posts', fieldName: 'authorId' },
    },
  });
  const orm = await MikroORM.init({
    host,
    port,
    user: username,
    password,
    dbName: database,
    entities: [Item, VersionedItem, Author, Post],
    discovery: { warnWhenNoEntities: false },
  });
  return { orm, entities: { Item, VersionedItem, Author, Post } };
}
