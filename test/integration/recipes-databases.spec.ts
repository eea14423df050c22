/** The recipes of docs/recipes.md about databases, versions, and applications beside each other; and about tests. */
import { Controller, Injectable, Post, Query, type Type } from '@nestjs/common';
import { Test, type TestingModule } from '@nestjs/testing';
import { InjectRepository, TypeOrmModule } from '@nestjs/typeorm';
import { ScopedSession, ScopedSessionModule } from 'nestjs-scoped-session';
import { DataSource, Repository } from 'typeorm';
import { beforeEach, describe, expect, it } from 'vitest';
import { Order } from '../recipes/entities.js';
import { GuestBookController, stickyClients } from '../recipes/replicas.js';
import { forTests, rolledBack } from '../recipes/rolled-back-tests.js';
import { readingMeanwhile, takingTurns } from '../recipes/sqlite.js';
import { appModule } from '../recipes/two-applications.js';
import { firstOrder, openShop } from '../recipes/typeorm-versions.js';
import { serve } from '../support/boot.js';
import { onEach, SERVERS, useDatabase } from '../support/databases.js';
import { ON_PRIMARY, ON_REPLICA, useStaleReplica } from '../support/replicated.js';
import { type Shop, startShop } from '../support/shop.js';

@Injectable()
class OrdersService {
  constructor(@InjectRepository(Order) private readonly orders: Repository<Order>) {}

  async place(item: string): Promise<number> {
    await this.orders.insert({ item });
    if (item === 'nothing') throw new Error('There is nothing to order.');
    return this.orders.count();
  }
}

@Controller('orders')
class OrdersController {
  constructor(private readonly orders: OrdersService) {}

  @Post()
  async place(@Query('item') item: string): Promise<{ count: number }> {
    return { count: await this.orders.place(item) };
  }
}

const CONTROLLERS: Type[] = [OrdersController];
const PROVIDERS = [OrdersService];

describe('sqlite', () => {
  const WAYS = [
    ['takingTurns', 'sqljs', takingTurns],
    ['readingMeanwhile', 'better-sqlite3', readingMeanwhile],
  ] as const;

  describe.each(WAYS)('%s', (_name, kind, sessions) => {
    const database = useDatabase(kind);

    it('forty requests at once, ten of which fail: each is stored or undone by itself', async () => {
      const shop = await startShop(database, {
        controllers: CONTROLLERS,
        providers: PROVIDERS,
        session: sessions,
      });
      const items = Array.from({ length: 40 }, (_, n) => (n % 4 === 0 ? 'nothing' : `item ${n}`));
      const answers = await Promise.all(items.map((item) => shop.http.post('/orders').query({ item })));
      expect(answers.map(({ status }) => status)).toEqual(
        items.map((item) => (item === 'nothing' ? 500 : 201)),
      );
      expect((await shop.items()).toSorted()).toEqual(items.filter((item) => item !== 'nothing').toSorted());
    });
  });
});

onEach(SERVERS, (database) => {
  const replica = useStaleReplica(database);

  it('replicas: a client sees what it wrote, though the replica does not have it; others see the replica', async () => {
    const { http } = await serve(database, {
      imports: [
        TypeOrmModule.forRoot({ ...replica.options(), retryAttempts: 1 }),
        ScopedSessionModule.forRoot(stickyClients),
      ],
      controllers: [GuestBookController],
    });
    await http.get('/notes').set('x-user', 'Ada').expect(200, [ON_REPLICA]);
    await http.post('/notes?text=mine').set('x-user', 'Ada').expect(201, [ON_PRIMARY, 'mine']);
    await http.get('/notes').set('x-user', 'Ada').expect(200, [ON_PRIMARY, 'mine']);
    await http.get('/notes').set('x-user', 'Grace').expect(200, [ON_REPLICA]);
  });
});

onEach(['mariadb', 'sqljs'], (database) => {
  describe('two-applications', () => {
    const start = async (): Promise<TestingModule> => {
      const options = () => database.options({ entities: [Order], synchronize: true });
      const module = await Test.createTestingModule({ imports: [appModule(options)] }).compile();
      await module.init();
      database.watch({ dataSource: module.get(DataSource), close: () => module.close() });
      return module;
    };

    it('lives twice in one process, and each has its own sessions', async () => {
      const [one, other] = [await start(), await start()];
      const [first, second] = [one.get(ScopedSession), other.get(ScopedSession)];
      await first.run(async (session) => {
        await second.run(async (inner) => expect(inner).not.toBe(session));
        expect(first.current()).toBe(session);
      });
      expect(one.get(DataSource)).not.toBe(other.get(DataSource));
    });
  });

  describe('typeorm-versions', () => {
    it('works with the version that is installed', async () => {
      const shop = await openShop(database.options({ dropSchema: true }));
      const { dataSource } = shop.sessionFactory.engine!;
      database.watch({ dataSource, close: () => dataSource.destroy() });
      expect(await firstOrder(shop)).toMatchObject({ id: 1, item: 'the first', state: 'new' });
    });
  });

  describe('rolled-back-tests', () => {
    let shop: Shop;
    beforeEach(async () => {
      shop = await startShop(database, { controllers: CONTROLLERS, providers: PROVIDERS, session: forTests });
    });

    it('a test of services sees what it does, and leaves nothing', async () => {
      const test = rolledBack(
        () => shop.app,
        async (session) => {
          const orders = shop.app.get(OrdersService);
          expect(await orders.place('tea')).toBe(1);
          expect(await orders.place('cups')).toBe(2);
          expect(Number(await session.scalar('SELECT COUNT(*) FROM orders'))).toBe(2);
        },
      );
      await test();
      expect(await shop.items()).toEqual([]);
    });

    it('a test that fails fails, and leaves nothing either', async () => {
      const test = rolledBack(
        () => shop.app,
        async () => void (await shop.app.get(OrdersService).place('nothing')),
      );
      await expect(test()).rejects.toThrow('nothing to order');
      expect(await shop.items()).toEqual([]);
    });

    it('a request over HTTP is answered as ever, and leaves nothing', async () => {
      await shop.http.post('/orders?item=tea').expect(201, { count: 1 });
      await shop.http.post('/orders?item=cups').expect(201, { count: 1 });
      expect(await shop.items()).toEqual([]);
    });
  });
});
