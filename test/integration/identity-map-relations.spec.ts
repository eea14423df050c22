/** What a query joins: the same objects again, never merged into what is there, and kept as it was when it was loaded. */
import { describe, expect, it } from 'vitest';
import { Book, bookshop, Chapter, Genre, Review, told, Writer } from '../support/bookshop.js';
import { KINDS, onEach } from '../support/databases.js';
import { useUnitOfWork } from '../support/unit-of-work.js';

onEach(KINDS, (database) => {
  const unit = useUnitOfWork(database, bookshop);
  const held = (entity: object): Record<string, unknown> =>
    Object.fromEntries(
      [...unit.tracked(entity).relations].map(([{ propertyName }, snapshot]) => [propertyName, snapshot]),
    );

  describe('a relation that was joined', () => {
    it('leads to tracked objects, and what it held is kept', async () => {
      const writer = await unit.manager.findOneOrFail(Writer, {
        where: { id: 1 },
        relations: { books: { genres: true } },
        order: { books: { id: 'ASC' } },
      });
      expect(held(writer)).toEqual({ books: ['1', '2', '3'] });
      expect(writer.books.map((book) => held(book).genres)).toEqual([[], ['crime'], ['crime', 'dream']]);
      expect(writer.books[1]!.genres[0]).toBe(writer.books[2]!.genres[0]);
      expect(unit.map.size).toBe(6);
    });

    it('holds null where nothing was there', async () => {
      const options = { where: { id: 5 }, relations: { writer: true, editor: true, genres: true } };
      const book = await unit.manager.findOneOrFail(Book, options);
      expect(held(book)).toEqual({ writer: null, editor: null, genres: ['crime'] });
      expect([book.writer, book.editor]).toEqual([null, null]);
    });

    it('is filled in where it was not loaded, and stays where it was', async () => {
      const writer = await unit.manager.findOneByOrFail(Writer, { id: 1 });
      expect(writer.books).toBeUndefined();
      const query = unit.query(Writer, 'w').where('w.id = 1').orderBy('b.id');
      await query.clone().leftJoinAndSelect('w.books', 'b').getOne();
      const { books } = writer;
      books.pop();
      await query.clone().leftJoinAndSelect('w.books', 'b').getOne();
      expect(writer.books).toBe(books);
      expect(books).toHaveLength(2);
      expect(held(writer)).toEqual({ books: ['1', '2', '3'] });
    });

    it('and was assigned before stays as assigned: a change of what is stored', async () => {
      const book = await unit.manager.findOneByOrFail(Book, { id: 1 });
      const other = await unit.manager.findOneByOrFail(Writer, { id: 2 });
      book.writer = other;
      await unit.manager.findOne(Book, { where: { id: 1 }, relations: { writer: true } });
      expect(book.writer).toBe(other);
      expect(held(book)).toMatchObject({ writer: '1' });
    });

    it('is never merged into what is there', async () => {
      const book = await unit.manager.findOneOrFail(Book, { where: { id: 1 }, relations: { writer: true } });
      const [first] = [book.writer!];
      book.writer = await unit.manager.findOneByOrFail(Writer, { id: 2 });
      const joins = unit
        .query(Book, 'b')
        .leftJoinAndSelect('b.writer', 'w')
        .leftJoinAndSelect('b.writer', 'v');
      await joins.getMany();
      expect([first.name, book.writer.name]).toEqual(['ann', 'bob']);
      expect([first.id, book.writer.id]).toEqual([1, 2]);
    });

    it('joined twice leads to the same objects', async () => {
      const query = unit
        .query(Book, 'b')
        .leftJoinAndSelect('b.writer', 'w')
        .leftJoinAndSelect('b.editor', 'e');
      const book = await query.leftJoinAndSelect('e.books', 'x').where('b.id = 1').getOneOrFail();
      const bob = await unit.manager.findOneByOrFail(Writer, { id: 2 });
      expect(book.editor).toBe(bob);
      expect(bob.books.map(({ id }) => id)).toEqual([4]);
      expect(held(book)).toEqual({ writer: '1', editor: '2' });
    });

    it('can be mapped to another property, which is always of the last query', async () => {
      const query = unit.query(Writer, 'w').where('w.id = 1').orderBy('b.id');
      const first = (await query
        .clone()
        .leftJoinAndMapOne('w.some', 'w.books', 'b', 'b.id = 2')
        .getOneOrFail()) as Writer & { some: Book };
      expect(first.some.id).toBe(2);
      await query.clone().leftJoinAndMapOne('w.some', 'w.books', 'b', 'b.id = 3').getOne();
      expect(first.some.id).toBe(3);
      expect(held(first)).toEqual({});
    });
  });

  it('an eager relation comes with its object, one object for all', async () => {
    const reviews = await unit.manager.find(Review);
    expect(reviews).toHaveLength(2);
    expect(reviews[0]!.book).toBe(reviews[1]!.book);
    expect(reviews[0]!.book).toBe(await unit.manager.findOneBy(Book, { id: 1 }));
  });

  it('many-to-many leads from both sides to the same objects', async () => {
    const genre = await unit.manager.findOneOrFail(Genre, {
      where: { name: 'crime' },
      relations: { books: { genres: true } },
    });
    expect(new Set(genre.books.map(({ id }) => id))).toEqual(new Set([2, 3, 5]));
    for (const book of genre.books) expect(book.genres).toContain(genre);
  });

  it('ids of a relation come with the object, tracked or known', async () => {
    const books = await unit.manager.find(Book, { order: { id: 'ASC' } });
    expect(books.map(({ genreNames }) => genreNames.toSorted())).toEqual([
      [],
      ['crime'],
      ['crime', 'dream'],
      [],
      ['crime'],
    ]);
    const query = unit.query(Book, 'b').where('b.id = 3');
    for (const run of [1, 2]) expect([run, await query.getOne()]).toEqual([run, books[2]]);
    expect(unit.map.of((await query.getOne())!)).toBeDefined();
  });

  describe('a lazy relation', () => {
    it('is not asked for by tracking, and leads to tracked objects', async () => {
      const chapter = await unit.manager.findOneByOrFail(Chapter, { id: 1 });
      unit.tracked(chapter).changedColumns();
      await unit.manager.find(Chapter);
      expect(unit.sent()).toHaveLength(2);
      expect(await chapter.book).toBe(await unit.manager.findOneBy(Book, { id: 1 }));
      const parts = await chapter.parts;
      expect(parts.map(({ title }) => title).toSorted()).toEqual(['part 1', 'part 2']);
      for (const part of parts) expect(await part.whole).toBe(chapter);
      expect(held(parts[0]!)).toMatchObject({ whole: '1' });
      expect(await parts[0]!.book).toBeNull();
      const [book, children] = [held(chapter).book, held(chapter).parts as string[]];
      expect([book, new Set(children), held(parts[0]!).book]).toEqual(['1', new Set(['2', '3']), null]);
    });

    it('that was joined is kept, and asks for nothing', async () => {
      const chapter = await unit.manager.findOneOrFail(Chapter, {
        where: { id: 1 },
        relations: { book: true, whole: true, parts: true },
      });
      unit.sent();
      expect((await chapter.book).title).toBe('book 1');
      expect(await chapter.whole).toBeNull();
      expect(await chapter.parts).toHaveLength(2);
      expect(unit.sent()).toEqual([]);
      expect(held(chapter)).toEqual({
        book: '1',
        whole: null,
        parts: expect.arrayContaining(['2', '3']) as unknown,
      });
    });
  });

  describe('relations loaded by queries of their own', () => {
    const options = { relations: { books: { genres: true } }, relationLoadStrategy: 'query' } as const;

    it('lead to the same objects, each told of once', async () => {
      told.length = 0;
      const known = await unit.manager.findOneByOrFail(Book, { id: 2 });
      const writers = await unit.manager.find(Writer, { ...options, order: { id: 'ASC' } });
      expect(writers[0]!.books).toContain(known);
      expect(writers.map((writer) => (held(writer).books as string[]).toSorted())).toEqual([
        ['1', '2', '3'],
        ['4'],
      ]);
      expect(known.genres.map(({ name }) => name)).toEqual(['crime']);
      expect(writers.map(({ loads }) => loads)).toEqual([1, 1]);
      expect(told).toHaveLength(4);
    });

    it('fill what was not loaded, and nothing else', async () => {
      const writer = await unit.manager.findOneByOrFail(Writer, { id: 1 });
      writer.name = 'pending';
      expect((await unit.manager.find(Writer, { ...options, where: { id: 1 } }))[0]).toBe(writer);
      expect(writer.name).toBe('pending');
      expect(writer.books).toHaveLength(3);
      const { books } = writer;
      await unit.manager.find(Writer, options);
      expect(writer.books).toBe(books);
    });
  });
});
