/** The recipes of docs/recipes.md about connections: who waits for one, who holds one, what is run again. */
import { Controller, Get, type Type } from '@nestjs/common';
import { PoolTimeoutError, ScopedSession, type ScopedSessionModuleOptions } from 'nestjs-scoped-session';
import { beforeEach, describe, expect, it } from 'vitest';
import { LateController, reported } from '../recipes/late-work.js';
import { NoRunnerController } from '../recipes/no-runner.js';
import { Numbers } from '../recipes/own-connection.js';
import { HealthController } from '../recipes/pool-status.js';
import { waiting } from '../recipes/pool-timeout.js';
import { Transfers } from '../recipes/retry.js';
import { Stock } from '../recipes/entities.js';
import { onEach, SERVERS } from '../support/databases.js';
import { type Shop, startShop } from '../support/shop.js';
import { signal, waitUntil } from '../support/wait-until.js';

let [arrived, gate] = [signal(), signal()];

@Controller()
class HoldsController {
  constructor(private readonly session: ScopedSession) {}

  @Get('holds')
  async holds(): Promise<void> {
    await this.session.execute('SELECT 1');
    arrived.resolve();
    await gate.promise;
  }

  @Get('reads')
  async reads(): Promise<void> {
    await this.session.execute('SELECT 1');
  }
}

const CONTROLLERS: Type[] = [HoldsController, LateController, NoRunnerController, HealthController];

onEach(SERVERS, (database) => {
  let shop: Shop;
  const start = async (poolSize: number, session: ScopedSessionModuleOptions): Promise<void> => {
    [arrived, gate] = [signal(), signal()];
    shop = await startShop(
      database,
      {
        controllers: CONTROLLERS,
        providers: [Numbers, Transfers],
        session,
        dataSource: { poolSize },
      },
      { tea: 3, cups: 3 },
    );
  };

  describe('with two connections', () => {
    beforeEach(() => start(2, {}));

    it('retry: of two that wait for each other one is done again, and both are stored', async () => {
      const transfers = shop.app.get(Transfers);
      const both = [signal(), signal()];
      const attempts = [0, 0];
      const add = transfers.add.bind(transfers);
      // Both have their first row before either asks for its second.
      transfers.add = async (item, pieces) => {
        const which = pieces === -1 || pieces === 1 ? 0 : 1;
        await add(item, pieces);
        if (pieces < 0) {
          attempts[which]! += 1;
          both[which]!.resolve();
          await both[1 - which]!.promise;
        }
      };
      await Promise.all([transfers.move('tea', 'cups', 1), transfers.move('cups', 'tea', 2)]);
      expect(attempts.toSorted()).toEqual([1, 2]);
      expect([await shop.pieces('tea'), await shop.pieces('cups')]).toEqual([4, 2]);
    });

    it('no-runner: nothing is held after twenty requests, half of which fail', async () => {
      for (let round = 0; round < 10; round += 1) {
        await shop.http.post('/unreleased?item=tea').expect(201);
        await shop.http.post('/unreleased?item=nothing').expect(500);
      }
      expect(await shop.items()).toHaveLength(10);
      expect(shop.session.sessionFactory.engine!.status()).toMatchObject({ active: 0, waiting: 0 });
    });

    it('late-work: it is refused with the name of its request, or is a unit of work of its own', async () => {
      reported.length = 0;
      await shop.http.post('/late/forgotten').expect(201, 'soon');
      await waitUntil('the refusal is reported', () => reported.length > 0);
      expect(reported[0]).toContain('LateController.forgotten');
      expect(await shop.items()).toEqual([]);
      await shop.http.post('/late/independently').expect(201, 'soon');
      await waitUntil('the report is stored', async () => (await shop.items()).length > 0);
      expect(reported).toHaveLength(1);
    });
  });

  it('own-connection: two orders that hold both connections and want a third are told after poolTimeoutMs', async () => {
    await start(2, waiting);
    const numbers = shop.app.get(Numbers);
    const orders = await Promise.allSettled([numbers.order('tea'), numbers.order('cups')]);
    const failed = orders.filter((one) => one.status === 'rejected');
    // The first whose time is over gives its connection back, perhaps in time for the other one.
    expect(failed.length).toBeGreaterThan(0);
    for (const { reason } of failed) expect(reason).toMatchObject({ code: 'SS_ERR_POOL_TIMEOUT' });
    expect(await shop.items()).toHaveLength(2 - failed.length);
    await numbers.order('tea');
    expect(await shop.items()).toHaveLength(3 - failed.length);
  });

  describe('with one connection', () => {
    beforeEach(() => start(1, waiting));

    it('own-connection: who would wait for himself is told at once', async () => {
      const order = shop.app.get(Numbers).order('tea');
      await expect(order).rejects.toMatchObject({ code: 'SS_ERR_SELF_DEADLOCK' });
      expect([await shop.items(), await shop.pieces('tea')]).toEqual([[], 3]);
    });

    it('pool-timeout: who waits too long is told 503, and the next one is served', async () => {
      const holder = shop.http.get('/holds').then(({ status }) => status);
      await arrived.promise;
      const answer = await shop.http.get('/reads').expect(503);
      expect(answer.headers['retry-after']).toBeDefined();
      gate.resolve();
      expect(await holder).toBe(200);
      await shop.http.get('/reads').expect(200);
    });

    it('pool-status: the health check needs no connection, and counts those that wait', async () => {
      const holder = shop.http.get('/holds').then(({ status }) => status);
      await arrived.promise;
      await shop.http.get('/health').expect(200, { limit: 1, total: 1, active: 1, idle: 0, waiting: 0 });
      const waiting = shop.http.get('/reads').then(({ status }) => status);
      await waitUntil('one waits', async () => (await shop.http.get('/health')).status === 503);
      expect(await waiting).toBe(503);
      gate.resolve();
      expect(await holder).toBe(200);
    });

    it("pool-status: a runner that TypeORM's own manager never releases is counted, and named to who waits", async () => {
      const { dataSource } = shop;
      const leaked = dataSource.createQueryRunner('master');
      await leaked.manager.getRepository(Stock).find();
      await shop.http.get('/health').expect(200, { limit: 1, total: 1, active: 1, idle: 0, waiting: 0 });
      const answer = await shop.http.get('/reads').expect(503);
      expect(answer.headers['retry-after']).toBeDefined();
      const refused: unknown = await dataSource.query('SELECT 1').catch((error: unknown) => error);
      await leaked.release();
      expect(refused).toBeInstanceOf(PoolTimeoutError);
      expect(String(refused)).toContain('Longest holder: A plain query runner');
    });
  });
});
