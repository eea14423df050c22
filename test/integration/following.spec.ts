/** What TypeORM writes past the tracked objects, and is not plain to see: what databases do by themselves, composite keys, writes at once. */
import type { ScopedSession, SessionFactoryOptions } from 'nestjs-scoped-session';
import {
  Column,
  type DataSource,
  ChildEntity,
  Entity,
  type EntityManager,
  type EntitySubscriberInterface,
  EventSubscriber,
  ManyToOne,
  OneToMany,
  PrimaryColumn,
  PrimaryGeneratedColumn,
  TableInheritance,
  type UpdateEvent,
  VersionColumn,
} from 'typeorm';
import { beforeEach, expect, it } from 'vitest';
import { KINDS, onEach } from '../support/databases.js';
import { ours } from '../support/plain-and-ours.js';

@Entity()
class Shelf {
  @PrimaryGeneratedColumn()
  id!: number;

  @Column({ type: 'varchar', length: 50 })
  name!: string;

  @VersionColumn()
  version!: number;

  @OneToMany(() => Item, (item) => item.shelf, { cascade: true })
  items!: Item[];
}

@Entity()
@TableInheritance({ column: { type: 'varchar', name: 'kind', length: 20 } })
class Item {
  @PrimaryGeneratedColumn()
  id!: number;

  @Column({ type: 'varchar', length: 50 })
  name!: string;

  @ManyToOne(() => Shelf, (shelf) => shelf.items, { onDelete: 'CASCADE', nullable: true })
  shelf!: Shelf | null;

  @ManyToOne(() => Shelf, { onDelete: 'SET NULL', nullable: true })
  spare!: Shelf | null;
}

@ChildEntity()
class Toy extends Item {
  @Column({ type: 'int', nullable: true })
  age!: number | null;
}

@Entity()
class Price {
  @PrimaryColumn({ type: 'varchar', length: 20 })
  shop!: string;

  @PrimaryColumn({ type: 'int' })
  item!: number;

  @Column({ type: 'int' })
  cents!: number;
}

let inFlush: ((manager: EntityManager) => Promise<unknown>) | undefined;

@EventSubscriber()
class OnUpdate implements EntitySubscriberInterface<Shelf> {
  listenTo(): typeof Shelf {
    return Shelf;
  }

  async afterUpdate({ manager }: UpdateEvent<Shelf>): Promise<void> {
    await inFlush?.(manager);
  }
}

