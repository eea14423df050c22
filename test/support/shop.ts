/** An application with the recipes of docs/recipes.md in it, and what they have stored. */
import type { DataSource } from 'typeorm';
import { Order, Stock } from '../recipes/entities.js';
import { isSqlite, type TestDatabase } from './databases.js';
import { startApp, type TestApp, type TestAppOptions } from './test-app.js';

export interface Shop extends TestApp {
  /** The items of all orders, in the order in which they were stored. */
  items(): Promise<string[]>;
  pieces(item: string): Promise<number>;
}

/** @param stock - how many pieces there are of each item */
export async function startShop(
  database: TestDatabase,
  options: TestAppOptions,
  stock: Readonly<Record<string, number>> = {},
): Promise<Shop> {
  const app = await startApp(database, { entities: [Order, Stock], ...options });
  await fill(app.dataSource, stock);
  return { ...app, ...lookInto(database, app.dataSource) };
}

export async function fill(dataSource: DataSource, stock: Readonly<Record<string, number>>): Promise<void> {
  for (const [item, pieces] of Object.entries(stock))
    await dataSource.getRepository(Stock).insert({ item, pieces });
}

/** What is stored: asked from outside where that is possible. */
export function lookInto(database: TestDatabase, dataSource: DataSource): Pick<Shop, 'items' | 'pieces'> {
  const ask = async (sql: string): Promise<Record<string, unknown>[]> =>
    isSqlite(database.kind) ? dataSource.query(sql) : database.ask(sql);
  return {
    items: async () => (await ask('SELECT item FROM orders ORDER BY id')).map(({ item }) => String(item)),
    pieces: async (name) => {
      const [row] = await ask(`SELECT pieces FROM stock WHERE item = '${name}'`);
      return Number(row?.['pieces']);
    },
  };
}
