/** The recipes of docs/recipes.md about connections: who waits for one, who holds one, what is run again. */
import { Controller, Get, type Type } from '@nestjs/common';
import { PoolTimeoutError, ScopedSession, type ScopedSessionModuleOptions } from 'nestjs-scoped-session';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { LateController } from '../recipes/late-work.js';
import { NoRunnerController } from '../recipes/no-runner.js';
import { Numbers } from '../recipes/own-connection.js';
import { HealthController } from '../recipes/pool-status.js';
import { waiting } from '../recipes/pool-timeout.js';
import { Transfers } from '../recipes/retry.js';
import { Stock } from '../recipes/entities.js';
import { onEach, SERVERS } from '../support/databases.js';
import { openShop, type OpenShop } from '../support/shop.js';
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
  let shop: OpenShop;
  function withConnections(poolSize: number, session: ScopedSessionModuleOptions): void {
    beforeAll(async () => {
      const providers = [Numbers, Transfers];
      shop = await openShop(database, {
        controllers: CONTROLLERS,
        providers,
        session,
        dataSource: { poolSize },
      });
    });
    afterAll(() => shop.close());
    beforeEach(async () => {
      [arrived, gate] = [signal(), signal()];
      await shop.refill({ tea: 3, cups: 3 });
    });
  }

  describe('with two connections', () => {
    withConnections(2, {});

    it('own-connection: two orders that hold both connections and want a third are told after poolTimeoutMs', async () => {
      const numbers = shop.app.get(Numbers);
      const { engine } = shop.session.sessionFactory;
      engine!.configure({ poolTimeoutMs: 200 });
      const orders = await Promise.allSettled([numbers.order('tea'), numbers.order('cups')]);
      engine!.configure({ poolTimeoutMs: 30_000 });
      const failed = orders.filter((one) => one.status === 'rejected');
      // The first whose time is over gives its connection back, perhaps in time for the other one.
      expect(failed.length).toBeGreaterThan(0);
      for (const { reason } of failed) expect(reason).toMatchObject({ code: 'SS_ERR_POOL_TIMEOUT' });
      expect(await shop.items()).toHaveLength(2 - failed.length);
      await numbers.order('tea');
      expect(await shop.items()).toHaveLength(3 - failed.length);
    });

    it('retry: of two that wait for each other one is done again, and both are stored', async () => {
      const transfers = shop.app.get(Transfers);
      const [first, second] = [signal(), signal()];
      const sides = [
        { attempts: 0, begun: first, other: second, done: signal() },
        { attempts: 0, begun: second, other: first, done: signal() },
      ];
      const add = transfers.add.bind(transfers);
      transfers.add = async (item, pieces) => {
        const [side, opposite] = Math.abs(pieces) === 1 ? sides : sides.toReversed();
        // On PostgreSQL the second attempt could be faster than the one that the deadlock has let go.
        if (pieces < 0 && side!.attempts > 0) await opposite!.done.promise;
        await add(item, pieces);
        if (pieces > 0) return;
        side!.attempts += 1;
        // Both have their first row before either asks for its second.
        side!.begun.resolve();
        await side!.other.promise;
      };
      await Promise.all([
        transfers.move('tea', 'cups', 1).finally(sides[0]!.done.resolve),
        transfers.move('cups', 'tea', 2).finally(sides[1]!.done.resolve),
      ]).finally(() => (transfers.add = add));
      expect(sides[0]!.attempts + sides[1]!.attempts).toBe(3);
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

    it('late-work: it is refused with the name of its handler, or is a task with a unit of work of its own', async () => {
      const { outcomes } = shop.app.get(LateController);
      outcomes.length = 0;
      await shop.http.post('/late/forgotten').expect(201, 'soon');
      await waitUntil('the refusal is known', () => outcomes.length === 1);
      expect(outcomes[0]).toContain('LateController.forgotten');
      expect(await shop.items()).toEqual([]);
      await shop.http.post('/late/task').expect(201, 'soon');
      await waitUntil('the task is done', () => outcomes.length === 2);
      expect(outcomes[1]).toBe('succeeded');
      expect(await shop.items()).toEqual(['a report']);
    });
  });

  describe('with one connection', () => {
    withConnections(1, waiting);

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
