/** Queries on a runner with an identity map: raw rows, pages, clones, rows that are locked. */
import { describe, expect, it } from 'vitest';
import { Book, bookshop, Genre, Writer } from '../support/bookshop.js';
import { KINDS, onEach, SERVERS } from '../support/databases.js';
import { useUnitOfWork } from '../support/unit-of-work.js';

onEach(KINDS, (database) => {
  const unit = useUnitOfWork(database, bookshop);

  describe('a query', () => {
    it('keeps the raw rows beside the objects', async () => {
      const query = unit.query(Book, 'b').addSelect('b.id * 2', 'double').orderBy('b.id');
      const { raw, entities } = await query.getRawAndEntities<{ double: number | string }>();
      expect(raw.map(({ double }) => Number(double))).toEqual([2, 4, 6, 8, 10]);
      expect(entities.map((book) => unit.map.of(book) !== undefined)).toEqual(Array(5).fill(true));
    });

    it('that finds nothing brings an empty page', async () => {
      const options = { relations: { writer: true }, skip: 50, take: 5 };
      expect(await unit.manager.findAndCount(Book, options)).toEqual([[], 5]);
    });

    it('for a page may ask for a few columns only', async () => {
      const page = await unit.manager.find(Book, {
        select: { title: true, writer: { name: true } },
        relations: { writer: true },
        order: { title: 'ASC' },
        take: 2,
      });
      expect(page.map(({ title, writer }) => [title, writer?.name])).toEqual([
        ['book 1', 'ann'],
        ['book 2', 'ann'],
      ]);
      expect(page[0]!.writer).toBe(page[1]!.writer);
      expect(unit.map.of(page[0]!)?.key).toBe('1');
    });

    it('whose rows have no key makes objects of nobody', async () => {
      const genres = await unit.query(Genre, 'g').select('COUNT(*)', 'count').getMany();
      expect(genres).toEqual([]);
      const found = await unit.query(Book, 'b').select(['b.title']).where('b.id = 1').getOneOrFail();
      expect(unit.tracked(found).key).toBe('1');
    });
  });
});

// TypeORM itself sends nothing at once to a client of PostgreSQL.
onEach(['mariadb', 'sqljs'], (database) => {
  const unit = useUnitOfWork(database, bookshop);

  describe('one builder', () => {
    it('can be cloned, counted and run twice at once', async () => {
      const query = unit.query(Book, 'b').leftJoinAndSelect('b.writer', 'w').orderBy('b.id').take(2);
      const [page, count, again, copy] = await Promise.all([
        query.getMany(),
        query.getCount(),
        query.getMany(),
        query.clone().skip(2).getMany(),
      ]);
      expect(count).toBe(5);
      expect(page.map(({ id }) => id)).toEqual([1, 2]);
      expect(again[0]).toBe(page[0]);
      expect(copy.map(({ id }) => id)).toEqual([3, 4]);
      expect(copy[0]!.writer).toBe(page[0]!.writer);
    });
  });
});

onEach(SERVERS, (database) => {
  const unit = useUnitOfWork(database, bookshop);

  describe('a row that is locked', () => {
    it('IDM-21: is sent for, and brings what the database has now to the same object', async () => {
      const writer = await unit.manager.findOneByOrFail(Writer, { id: 1 });
      await unit.dataSource.manager.query("UPDATE writer SET nick = 'of another' WHERE id = 1");
      unit.sent();
      const lock = { mode: 'pessimistic_write' } as const;
      expect(await unit.manager.findOne(Writer, { where: { id: 1 }, lock })).toBe(writer);
      expect(unit.sent()).toHaveLength(1);
      expect(writer.nick).toBe('of another');
      expect(unit.tracked(writer).changedColumns()).toEqual([]);
    });

    it('keeps what was changed and not flushed', async () => {
      const writer = await unit.manager.findOneByOrFail(Writer, { id: 2 });
      writer.name = 'pending';
      await unit.runner.query("UPDATE writer SET name = 'newer', nick = 'newer' WHERE id = 2");
      await unit.query(Writer, 'w').setLock('pessimistic_write').where('w.id = 2').getOne();
      expect([writer.name, writer.nick]).toEqual(['pending', 'newer']);
      expect(unit.tracked(writer).changedColumns()).toHaveLength(1);
    });
  });

  describe('a version that is asked for', () => {
    it('is compared with that of the row, not with the one that was loaded before', async () => {
      const writer = await unit.manager.findOneByOrFail(Writer, { id: 2 });
      const { version } = writer;
      await unit.runner.query('UPDATE writer SET version = version + 1 WHERE id = 2');
      const query = unit.query(Writer, 'w').where('w.id = 2');
      await expect(query.clone().setLock('optimistic', version).getOne()).rejects.toThrow('optimistic lock');
      expect(
        await query
          .clone()
          .setLock('optimistic', version + 1)
          .getOne(),
      ).toBe(writer);
    });
  });
});
