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

export interface OpenShop extends Shop {
  /** Empties it, gives it this stock, and has it checked at the end of the test. */
  refill(stock?: Stocks): Promise<void>;
}

/** How many pieces there are of each item. */
type Stocks = Readonly<Record<string, number>>;

/** Starts it, and has it checked and closed at the end of the test. */
export async function startShop(
  database: TestDatabase,
  options: TestAppOptions,
  stock: Stocks = {},
): Promise<Shop> {
  const app = await startApp(database, { entities: [Order, Stock], ...options });
  await fill(app.dataSource, stock);
  return { ...app, ...lookInto(database, app.dataSource) };
}

/** One for several tests, which has to be closed by hand. */
export async function openShop(database: TestDatabase, options: TestAppOptions): Promise<OpenShop> {
  const shop = await startShop({ ...database, watch: (one) => one }, options);
  const { dataSource, liveScopes } = shop;
  const refill = async (stock: Stocks = {}): Promise<void> => {
    for (const table of ['orders', 'stock']) await dataSource.query(`DELETE FROM ${table}`);
    await fill(dataSource, stock);
    database.watch({ dataSource, liveScopes });
  };
  return { ...shop, refill };
}

export async function fill(dataSource: DataSource, stock: Stocks): Promise<void> {
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
