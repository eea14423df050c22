/** What a flush does differently where nothing is returned (type mysql), and with a file of SQLite. */
import { Column, DataSource, Entity, PrimaryColumn, PrimaryGeneratedColumn, VersionColumn } from 'typeorm';
import { describe, expect, it } from 'vitest';
import { StaleDataError } from 'nestjs-scoped-session';
import { Author, Branch, CATALOGUE, Country, Item, Post, Row, Tag, Token } from '../support/catalogue.js';
import { onEach, useDatabase } from '../support/databases.js';
import { catalogue, flushing, make } from '../support/flushing.js';

@Entity()
class Values {
  @PrimaryColumn({ type: 'int' })
  id!: number;

  @Column({ type: 'simple-json' })
  json!: object;

  @Column({ type: Date })
  at!: Date;

  @Column({ type: 'blob' })
  bytes!: Buffer;

  @Column({ type: Boolean })
  isTrue!: boolean;

  @Column({ type: 'double' })
  real!: number;

  @Column({ type: 'varchar', length: 50, nullable: true })
  text!: string | null;
}

const values = (place: number): Omit<Values, 'id'> => ({
  json: { place, 'a "quoted" name': [null, true] },
  at: new Date((1_700_000_000 + place) * 1_000),
  bytes: Buffer.from([0, 255, place]),
  isTrue: place === 1,
  real: place + 0.1,
  text: place === 2 ? null : `it's ${place}`,
});

const item = (name: string): Item => make(Item, { name, size: { width: 1, height: 2 } });
const isAbout = (statement: string): boolean => statement !== 'SELECT undefined';

for (const [name, kind, more] of [
  ['type mysql', 'mariadb', { type: 'mysql' }],
  ['better-sqlite3', 'better-sqlite3', {}],
] as const) {
  describe(name, () => {
    const dataSource = catalogue(useDatabase(kind), { ...more, entities: [...CATALOGUE, Values] });
    const inUnit = (work: Parameters<typeof flushing>[1]) => flushing(dataSource(), work);

    it('each of many new objects has its own key, and all that the database made of it', () =>
      inUnit(async ({ runner, add, flush, sent }) => {
        const items = Array.from({ length: 30 }, (_, place) => item(`item ${place}`));
        add(...items);
        await flush();
        const made = name === 'type mysql' ? ['SELECT item'] : [];
        expect(sent().filter(isAbout)).toEqual(['INSERT item', ...made]);
        expect(await runner.manager.find(Item, { order: { id: 'ASC' } })).toEqual(items);
        expect(new Set(items.map(({ id }) => id)).size).toBe(30);
        sent();
        await flush();
        expect(sent()).toEqual([]);
      }));

    it('keys that are given by hand, or made here, are stored as they are', () =>
      inUnit(async ({ runner, add, flush }) => {
        const tokens = [make(Token, { name: 'a' }), make(Token, { name: 'b' })];
        const rows = [
          make(Row, { id: 40, name: 'given', amount: 1 }),
          make(Row, { name: 'made', amount: 2 }),
        ];
        add<object>(...tokens, ...rows, make(Country, { code: 'fr', name: 'France' }));
        await flush();
        expect(rows.map(({ id }) => id)).toEqual([40, 41]);
        expect(await runner.manager.find(Row, { order: { id: 'ASC' } })).toEqual(rows);
        expect((await runner.manager.find(Token)).toSorted(byName)).toEqual(tokens);
        expect(await runner.manager.findOneBy(Country, { code: 'fr' })).toMatchObject({ capital: null });
      }));

    it('a graph is stored parents first, changed by what changed, and deleted', () =>
      inUnit(async ({ runner, add, flush, sent, markDeleted }) => {
        const tags = ['x', 'y'].map((label) => make(Tag, { label }));
        const posts = tags.map((tag) => make(Post, { title: tag.label, tags: [tag] }));
        const author = make(Author, { name: 'a', posts });
        add(author);
        await flush();
        expect(sent().filter(isAbout)).toEqual([
          'INSERT author',
          'INSERT tag',
          'INSERT post',
          'INSERT post_tag',
        ]);
        const stored = await runner.manager.find(Post, { relations: { author: true, tags: true } });
        expect(stored.map((post) => [post.title, post.author!.id, post.tags[0]!.label])).toEqual(
          posts.map(({ title }) => [title, author.id, title]),
        );
        for (const post of posts) post.title += '!';
        posts[1]!.tags = [];
        sent();
        await flush();
        expect(sent()).toEqual(['UPDATE post', 'DELETE post_tag']);
        for (const entity of [author, ...posts]) markDeleted(entity);
        await flush();
        expect(sent()).toEqual(['DELETE post', 'DELETE author']);
      }));

    it('a version that somebody else counted is stale, and a row that is gone', () =>
      inUnit(async ({ runner, add, flush, markDeleted }) => {
        const items = [item('a'), item('b')];
        add(...items);
        await flush();
        items[0]!.name = 'changed';
        await flush();
        expect(items[0]!.version).toBe(2);
        await runner.query(`UPDATE item SET version = 7 WHERE id = ${items[0]!.id}`);
        for (const one of items) one.name = 'again';
        await expect(flush()).rejects.toThrow(/was to change 2 row\(s\) and found 1/);
        markDeleted(items[0]!);
        items[1]!.name = 'b';
        await expect(flush()).rejects.toThrow(StaleDataError);
      }));

    it.each([1, 3])('values of every type come back as they were sent: %d', (count) =>
      inUnit(async ({ runner, add, flush, sent }) => {
        const rows = Array.from({ length: count }, (_, id) => make(Values, { id: id + 1, ...values(id) }));
        add(...rows);
        await flush();
        expect(await runner.manager.find(Values, { order: { id: 'ASC' } })).toEqual(rows);
        for (const [place, row] of rows.entries()) Object.assign(row, values((place + 1) % 3));
        await flush();
        expect(await runner.manager.find(Values, { order: { id: 'ASC' } })).toEqual(rows);
        sent();
        await flush();
        expect(sent()).toEqual([]);
      }),
    );

    it('trees keep their paths', () =>
      inUnit(async ({ runner, add, flush }) => {
        const root = make(Branch, { name: 'root', parent: null });
        const leaf = make(Branch, { name: 'leaf', parent: root });
        add(leaf, root);
        await flush();
        const trees = runner.manager.getTreeRepository(Branch);
        const names = (await trees.findAncestors(leaf)).map(({ name: found }) => found);
        expect(names.toSorted()).toEqual(['leaf', 'root']);
      }));
  });
}

