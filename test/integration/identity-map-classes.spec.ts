/** Whatever a class and its key look like, its rows are one object each; what is no row is nobody's. */
import { describe, expect, it } from 'vitest';
import {
  Animal,
  Car,
  Cat,
  CatName,
  classes,
  Code,
  Dog,
  FireTruck,
  Folder,
  Member,
  Setting,
  Truck,
  Vehicle,
} from '../support/classes.js';
import { KINDS, onEach } from '../support/databases.js';
import { useUnitOfWork } from '../support/unit-of-work.js';

onEach(KINDS, (database) => {
  const unit = useUnitOfWork(database, classes);

  describe('one table for a tree of classes', () => {
    it('has one object for a row, whichever class it is asked for by', async () => {
      const all = await unit.manager.find(Vehicle, { order: { id: 'ASC' } });
      expect(all.map(({ constructor }) => constructor)).toEqual([Car, Truck, FireTruck]);
      expect(await unit.manager.find(Truck, { order: { id: 'ASC' } })).toEqual(all.slice(1));
      expect(await unit.manager.findOneBy(FireTruck, { water: 5 })).toBe(all[2]);
      expect(unit.map.size).toBe(3);
      expect(all.map((one) => unit.tracked(one).shape.metadata.target)).toEqual([Car, Truck, FireTruck]);
      expect(all[2]).toMatchObject({ name: 'fire', load: 10, water: 5 });
    });

    it('makes nothing of a row that does not say its class', async () => {
      const query = unit.query(Vehicle, 'v').select(['v.name']).where("v.name = 'car'");
      const unknown = await query.getOneOrFail();
      expect(unknown.name).toBe('car');
      expect(unit.map.of(unknown)).toBeUndefined();
      const car = await unit.manager.findOneByOrFail(Car, { name: 'car' });
      expect(await query.getOneOrFail()).toBe(car);
    });
  });

  it('a table for each class has an object for each row, though the keys are the same', async () => {
    const [cat, dog] = [
      await unit.manager.findOneBy(Cat, { id: 1 }),
      await unit.manager.findOneBy(Dog, { id: 1 }),
    ];
    expect([cat, dog]).toMatchObject([{ name: 'cat' }, { name: 'dog' }]);
    expect([cat, dog].map((one) => one instanceof Animal)).toEqual([true, true]);
    expect(unit.map.size).toBe(2);
  });

  describe('a key of several parts', () => {
    it('names one row, and is the same text read from the row and from the object', async () => {
      const members = await unit.manager.find(Member, { order: { team: 'ASC', code: 'ASC' } });
      expect(members).toHaveLength(3);
      expect(unit.map.size).toBe(3);
      const where = { team: 1, place: 2, code: new Code('b') };
      expect(await unit.manager.findOneBy(Member, where)).toBe(members[1]);
      for (const member of members) {
        const { key, shape } = unit.tracked(member);
        expect(shape.keyOf(member)).toBe(key);
      }
    });

    it('goes through its transformer, as other columns do', async () => {
      const member = await unit.manager.findOneByOrFail(Member, { team: 1, code: new Code('a') });
      expect([member.code, member.other]).toEqual([new Code('a'), new Code('other a')]);
      expect(unit.tracked(member).changedColumns()).toEqual([]);
      member.other = new Code('other a');
      expect(unit.tracked(member).changedColumns()).toEqual([]);
      member.other = new Code('changed');
      expect(unit.tracked(member).changedColumns()).toHaveLength(1);
    });
  });

  describe('an embedded object', () => {
    it('is compared column by column, and stays the object that it is', async () => {
      const member = await unit.manager.findOneByOrFail(Member, { team: 1, code: new Code('b') });
      const { name } = member;
      expect(name).toMatchObject({ first: 'first b', last: null });
      name.last = 'changed';
      await unit.query(Member, 'm').getMany();
      expect(name.last).toBe('changed');
      const { shape } = unit.tracked(member);
      const changed = unit.tracked(member).changedColumns();
      expect(changed.map((place) => shape.columns[place]!.propertyPath)).toEqual(['name.last']);
      await unit.query(Member, 'm').populateExisting().getMany();
      expect(member.name).toBe(name);
      expect(name.last).toBeNull();
    });

    it('is filled in when only a part of it was loaded', async () => {
      const select = { name: { first: true } };
      const [member] = await unit.manager.find(Member, { select, where: { team: 1, code: new Code('a') } });
      expect(member!.name.first).toBe('first a');
      expect(member!.name.last).toBeUndefined();
      await unit.manager.find(Member);
      expect(member!.name.last).toBeNull();
      expect(unit.tracked(member!).snapshot).not.toContain(undefined);
    });
  });

  describe('what a constructor gives', () => {
    it('is neither loaded nor a change', async () => {
      const [setting] = await unit.manager.find(Setting, { select: { name: true } });
      expect(setting!.value).toBeUndefined();
      expect(unit.tracked(setting!).changedColumns()).toEqual([]);
      await unit.manager.find(Setting);
      expect(setting).toMatchObject({ value: 'stored', weight: 1 });
    });
  });

  it('a column that the query computes is of the last query, and is never stored', async () => {
    const setting = await unit.manager.findOneByOrFail(Setting, { name: 'one' });
    expect(Number(setting.count)).toBe(1);
    setting.count = 99;
    expect(unit.tracked(setting).changedColumns()).toEqual([]);
    await unit.manager.find(Setting);
    expect(String(setting.count)).toBe('1');
  });

  describe('a tree', () => {
    it('is made of tracked objects', async () => {
      const trees = unit.manager.getTreeRepository(Folder);
      const [root] = await trees.findTrees();
      const leaf = await unit.manager.findOneByOrFail(Folder, { name: 'leaf' });
      expect(root!.name).toBe('root');
      expect(root!.children[0]!.children[0]).toBe(leaf);
      expect(await trees.countDescendants(root!)).toBe(3);
      const branch = root!.children[0]!;
      await trees.findAncestorsTree(leaf);
      expect(leaf.parent).toBe(branch);
      expect(unit.map.size).toBe(3);
    });
  });

  describe('goes past the map:', () => {
    it('a view', async () => {
      expect(await unit.manager.find(CatName)).toMatchObject([{ name: 'cat' }]);
      expect(unit.map.size).toBe(0);
    });

    it('plain objects, and objects that hold ids in place of what they lead to', async () => {
      const [pojo] = await unit.query(Cat, 'c').setOption('create-pojo').getMany();
      expect(Object.getPrototypeOf(pojo)).toBe(Object.prototype);
      await unit.manager.find(Folder, { loadRelationIds: true });
      await unit.query(Folder, 'f').loadRelationIdAndMap('f.parentId', 'f.parent').getMany();
      expect(unit.map.size).toBe(0);
    });

    it('raw rows', async () => {
      expect(await unit.query(Dog, 'd').getRawMany()).toHaveLength(1);
      expect(await unit.query(Dog, 'd').getCount()).toBe(1);
      expect(await unit.query(Dog, 'd').getExists()).toBe(true);
      expect(unit.map.size).toBe(0);
    });
  });
});
