/** The recipes of docs/recipes.md about parts of a transaction: savepoints, work beside other work, hooks. */
import { Body, Controller, NotFoundException, Post } from '@nestjs/common';
import { ScopedSession, SessionClosedError } from 'nestjs-scoped-session';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { OrderMails } from '../recipes/after-commit.js';
import { Signals, SignalsController } from '../recipes/always-called.js';
import { Checkout } from '../recipes/nested.js';
import { Lines } from '../recipes/parallel-parts.js';
import { BatchController } from '../recipes/promise-all.js';
import { onEach } from '../support/databases.js';
import { openShop, type OpenShop } from '../support/shop.js';

/** What was stored when a mail left. */
const mails: { text: string; stored: string[] }[] = [];
let shop: OpenShop;

@Controller()
class PartsController {
  constructor(
    private readonly checkout: Checkout,
    private readonly lines: Lines,
    private readonly mails: OrderMails,
    private readonly session: ScopedSession,
  ) {}

  @Post('checkout')
  async order(@Body() { item, coupon }: { item: string; coupon: string }): Promise<void> {
    await this.checkout.order(item, coupon);
  }

  @Post('lines')
  store(@Body() { items }: { items: string[] }): Promise<string[]> {
    return this.lines.store(items);
  }

  @Post('mail')
  async mail(@Body() { item }: { item: string }): Promise<void> {
    await this.mails.order(item, async (text) => {
      // Asked of the server: what others see at this moment.
      mails.push({ text, stored: await shop.items() });
      if (item === 'a refused mail') throw new Error('The mail server is down.');
    });
    if (item === 'nothing') throw new NotFoundException();
    if (item === 'a duplicate') await this.session.execute("INSERT INTO stock VALUES ('tea', 1)");
  }
}

onEach(['mariadb', 'postgres', 'sqljs'], (database) => {
  const providers = [Checkout, Lines, OrderMails, Signals];
  const controllers = [PartsController, BatchController, SignalsController];
  beforeAll(async () => {
    shop = await openShop(database, { controllers, providers });
  });
  afterAll(() => shop.close());
  beforeEach(async () => {
    mails.length = 0;
    await shop.refill({ tea: 3 });
  });

  describe('nested', () => {
    it('a part that fails is undone, and the rest is stored', async () => {
      await shop.http.post('/checkout').send({ item: 'tea', coupon: 'expired' }).expect(201);
      await shop.http.post('/checkout').send({ item: 'cups', coupon: 'valid' }).expect(201);
      expect(await shop.items()).toEqual(['tea', 'cups', 'valid']);
    });

    it('a part that was kept is undone with the whole', async () => {
      await shop.http.post('/checkout').send({ item: 'nothing', coupon: 'valid' }).expect(500);
      expect(await shop.items()).toEqual([]);
    });

    it('without a request the outer part is the unit of work', async () => {
      await shop.app.get(Checkout).order('tea', 'expired');
      await expect(shop.app.get(Checkout).order('nothing', 'valid')).rejects.toThrow('nothing to order');
      expect(await shop.items()).toEqual(['tea']);
    });
  });

  describe('promise-all', () => {
    it('is rolled back with everything that was under way when one of it fails', async () => {
      await shop.http.post('/batch?items=a,bad,b,c').expect(500);
      expect(await shop.items()).toEqual([]);
      await shop.http.post('/batch?items=a,b,c').expect(201);
      expect((await shop.items()).toSorted()).toEqual(['a', 'b', 'c']);
    });

    it('what nobody awaits is committed with the rest', async () => {
      await shop.http.post('/batch/forgotten?item=a').expect(201, 'done');
      expect(await shop.items()).toEqual(['a']);
    });
  });

  it('parallel-parts: parts beside each other have savepoints one after the other', async () => {
    const { body } = await shop.http.post('/lines').send({ items: ['cups', 'tea', 'pots', 'cups'] });
    expect(body).toEqual(['tea', 'cups']);
    expect(await shop.items()).toEqual(['cups', 'pots']);
    expect([await shop.pieces('tea'), await shop.pieces('cups')]).toEqual([3, 1]);
  });

  describe('after-commit', () => {
    it('the mail leaves when the order is stored', async () => {
      await shop.http.post('/mail').send({ item: 'tea' }).expect(201);
      expect(mails).toEqual([{ text: 'Your order: tea', stored: ['tea'] }]);
    });

    it('an order that is not stored has no mail, whatever had failed', async () => {
      await shop.http.post('/mail').send({ item: 'nothing' }).expect(404);
      await shop.http.post('/mail').send({ item: 'a duplicate' }).expect(500);
      expect(mails.map(({ text }) => text)).toEqual(['Sorry, no nothing', 'Sorry, no a duplicate']);
      expect(await shop.items()).toEqual([]);
    });

    it('a mail that cannot be sent does not take the order back', async () => {
      await shop.http.post('/mail').send({ item: 'a refused mail' }).expect(201);
      expect(await shop.items()).toEqual(['a refused mail']);
    });
  });

  describe('always-called', () => {
    it('a hook is called for a request that opened no transaction, too', async () => {
      await shop.http.get('/signals?at=nothing').expect(200);
      await shop.http.get('/signals?at=orders').expect(200);
      expect(shop.app.get(Signals).sent).toEqual(['looked at nothing', 'looked at orders']);
    });

    it('a hook that comes after the end is refused', async () => {
      const late = await shop.session.run((session) => session);
      expect(() => late.afterCommit(() => undefined)).toThrow(SessionClosedError);
    });
  });
});