onEach(['mariadb'], (database) => {
  const dataSource = catalogue(database, { type: 'mysql' });

  it('each connection is asked for its own step between keys', async () => {
    const twoRows = (step: string) =>
      flushing(dataSource(), async ({ runner, add, flush }) => {
        await runner.query(`SET @@auto_increment_increment = ${step}`);
        const rows = [1, 2].map((amount) => make(Row, { name: 'a', amount }));
        add(...rows);
        await flush();
        await runner.query('SET @@auto_increment_increment = DEFAULT');
        expect(await runner.manager.find(Row, { order: { amount: 'ASC' } })).toEqual(rows);
      });
    await twoRows('1');
    await twoRows('3');
  });
});

/** Of a type that SQLite writes with a function. */
@Entity()
class Document {
  @PrimaryGeneratedColumn()
  id!: number;

  @Column({ type: 'jsonb' })
  content!: object;

  @VersionColumn()
  version!: number;
}

// TypeORM 0.3 has no such type on SQLite.
const hasJsonb = new DataSource({ type: 'sqljs' }).driver.supportedDataTypes.includes('jsonb');

onEach(hasJsonb ? ['sqljs', 'better-sqlite3'] : [], (database) => {
  const dataSource = catalogue(database, { entities: [Document], subscribers: [] });

  it('TRX-36: a version that somebody else counted is stale where TypeORM sends the statement too', () =>
    flushing(dataSource(), async ({ runner, add, flush, markDeleted }) => {
      const document = make(Document, { content: { a: 1 } });
      add(document);
      await flush();
      document.content = { a: 2 };
      await flush();
      expect(document.version).toBe(2);
      expect(await runner.manager.find(Document)).toEqual([document]);
      await runner.query('UPDATE document SET version = 7');
      document.content = { a: 3 };
      await expect(flush()).rejects.toThrow(/UPDATE of table document was to find 1 row\(s\) and found 0/);
      expect(document.version).toBe(2);
      markDeleted(document);
      await expect(flush()).rejects.toThrow(StaleDataError);
      expect(await runner.manager.count(Document)).toBe(1);
    }));
});

function byName(one: Token, other: Token): number {
  return one.name < other.name ? -1 : 1;
}
