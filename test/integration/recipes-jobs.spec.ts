/** The recipe of docs/recipes.md about queues, on BullMQ and a real Redis where there is one. */
import { BullModule, getQueueToken } from '@nestjs/bullmq';
import type { Job, Queue } from 'bullmq';
import { BackgroundTasks } from 'nestjs-scoped-session';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { Order } from '../recipes/entities.js';
import { ParcelProcessor, ParcelsController } from '../recipes/jobs.js';
import { onEach } from '../support/databases.js';
import type { PrivateServer } from '../support/private-server.js';
import { hasRedis, redisServer } from '../support/redis-server.js';
import { type Shop, startShop } from '../support/shop.js';
import { waitUntil } from '../support/wait-until.js';

onEach(['mariadb', 'sqljs'], (database) => {
  describe('jobs, without a queue', () => {
    it('each attempt is a unit of work: stored when it resolves, undone when it fails', async () => {
      const shop = await startShop(database, { providers: [ParcelProcessor] });
      const processor = shop.app.get(ParcelProcessor);
      const job = (item: string, attemptsMade: number) =>
        ({ data: { item }, attemptsMade }) as Job<{ item: string }>;
      const attempts = [job('tea', 0), job('glass', 0), job('glass', 1)].map((one) => processor.process(one));
      const results = await Promise.allSettled(attempts);
      expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
      expect((await shop.items()).toSorted()).toEqual(['glass', 'tea']);
    });
  });

  describe.skipIf(!hasRedis)('jobs, with Redis', () => {
    let redis: PrivateServer;
    let shop: Shop;
    beforeAll(async () => {
      redis = await redisServer();
    });
    afterAll(() => redis.stop());
    beforeEach(async () => {
      const connection = { host: '127.0.0.1', port: redis.port };
      shop = await startShop(database, {
        imports: [
          BullModule.forRoot({ connection, prefix: database.user }),
          BullModule.registerQueue({ name: 'parcels' }),
        ],
        controllers: [ParcelsController],
        providers: [ParcelProcessor],
      });
    });

    it('a request puts a job into the queue when it is committed; the attempt that fails leaves nothing but what its event notes', async () => {
      await shop.http.post('/parcels?item=tea').expect(201, 'on its way');
      await shop.http.post('/parcels?item=glass').expect(201);
      await shop.app.get(BackgroundTasks).idle();
      const queue = shop.app.get<Queue>(getQueueToken('parcels'));
      await waitUntil('both are done', async () => (await queue.getCompletedCount()) === 2);
      const states = async (): Promise<string[]> => {
        const orders = await shop.dataSource.getRepository(Order).find();
        return orders.map(({ item, state }) => `${item} ${state}`).toSorted();
      };
      // Nobody waits for the listeners of events.
      await waitUntil('the failure is noted', async () => (await states()).length === 3);
      expect(await states()).toEqual(['glass broken', 'glass packed', 'tea packed']);
    });
  });
});
