/** The same lines for TypeORM 0.3 and 1: nothing here has another name there. */
import { createEngine, scopedSession, sessionFactory, type ScopedSession } from 'nestjs-scoped-session';
import { DataSource, type DataSourceOptions } from 'typeorm';
import { Order } from './entities.js';

export async function openShop(options: DataSourceOptions): Promise<ScopedSession> {
  const dataSource = await new DataSource({ ...options, entities: [Order], synchronize: true }).initialize();
  return scopedSession(sessionFactory(createEngine(dataSource)));
}

export async function firstOrder(shop: ScopedSession): Promise<Order> {
  return shop.run(async (session) => {
    const order = session.manager.create(Order, { item: 'the first' });
    session.add(order);
    await session.flush();
    return session.getOrFail(Order, order.id);
  });
}