onEach(KINDS, (database) => {
  let dataSource: DataSource;
  let session: ScopedSession;

  const open = async (factory: SessionFactoryOptions = {}): Promise<void> => {
    const more = { entities: [Shelf, Item, Toy, Price], subscribers: [OnUpdate] };
    ({ dataSource, session } = await ours(database, more, factory));
    inFlush = undefined;
    const { manager } = dataSource;
    await manager.save(Shelf, [{ name: 'low' }, { name: 'high' }]);
    await manager.save(Toy, { name: 'bear', age: 3, shelf: { id: 1 }, spare: { id: 2 } });
    await manager.save(Item, { name: 'lamp', shelf: { id: 2 } });
    await manager.insert(Price, [
      { shop: 'a', item: 1, cents: 10 },
      { shop: 'b', item: 1, cents: 20 },
    ]);
  };
  beforeEach(() => open());

  const isClean = async (): Promise<void> => {
    expect([...session.dirty]).toEqual([]);
    await session.flush();
  };

  it('rows that go with another row, and rows that are cut off', () =>
    session.run(async () => {
      const bear = await session.getOrFail(Toy, 1);
      const lamp = await session.getOrFail(Item, 2);
      const spare = (await session.findOne(Toy, { where: { id: 1 }, relations: { spare: true } }))!.spare;
      expect(spare!.name).toBe('high');
      await dataSource.manager.delete(Shelf, { name: 'high' });
      expect(session.inspect(lamp).state).toBe('deleted');
      expect([session.inspect(spare!).state, bear.spare]).toEqual(['deleted', null]);
      await isClean();
      await dataSource.manager.remove(await dataSource.manager.findOneByOrFail(Shelf, { id: 1 }));
      expect(session.inspect(bear).state).toBe('deleted');
      await session.rollback();
      expect([bear, lamp].map((item) => session.inspect(item).state)).toEqual(['persistent', 'persistent']);
    }));

  it('children of a class share its table', () =>
    session.run(async () => {
      const bear = await session.getOrFail(Item, 1);
      await dataSource.manager.update(Item, 1, { name: 'bunny' });
      await dataSource.manager.update(Toy, { name: 'bunny' }, { age: 4 });
      expect([bear.name, (bear as Toy).age]).toEqual(['bunny', 4]);
      await isClean();
    }));

  it('keys of several columns', () =>
    session.run(async () => {
      const prices = await session.find(Price, { order: { shop: 'ASC' } });
      await dataSource.manager.update(Price, { shop: 'b', item: 1 }, { cents: 21 });
      await dataSource.manager.upsert(Price, { shop: 'a', item: 1, cents: 11 }, ['shop', 'item']);
      expect(prices.map(({ cents }) => cents)).toEqual([11, 21]);
      await dataSource.manager.save(Price, { shop: 'a', item: 1, cents: 12 });
      await dataSource.manager.delete(Price, { shop: 'b', item: 1 });
      expect([prices[0]!.cents, session.has(prices[1]!)]).toEqual([12, false]);
      await isClean();
    }));

  it('writes that are made at once', () =>
    session.run(async () => {
      const shelves = await session.find(Shelf, { order: { id: 'ASC' } });
      await Promise.all([
        dataSource.manager.update(Shelf, 1, { name: 'one' }),
        dataSource.manager.save(Shelf, { id: 2, name: 'two' }),
        dataSource.manager.update(Shelf, { id: 1 }, { version: 7 }),
      ]);
      expect(shelves.map(({ name }) => name)).toEqual(['one', 'two']);
      expect(shelves[0]!.version).toBe(7);
      await isClean();
    }));

  it('versions and new members, of a tracked object that TypeORM saved', () =>
    session.run(async () => {
      const low = (await session.findOne(Shelf, { where: { id: 1 }, relations: { items: true } }))!;
      await session.noAutoflush(async () => {
        low.name = 'lower';
        low.items = [Object.assign(new Item(), { name: 'book' })];
        await dataSource.manager.save(low);
      });
      expect(low.version).toBe(2);
      await isClean();
      low.name = 'lowest';
      await session.flush();
      expect([low.version, await dataSource.manager.countBy(Item, { name: 'book' })]).toEqual([3, 1]);
    }));

  it('what a subscriber writes while a flush runs is its own', () =>
    session.run(async () => {
      inFlush = (manager) => manager.save(Price, { shop: 'c', item: 1, cents: 30 });
      const low = await session.getOrFail(Shelf, 1);
      low.name = 'lower';
      await session.flush();
      expect(await session.get(Price, ['c', 1])).toMatchObject({ cents: 30 });
      await isClean();
    }));

  it("with 'everything' too", async () => {
    await open({ unitOfWork: 'everything' });
    await session.run(async () => {
      inFlush = (manager) => manager.save(Price, { shop: 'c', item: 1, cents: 30 });
      const low = await dataSource.manager.findOneByOrFail(Shelf, { id: 1 });
      low.name = 'lower';
      await dataSource.manager.save(low);
      inFlush = undefined;
      const [price] = await dataSource.manager.save(Price, [{ shop: 'c', item: 1, cents: 31 }]);
      expect(price).toBeInstanceOf(Price);
      const silent = { name: 'silent' };
      expect(await dataSource.manager.save(Shelf, silent, { listeners: false })).toBe(silent);
      await isClean();
    });
  });
});
