/** One object per row: what find, repositories and query builders load on a runner with an identity map. */
import { describe, expect, it } from 'vitest';
import { shapeOf } from '../../src/unit-of-work/entity-shape.js';
import { IDENTITY, TrackedObject } from '../../src/unit-of-work/index.js';
import { Book, bookshop, told, Writer } from '../support/bookshop.js';
import { KINDS, onEach } from '../support/databases.js';
import { useUnitOfWork } from '../support/unit-of-work.js';

onEach(KINDS, (database) => {
  const unit = useUnitOfWork(database, bookshop);

  describe('one object per row', () => {
    it('IDM-01: is what every way of asking leads to', async () => {
      const { manager } = unit;
      const found = await manager.findOneByOrFail(Writer, { id: 1 });
      expect(found).toBeInstanceOf(Writer);
      const again = [
        (await manager.find(Writer, { order: { id: 'ASC' } }))[0],
        await manager.getRepository(Writer).findOneBy({ name: 'ann' }),
        await unit.query(Writer, 'w').where('w.id = 1').getOne(),
        (await manager.findAndCount(Writer, { order: { id: 'ASC' }, take: 1 }))[0][0],
        (await manager.findOneOrFail(Book, { where: { id: 1 }, relations: { writer: true } })).writer,
      ];
      for (const one of again) expect(one).toBe(found);
    });

    it('IDM-02: a row that is not there is asked for each time', async () => {
      const first = await unit.manager.findOneBy(Writer, { id: 99 });
      const second = await unit.manager.findOneBy(Writer, { id: 99 });
      expect([first, second]).toEqual([null, null]);
      expect(unit.sent()).toHaveLength(2);
    });

    it('IDM-03: a key and its text lead to the same object', async () => {
      const found = await unit.manager.findOneByOrFail(Writer, { id: 1 });
      expect(await unit.manager.findOneBy(Writer, { id: '1' as unknown as number })).toBe(found);
      expect(unit.tracked(found).shape.keyOf({ id: '1' })).toBe(unit.tracked(found).key);
    });

    it('IDM-08: two queries whose rows overlap share their objects', async () => {
      const first = await unit.manager.find(Book, { where: { writerId: 1 }, order: { id: 'ASC' } });
      const all = await unit.manager.find(Book, { order: { id: 'ASC' } });
      expect(all).toHaveLength(5);
      expect(all.slice(0, 3).map((book, index) => book === first[index])).toEqual([true, true, true]);
      expect(unit.map.size).toBe(5);
    });

    it('IDM-09: belongs to one unit of work', async () => {
      const first = await unit.manager.findOneByOrFail(Writer, { id: 1 });
      unit.another();
      const second = await unit.manager.findOneByOrFail(Writer, { id: 1 });
      expect(second).not.toBe(first);
      expect(second).toEqual(first);
    });

    it('is plain TypeORM where the runner has no map', async () => {
      delete unit.runner[IDENTITY];
      const first = await unit.manager.findOneByOrFail(Writer, { id: 1 });
      expect(await unit.manager.findOneByOrFail(Writer, { id: 1 })).not.toBe(first);
      expect(unit.map.size).toBe(0);
    });
  });

  describe('what is loaded', () => {
    it('IDM-04: is not overwritten by newer values of the database', async () => {
      const writer = await unit.manager.findOneByOrFail(Writer, { id: 1 });
      await unit.runner.query("UPDATE writer SET name = 'newer' WHERE id = 1");
      unit.sent();
      expect(await unit.manager.findOneBy(Writer, { id: 1 })).toBe(writer);
      expect(unit.sent()).toHaveLength(1);
      expect(writer.name).toBe('ann');
      expect(unit.tracked(writer).changedColumns()).toEqual([]);
    });

    it('IDM-05: is overwritten with populateExisting', async () => {
      const writer = await unit.manager.findOneByOrFail(Writer, { id: 1 });
      await unit.runner.query("UPDATE writer SET name = 'newer' WHERE id = 1");
      const again = await unit.query(Writer, 'w').where('w.id = 1').populateExisting().getOne();
      expect(again).toBe(writer);
      expect(writer.name).toBe('newer');
    });

    it('IDM-06: keeps its unflushed changes, but for populateExisting', async () => {
      const writer = await unit.manager.findOneByOrFail(Writer, { id: 1 });
      writer.name = 'pending';
      await unit.manager.find(Writer);
      expect(writer.name).toBe('pending');
      expect(unit.tracked(writer).changedColumns()).toHaveLength(1);
      await unit.query(Writer, 'w').populateExisting().getMany();
      expect(writer.name).toBe('ann');
      expect(unit.tracked(writer).changedColumns()).toEqual([]);
    });

    it('is compared as it was stored, so that a change in place is seen', async () => {
      const book = await unit.manager.findOneByOrFail(Book, { id: 1 });
      expect(book.printed).toBeInstanceOf(Date);
      book.notes!.pages = 11;
      book.printed.setFullYear(1999);
      const { shape } = unit.tracked(book);
      const changed = unit.tracked(book).changedColumns();
      expect(changed.map((place) => shape.columns[place]!.propertyName)).toEqual(['notes', 'printed']);
    });

    it('is not what a new object is, though it has the key of a row', async () => {
      const added = Object.assign(new Writer(), { id: 1, name: 'added' });
      const pending = new TrackedObject(added, shapeOf(unit.dataSource.getMetadata(Writer)), '1');
      pending.state = 'pending';
      unit.map.add(pending);
      expect(await unit.manager.findOneBy(Writer, { id: 1 })).toBe(added);
      expect(added.nick).toBeUndefined();
    });

    it('can be saved by TypeORM as ever, whose own reading goes past the map', async () => {
      const writer = await unit.manager.findOneByOrFail(Writer, { id: 1 });
      writer.name = 'saved';
      unit.sent();
      await unit.manager.save(writer);
      expect(unit.sent().filter((sql) => sql.startsWith('UPDATE'))).toHaveLength(1);
      const rows = await unit.runner.query('SELECT name FROM writer WHERE id = 1');
      expect(rows).toEqual([{ name: 'saved' }]);
    });
  });

  describe('what is told of loading', () => {
    it('comes once for an object, with its class and manager, and not for what was loaded before', async () => {
      told.length = 0;
      const book = await unit.manager.findOneOrFail(Book, { where: { id: 1 }, relations: { writer: true } });
      expect(told.map(({ entity }) => entity)).toEqual([book]);
      expect(told[0]!.metadata).toBe(unit.dataSource.getMetadata(Book));
      expect(told[0]!.manager).toBe(unit.manager);
      expect(book.writer!.loads).toBe(1);
      await unit.manager.find(Book, { relations: { writer: true } });
      expect(book.writer!.loads).toBe(1);
      expect(told.filter(({ entity }) => entity === book)).toHaveLength(1);
      expect(told).toHaveLength(5);
    });

    it('ends where the graph has a cycle, which it has on every bidirectional relation', async () => {
      const query = unit
        .query(Writer, 'w')
        .leftJoinAndSelect('w.books', 'b')
        .leftJoinAndSelect('b.writer', 'o');
      const writer = await query.where('w.id = 1').getOneOrFail();
      expect(writer.books.map(({ writer: other }) => other === writer)).toEqual([true, true, true]);
      expect(writer.loads).toBe(1);
    });

    it('may change the object, which is then no change of it', async () => {
      const { count } = Writer.prototype;
      Writer.prototype.count = function (this: Writer) {
        this.nick = 'given when loaded';
      };
      const writer = await unit.manager.findOneByOrFail(Writer, { id: 2 }).finally(() => {
        Writer.prototype.count = count;
      });
      expect(writer.nick).toBe('given when loaded');
      expect(unit.tracked(writer).changedColumns()).toEqual([]);
    });

    it('may fail, and then nothing of the query was loaded', async () => {
      const { count } = Writer.prototype;
      Writer.prototype.count = () => {
        throw new Error('not to be loaded');
      };
      const failing = unit.manager.find(Book, { relations: { writer: true } });
      await expect(failing).rejects.toThrow('not to be loaded');
      Writer.prototype.count = count;
      expect(unit.map.size).toBe(0);
      const writer = await unit.manager.findOneByOrFail(Writer, { id: 1 });
      expect(writer.loads).toBe(1);
    });
  });
});
