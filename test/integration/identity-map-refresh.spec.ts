/** What a row does to an object that is there already: it fills what was not loaded, and renews what is expired. */
import { describe, expect, it } from 'vitest';
import { expire } from '../../src/unit-of-work/index.js';
import { Book, bookshop, Writer } from '../support/bookshop.js';
import { KINDS, onEach } from '../support/databases.js';
import { useUnitOfWork } from '../support/unit-of-work.js';

onEach(KINDS, (database) => {
  const unit = useUnitOfWork(database, bookshop);
  const writer = (id: number): Promise<Writer> => unit.manager.findOneByOrFail(Writer, { id });
  const changed = (entity: object): string[] =>
    unit
      .tracked(entity)
      .changedColumns()
      .map((place) => unit.tracked(entity).shape.columns[place]!.propertyName);
  const newer = (): Promise<unknown> =>
    unit.runner.query("UPDATE writer SET name = 'newer', nick = 'newer' WHERE id = 1");

  describe('columns that were not loaded', () => {
    it('are filled in by the query that brings them, and nothing else is', async () => {
      const [book] = await unit.manager.find(Book, { select: { title: true }, where: { id: 1 } });
      expect(JSON.parse(JSON.stringify(book))).toEqual({ id: 1, title: 'book 1', genreNames: [] });
      await unit.runner.query("UPDATE book SET title = 'newer' WHERE id = 1");
      expect(await unit.manager.findOneBy(Book, { id: 1 })).toBe(book);
      expect(book).toMatchObject({ title: 'book 1', notes: { pages: 10 }, writerId: 1 });
      expect(changed(book!)).toEqual([]);
    });

    it('are filled in where the class selects them only when asked', async () => {
      const found = await writer(1);
      expect(found.secret).toBeUndefined();
      await unit.query(Writer, 'w').addSelect('w.secret').where('w.id = 1').getOne();
      expect(found.secret).toBe('of ann');
      found.secret = 'changed';
      expect(changed(found)).toEqual(['secret']);
    });

    it('and were assigned meanwhile stay as assigned: a change of what is stored', async () => {
      const found = await writer(1);
      found.secret = 'assigned';
      await unit.query(Writer, 'w').addSelect('w.secret').where('w.id = 1').getOne();
      expect(found.secret).toBe('assigned');
      expect(changed(found)).toEqual(['secret']);
      found.secret = 'of ann';
      expect(changed(found)).toEqual([]);
    });
  });

  describe('an object that is expired', () => {
    it('EXP-03, EXP-23: is refreshed by any query that brings its row', async () => {
      const [first, second] = await unit.manager.find(Writer, { order: { id: 'ASC' } });
      for (const tracked of unit.map) expire(tracked);
      await newer();
      unit.sent();
      await unit.manager.find(Book, { relations: { writer: true } });
      expect(unit.sent().length).toBeLessThanOrEqual(2);
      expect([first!.name, second!.name]).toEqual(['newer', 'bob']);
      expect([...unit.map].filter(({ isExpired }) => isExpired)).toEqual([]);
      expect(changed(first!)).toEqual([]);
    });

    it('IDM-18: is the same object, told of as loaded again', async () => {
      const found = await writer(1);
      expire(unit.tracked(found));
      expect(await writer(1)).toBe(found);
      expect(found.loads).toBe(2);
      await writer(1);
      expect(found.loads).toBe(2);
    });

    it('EXP-07: has lost its unflushed changes', async () => {
      const found = await writer(1);
      found.name = 'pending';
      expire(unit.tracked(found));
      expect(changed(found)).toEqual([]);
      await writer(1);
      expect(found.name).toBe('ann');
    });

    it('EXP-09, EXP-10: keeps what was assigned afterwards, and the rest is refreshed', async () => {
      const found = await writer(1);
      expire(unit.tracked(found));
      found.name = 'assigned';
      expect(changed(found)).toEqual(['name']);
      await newer();
      await writer(1);
      expect([found.name, found.nick]).toEqual(['assigned', 'newer']);
      expect(changed(found)).toEqual(['name']);
    });

    it('has not loaded any more what the query did not ask for', async () => {
      const found = await writer(1);
      expire(unit.tracked(found));
      await newer();
      await unit.query(Writer, 'w').select(['w.name']).where('w.id = 1').getOne();
      expect(found).toMatchObject({ id: 1, name: 'newer' });
      expect(found.nick).toBeUndefined();
      await writer(1);
      expect(found.nick).toBe('newer');
    });

    it('has its relations loaded anew where they were joined, and not loaded where they were not', async () => {
      const relations = { books: true };
      const found = await unit.manager.findOneOrFail(Writer, { where: { id: 1 }, relations });
      expire(unit.tracked(found));
      await unit.runner.query(
        `UPDATE book SET ${unit.dataSource.driver.escape('writerId')} = 2 WHERE id = 2`,
      );
      await unit.manager.findOneOrFail(Writer, { where: { id: 1 }, relations });
      expect(new Set(found.books.map(({ id }) => id))).toEqual(new Set([1, 3]));
      expire(unit.tracked(found));
      await writer(1);
      expect(found.books).toBeUndefined();
      expect(unit.tracked(found).relations.size).toBe(0);
    });

    it('follows its foreign key to what is loaded', async () => {
      const relations = { writer: true, editor: true };
      const book = await unit.manager.findOneOrFail(Book, { where: { id: 1 }, relations });
      const second = await writer(2);
      expire(unit.tracked(book));
      const { driver } = unit.dataSource;
      const assign = [driver.escape('writerId'), driver.escape('editorId')];
      await unit.runner.query(`UPDATE book SET ${assign[0]} = 2, ${assign[1]} = NULL WHERE id = 1`);
      await unit.manager.findOneBy(Book, { id: 1 });
      expect(book.writer).toBe(second);
      expect([book.writerId, book.editor]).toEqual([2, null]);
      expect(changed(book)).toEqual([]);
    });
  });

  describe('populateExisting', () => {
    it('brings back a relation that was assigned and not flushed', async () => {
      const book = await unit.manager.findOneOrFail(Book, { where: { id: 1 }, relations: { writer: true } });
      const [first, second] = [book.writer!, await writer(2)];
      book.writer = second;
      const query = (): ReturnType<typeof unit.query<Book>> =>
        unit.query(Book, 'b').leftJoinAndSelect('b.writer', 'w').where('b.id = 1');
      await query().getOne();
      expect(book.writer).toBe(second);
      expect(changed(book)).toEqual(['writerId']);
      await query().populateExisting().getOne();
      expect(book.writer).toBe(first);
      expect(changed(book)).toEqual([]);
      expect(second.name).toBe('bob');
    });

    it('overwrites an object once, however often its row is in the query', async () => {
      const bob = await writer(2);
      const query = unit
        .query(Book, 'b')
        .leftJoinAndSelect('b.writer', 'w')
        .leftJoinAndSelect('b.editor', 'e');
      // As a writer it comes first, with its books; as an editor without them.
      const books = await query
        .leftJoinAndSelect('w.books', 'x')
        .orderBy('b.id', 'DESC')
        .populateExisting()
        .getMany();
      expect(books.at(-1)!.editor).toBe(bob);
      expect(bob.books.map(({ id }) => id)).toEqual([4]);
      expect(bob.loads).toBe(2);
    });

    it('goes with a copy of the query', async () => {
      const found = await writer(1);
      await newer();
      await unit.query(Writer, 'w').populateExisting().clone().where('w.id = 1').getOne();
      expect(found.name).toBe('newer');
    });
  });
});
