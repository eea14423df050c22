/** The recipes of docs/recipes.md about code that serves no plain request: gateways, GraphQL, streams of events. */
import { WsAdapter } from '@nestjs/platform-ws';
import { TypeOrmModule } from '@nestjs/typeorm';
import { ScopedSessionModule } from 'nestjs-scoped-session';
import { DataSource } from 'typeorm';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Order, Stock } from '../recipes/entities.js';
import { EventsController } from '../recipes/events.js';
import { Orders, OrdersGateway } from '../recipes/gateway.js';
import { OrdersResolver } from '../recipes/resolver.js';
import { serve, type Served, withNotes } from '../support/boot.js';
import { onEach } from '../support/databases.js';
import { GRAPHQL_DRIVERS, type GraphQLApp, serveGraphQL } from '../support/graphql-app.js';
import { WsClient } from '../support/message-clients.js';
import { Note } from '../support/note.js';
import { fill, lookInto, type Shop, startShop } from '../support/shop.js';
import { StatementLog } from '../support/statement-log.js';
import { waitUntil } from '../support/wait-until.js';

onEach(['mariadb', 'sqljs'], (database) => {
  describe('gateway', () => {
    let served: Served;
    let client: WsClient;
    beforeEach(async () => {
      served = await serve(
        database,
        {
          imports: [
            TypeOrmModule.forRoot(withNotes(database, { entities: [Order, Stock] })),
            ScopedSessionModule.forRoot(),
          ],
          providers: [OrdersGateway, Orders],
        },
        'express',
        (app) => app.useWebSocketAdapter(new WsAdapter(app)),
      );
      client = await WsClient.connect(served.url);
    });
    afterEach(() => client.close());

    it('each message is a unit of work; what belongs to the connection is kept by its socket', async () => {
      expect(await client.ask('order', 'tea')).toEqual({ event: 'ordered', data: 1 });
      await expect(client.ask('order', 'nothing')).rejects.toMatchObject({ status: 'error' });
      expect(await client.ask('order', 'cups')).toEqual({ event: 'ordered', data: 2 });
      const { items } = lookInto(database, served.app.get(DataSource));
      expect(await items()).toEqual(['tea', 'cups']);
    });
  });

  describe.each(GRAPHQL_DRIVERS)('resolver, on %s', (driver) => {
    let app: GraphQLApp;
    const log = new StatementLog();
    beforeEach(async () => {
      const dataSource = { entities: [Note, Order, Stock], logger: log };
      app = await serveGraphQL(database, driver, { providers: [OrdersResolver], dataSource });
      await fill(app.dataSource, { tea: 3, cups: 2 });
    });

    it('two root fields and the fields below them have one transaction', async () => {
      await app.ask('mutation { a: order(item: "tea") b: order(item: "cups") }');
      log.statements.length = 0;
      const { data } = await app.ask('{ orders { item pieces } again: orders { item pieces } }');
      const orders = [
        { item: 'tea', pieces: 3 },
        { item: 'cups', pieces: 2 },
      ];
      expect(data).toEqual({ orders, again: orders });
      const ends = log.statements.map(({ sql }) => sql).filter((sql) => /^(COMMIT|ROLLBACK)/.test(sql));
      expect(ends).toHaveLength(1);
    });

    it('fields of a mutation are stored together or not at all', async () => {
      const { data } = await app.ask('mutation { a: order(item: "tea") b: order(item: "nothing") }');
      expect(data).toBeNull();
      expect(await lookInto(database, app.dataSource).items()).toEqual([]);
    });
  });

  describe('events', () => {
    let shop: Shop;
    beforeEach(async () => {
      shop = await startShop(database, { controllers: [EventsController], dataSource: { poolSize: 1 } });
    });
    const ended = (): Promise<void> => waitUntil('the scope has ended', () => shop.liveScopes() === 0);

    it('a stream whose client goes ends once, with what it had committed, and gives its connection back', async () => {
      const request = new AbortController();
      const response = await fetch(`${shop.url}/events`, { signal: request.signal });
      const reader = response.body!.getReader();
      let heard = '';
      for (let isOver = false; !isOver && !heard.includes('count');) {
        const { value = [], done } = await reader.read();
        heard += Buffer.from(value).toString();
        isOver = done;
      }
      expect(heard).toContain('count');
      request.abort();
      await ended();
      expect(await shop.items()).toEqual(['a visit']);
      expect(shop.session.sessionFactory.engine!.status()).toMatchObject({ active: 0, waiting: 0 });
    });

    it('so does one whose client goes before there is a stream', async () => {
      const holder = shop.dataSource.createQueryRunner();
      await holder.startTransaction();
      const request = new AbortController();
      const answer = fetch(`${shop.url}/events`, { signal: request.signal }).catch(() => undefined);
      const { engine } = shop.session.sessionFactory;
      await waitUntil('the handler waits for its connection', () => engine!.status().waiting === 1);
      request.abort();
      await answer;
      await holder.rollbackTransaction();
      await holder.release();
      await ended();
      expect(engine!.status()).toMatchObject({ active: 0, waiting: 0 });
    });
  });
});
