/** The recipes of docs/recipes.md about requests: everything that serves one is in its transaction. */
import {
  Controller,
  Get,
  NotFoundException,
  Post,
  Query,
  Req,
  type Type,
  UseFilters,
  UseGuards,
  UseInterceptors,
} from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import { currentScope, ScopedSession } from 'nestjs-scoped-session';
import { Repository } from 'typeorm';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { Order, Stock } from '../recipes/entities.js';
import { Imports } from '../recipes/executions.js';
import { FailureFilter } from '../recipes/failure-filter.js';
import { ItemGuard, ItemStrategy, type WithStock } from '../recipes/guard.js';
import { JournalInterceptor, KnownItemPipe } from '../recipes/interceptor.js';
import { WaysController } from '../recipes/joined-repositories.js';
import { Basket } from '../recipes/request-provider.js';
import { OrdersController, Warehouse } from '../recipes/request-transaction.js';
import { Visit, Visits } from '../recipes/request-values.js';
import { collectGarbageUntil } from '../support/collect-garbage.js';
import { onEach } from '../support/databases.js';
import { openShop, type OpenShop } from '../support/shop.js';
import { signal } from '../support/wait-until.js';

let held: Basket | undefined;
let visit: WeakRef<Visit> | undefined;
let [arrived, gate] = [signal(), signal()];
const labels: (string | undefined)[] = [];

@Controller()
class ShopController {
  constructor(
    @InjectRepository(Order) private readonly orders: Repository<Order>,
    private readonly session: ScopedSession,
    private readonly visits: Visits,
    private readonly imports: Imports,
  ) {}

  @Post('held-basket')
  async heldBasket(@Query('item') item: string): Promise<void> {
    await held!.add(item);
    if (item === 'refused') throw new NotFoundException();
  }

  @Post('import')
  async import(): Promise<string[]> {
    const results = await this.imports.importAll([['a', 'b'], ['c', ''], ['d']]);
    return results.map(({ status }) => status);
  }

  @Get('visit')
  async visit(@Query('name') name: string): Promise<string[]> {
    this.visits.current.steps.push(`${name} came`);
    if (name === 'slow') {
      arrived.resolve();
      await gate.promise;
    }
    await this.session.scalar('SELECT 1');
    visit = new WeakRef(this.visits.current);
    this.visits.current.steps.push(`${name} went`);
    return this.visits.current.steps;
  }

  @Post('guarded')
  @UseGuards(ItemGuard)
  async guarded(@Req() { stock, query }: WithStock): Promise<boolean> {
    stock!.pieces -= 1;
    if (stock!.item === 'refused') throw new NotFoundException();
    return stock === (await this.session.get(Stock, query.item));
  }

  @Post('filtered')
  @UseFilters(FailureFilter)
  async filtered(): Promise<void> {
    await this.orders.insert({ item: 'undone' });
    labels.push(currentScope()?.label);
    throw new NotFoundException('not here');
  }

  @Post('journal')
  @UseInterceptors(JournalInterceptor)
  async journal(@Query('item', KnownItemPipe) item: string): Promise<void> {
    await this.orders.insert({ item });
    if (item === 'refused') throw new NotFoundException();
  }
}

@Controller()
class BasketController {
  constructor(private readonly basket: Basket) {}

  @Post('basket')
  async add(@Query('item') item: string): Promise<void> {
    held ??= this.basket;
    await this.basket.add(item);
  }
}

const CONTROLLERS: Type[] = [OrdersController, WaysController, ShopController, BasketController];
const PROVIDERS = [Warehouse, Basket, Visits, Imports, ItemStrategy, ItemGuard, KnownItemPipe];

onEach(['mariadb', 'sqljs'], (database) => {
  let shop: OpenShop;
  beforeAll(async () => {
    const providers = [...PROVIDERS, JournalInterceptor, FailureFilter];
    shop = await openShop(database, { controllers: CONTROLLERS, providers });
  });
  afterAll(() => shop.close());
  beforeEach(async () => {
    [arrived, gate, held] = [signal(), signal(), undefined];
    await shop.refill({ tea: 1, refused: 1 });
  });

  it('request-transaction: a request stores all of it or nothing', async () => {
    await shop.http.post('/orders').send({ item: 'tea' }).expect(201);
    await shop.http.post('/orders').send({ item: 'tea' }).expect(409);
    expect(await shop.items()).toEqual(['tea']);
    expect(await shop.pieces('tea')).toBe(0);
  });

  it('executions: one repository, a transaction for each of three executions at once', async () => {
    await shop.http.post('/import').expect(201, ['fulfilled', 'rejected', 'fulfilled']);
    expect((await shop.items()).toSorted()).toEqual(['a', 'b', 'd']);
  });

  it('joined-repositories: six ways to write, one transaction', async () => {
    await shop.http.post('/ways?then=throw').expect(403);
    expect(await shop.items()).toEqual([]);
    await shop.http.post('/ways').expect(201);
    expect(await shop.items()).toHaveLength(6);
  });

  it('request-provider: a provider that Nest kept for another request works in the request that uses it', async () => {
    await shop.http.post('/basket?item=tea').expect(201);
    await shop.http.post('/held-basket?item=cups').expect(201);
    await shop.http.post('/held-basket?item=refused').expect(404);
    expect(await shop.items()).toEqual(['tea', 'cups']);
  });

  describe('request-values', () => {
    it('are of one request each, however many run', async () => {
      const slow = shop.http.get('/visit?name=slow').then(({ body }) => body as unknown);
      await arrived.promise;
      await shop.http.get('/visit?name=quick').expect(200, ['quick came', 'quick went']);
      gate.resolve();
      expect(await slow).toEqual(['slow came', 'slow went']);
    });

    it('are gone when the request is', async () => {
      await shop.http.get('/visit?name=guest').expect(200);
      await collectGarbageUntil('the values are collected', () => visit!.deref() === undefined);
      expect(shop.liveScopes()).toBe(0);
    });
  });

  it('guard: what it loads is the object of the handler, whose changes are stored with the rest', async () => {
    await shop.http.post('/guarded?item=coffee').expect(403);
    await shop.http.post('/guarded?item=refused').expect(404);
    await shop.http.post('/guarded?item=tea').expect(201, 'true');
    expect([await shop.pieces('tea'), await shop.pieces('refused')]).toEqual([0, 1]);
  });

  it('failure-filter: what it stores stays, what the request did does not', async () => {
    await shop.http.post('/filtered').expect(404, { noted: 'not here' });
    expect(await shop.items()).toEqual(['not here']);
    expect(labels).toContain('ShopController.filtered');
  });

  it('interceptor: what it and the pipe do is undone with the handler', async () => {
    await shop.http.post('/journal?item=coffee').expect(404);
    await shop.http.post('/journal?item=refused').expect(404);
    expect(await shop.items()).toEqual([]);
    await shop.http.post('/journal?item=tea').expect(201);
    expect(await shop.items()).toEqual(['journal begins', 'tea', 'journal ends']);
  });
});
