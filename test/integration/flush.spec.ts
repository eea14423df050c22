/** A flush stores what was changed and nothing else: columns, keys, versions, relations, listeners. */
import { StaleDataError } from 'nestjs-scoped-session';
import { QueryFailedError } from 'typeorm';
import { describe, expect, it } from 'vitest';
import {
  Account,
  AccountSubscriber,
  Author,
  Book,
  Branch,
  City,
  Country,
  Draft,
  Employee,
  Item,
  Person,
  Post,
  Remark,
  Row,
  Seat,
  Shelf,
  Tag,
  Token,
} from '../support/catalogue.js';
import { KINDS, onEach } from '../support/databases.js';
import { catalogue, flushing, make } from '../support/flushing.js';

onEach(KINDS, (database) => {
  const dataSource = catalogue(database);
  const inUnit = (work: Parameters<typeof flushing>[1]) => flushing(dataSource(), work);

  const item = (values: Partial<Item> = {}): Item =>
    make(Item, {
      name: 'chair',
      price: 12.5,
      soldAt: new Date(86_400_000),
      size: { width: 1, height: 2 },
      ...values,
    });

  describe('columns', () => {
    it('a clean flush sends nothing', () =>
      inUnit(async ({ runner, load, flush, sent }) => {
        await runner.manager.save(item());
        await load(Item);
        await flush();
        expect(sent()).toEqual([]);
      }));

    it('only columns that changed are sent, and once', () =>
      inUnit(async ({ runner, load, flush, statements, sent }) => {
        await runner.manager.insert(Row, { name: 'a', amount: 1 });
        const [row] = await load(Row);
        row!.amount = 2;
        await flush();
        const [update, ...more] = statements();
        expect(update).toMatch(/^UPDATE .row. SET .amount. = \S+ WHERE .id. = \S+$/);
        expect(more).toEqual([]);
        await flush();
        expect(sent()).toEqual([]);
      }));

    it('undefined is "not loaded", null is a change', () =>
      inUnit(async ({ runner, load, flush, sent }) => {
        await runner.manager.insert(Country, { code: 'fr', name: 'France', capital: 'Paris' });
        const [country] = await load(Country, { order: { code: 'ASC' } });
        Object.assign(country!, { name: undefined, capital: null });
        await flush();
        expect(sent()).toEqual(['UPDATE country']);
        expect(await runner.manager.findBy(Country, {})).toEqual([
          { code: 'fr', name: 'France', capital: null },
        ]);
      }));

    it('a version is counted, and the date of the change is read back', () =>
      inUnit(async ({ runner, load, flush, sent }) => {
        await runner.manager.save(item());
        await runner.manager
          .createQueryBuilder()
          .update(Item)
          .set({ updatedAt: new Date(0) })
          .execute();
        const [chair] = await load(Item);
        const { version } = chair!;
        chair!.name = 'table';
        await flush();
        expect(sent()).toEqual(['UPDATE item', 'SELECT item']);
        expect(chair!.version).toBe(version + 1);
        expect(chair!.updatedAt.getTime()).toBeGreaterThan(0);
        expect(await runner.manager.findBy(Item, {})).toEqual([chair]);
        chair!.name = 'chair';
        await flush();
        expect(chair!.version).toBe(version + 2);
      }));

    it('embedded objects, dates, JSON and transformed values are compared as they are stored', () =>
      inUnit(async ({ runner, load, flush, statements }) => {
        await runner.manager.save(item({ settings: { a: 1 } }));
        const [chair] = await load(Item);
        chair!.size.height = 9;
        chair!.soldAt!.setTime(0);
        chair!.settings!['a'] = 2;
        chair!.price = 3.25;
        await flush();
        const [update] = statements();
        expect(update!.match(/[`"](\w+)[`"] = (?![`"]|now|CURR|datetime)/g)).toHaveLength(6);
        const [stored] = await runner.manager.find(Item);
        expect(stored).toEqual(chair);
        expect(await runner.query('SELECT price FROM item')).toEqual([{ price: 325 }]);
      }));

    it('what the database makes of a new row is read back', () =>
      inUnit(async ({ runner, add, flush }) => {
        const chair = item();
        add(chair);
        await flush();
        expect(chair).toMatchObject({ version: 1, stock: 7, settings: null, size: { width: 1, height: 2 } });
        expect(chair.createdAt).toBeInstanceOf(Date);
        expect(await runner.manager.find(Item)).toEqual([chair]);
      }));

    it('a key that is no number is made before the row is sent, unless it was given', () =>
      inUnit(async ({ runner, add, flush, sent }) => {
        const given = '11111111-1111-4111-8111-111111111111';
        const tokens = [make(Token, { name: 'a' }), make(Token, { name: 'b', id: given })];
        add(...tokens);
        await flush();
        expect(sent()).toEqual(['INSERT token']);
        expect(tokens[0]!.id).toMatch(/^[\da-f-]{36}$/);
        expect(tokens[1]!.id).toBe(given);
        for (const token of tokens)
          expect(await runner.manager.findOneBy(Token, { id: token.id })).toEqual(token);
      }));

    it('classes of one table are stored as what they are', () =>
      inUnit(async ({ runner, add, load, flush, sent }) => {
        add(make(Person, { name: 'p' }), make(Employee, { name: 'e', salary: 1 }));
        await flush();
        expect(sent()).toEqual(['INSERT person', 'INSERT person']);
        const [person, employee] = await load(Person);
        expect([person, employee].map((one) => one!.constructor)).toEqual([Person, Employee]);
        (employee as Employee).salary = 2;
        await flush();
        expect(sent()).toEqual(['UPDATE person']);
        expect(await runner.manager.findBy(Employee, { salary: 2 })).toHaveLength(1);
      }));

    it('a key of two columns names a row', () =>
      inUnit(async ({ runner, add, load, flush, sent, markDeleted }) => {
        add(...[1, 2, 3].map((place) => make(Seat, { line: 1, place, guest: 'nobody' })));
        await flush();
        const [one, two, three] = await load(Seat, { order: { place: 'ASC' } });
        one!.guest = 'one';
        two!.guest = 'two';
        markDeleted(three!);
        await flush();
        expect(sent()).toEqual(['UPDATE seat', 'DELETE seat']);
        expect(
          (await runner.manager.find(Seat, { order: { place: 'ASC' } })).map(({ guest }) => guest),
        ).toEqual(['one', 'two']);
      }));
  });

  describe('relations', () => {
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

  describe('through TypeORM', () => {
    it('listeners and subscribers are told, may change the object still, and nothing is selected first', () =>
      inUnit(async ({ runner, add, map, flush, sent, markDeleted }) => {
        const [subscriber] = dataSource().subscribers as AccountSubscriber[];
        subscriber!.events.length = 0;
        const accounts = ['a', 'b'].map((owner) => make(Account, { owner, balance: 1 }));
        add(...accounts);
        await flush();
        expect(sent()).toEqual(['INSERT account']);
        expect(accounts.map(({ heard, note }) => [...heard, note])).toEqual(
          accounts.map(() => ['before insert', 'after insert number', 'new']),
        );
        accounts[0]!.balance = 5;
        await flush();
        expect(sent()).toEqual(['UPDATE account']);
        expect(subscriber!.events.splice(0)).toEqual(['updated balance, note']);
        expect(await runner.manager.findOneBy(Account, { owner: 'a' })).toMatchObject({
          balance: 5,
          note: 'changed',
          version: 2,
        });
        sent();
        markDeleted(accounts[0]!);
        await flush();
        expect(sent()).toEqual(['DELETE account']);
        expect(subscriber!.events).toEqual(['removes a']);
        expect(accounts[0]!.id).toBeTypeOf('number');
        expect(map.of(accounts[0]!)).toBeUndefined();
      }));

    it('the version is checked where somebody listens too', () =>
      inUnit(async ({ runner, load, flush }) => {
        await runner.manager.save(make(Account, { owner: 'a', balance: 1 }));
        const [account] = await load(Account);
        await runner.manager.createQueryBuilder().update(Account).set({ balance: 2 }).execute();
        account!.balance = 3;
        await expect(flush()).rejects.toThrow(StaleDataError);
      }));

    it('a root of a tree, whose parent is null as it was, is changed in its own columns only', () =>
      inUnit(async ({ add, flush, statements }) => {
        const root = make(Branch, { name: 'root', parent: null });
        add(root);
        await flush();
        statements();
        root.name = 'trunk';
        await flush();
        const updates = statements().filter((sql) => sql.startsWith('UPDATE'));
        expect(updates).toEqual([expect.stringMatching(/^UPDATE .branch. SET .name. = \S+ WHERE/)]);
        await flush();
        expect(statements()).toEqual([]);
      }));

    it('a failure takes back what was written into objects that TypeORM stored', () =>
      inUnit(async ({ runner, add, flush }) => {
        const account = make(Account, { owner: 'a', balance: 1 });
        const root = make(Branch, { name: 'root', parent: null });
        await runner.manager.insert(Country, { code: 'fr', name: 'France' });
        const [tracked, ...others] = add<object>(account, root, make(Country, { code: 'fr', name: 'again' }));
        await runner.query('SAVEPOINT before_flush');
        await expect(flush()).rejects.toThrow(QueryFailedError);
        await runner.query('ROLLBACK TO SAVEPOINT before_flush');
        expect([account.id, account.version, root.id]).toEqual([undefined, undefined, undefined]);
        expect([tracked!, ...others].map(({ state }) => state)).toEqual(['pending', 'pending', 'pending']);
      }));

    it('trees keep their paths', () =>
      inUnit(async ({ runner, add, flush }) => {
        const root = make(Branch, { name: 'root', parent: null });
        const leaf = make(Branch, { name: 'leaf', parent: root });
        add(leaf, root);
        await flush();
        const trees = runner.manager.getTreeRepository(Branch);
        expect((await trees.findAncestors(leaf)).map(({ name }) => name).toSorted()).toEqual([
          'leaf',
          'root',
        ]);
      }));
  });
});
