/** The bank of `npm start`, over HTTP, embedded and on a server: what its start message promises, and what it refuses. */
import { readFileSync } from 'node:fs';
import type { Server } from 'node:http';
import type { INestApplication } from '@nestjs/common';
import { ScopedSession } from 'nestjs-scoped-session';
import supertest, { type Agent, type Response } from 'supertest';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { createBank } from '../../example/create-bank.js';
import { ActiveWork } from '../../src/nest/active-work.js';
import { KINDS, onEach, type TestDatabase } from '../support/databases.js';

interface Account {
  readonly id: number;
  readonly owner: string;
  readonly cents: number;
}
interface Entry {
  readonly transfer: string;
  readonly account: number;
  readonly cents: number;
}

const KEYS = ['DATABASE_URL', 'DB_TYPE', 'DB_HOST', 'DB_PORT', 'DB_USERNAME', 'DB_PASSWORD', 'DB_DATABASE'];

/** The curl lines that the example prints, ready to be sent. */
const CURLS = [
  ...readFileSync(new URL('../../example/main.ts', import.meta.url), 'utf8').matchAll(
    /curl -s (-X POST )?\$\{url\}(\/\S*?)(?: -H 'Content-Type: application\/json' -d '(.*?)')?(?=;|\n)/g,
  ),
].map(([, post, path, body]) => ({ isPost: post !== undefined, path: path!, body }));

const send = async (http: Agent, { isPost, path, body }: (typeof CURLS)[number]): Promise<Response> =>
  isPost ? http.post(path).set('Content-Type', 'application/json').send(body) : http.get(path);

function useEnvironment(database: TestDatabase): void {
  for (const key of KEYS) vi.stubEnv(key, undefined);
  if (database.kind === 'sqljs') return;
  const { host, port, username, database: name } = database.options() as unknown as Record<string, string>;
  const place = `${username}@${host}:${port}/${name}`;
  vi.stubEnv(
    'DATABASE_URL',
    database.kind === 'postgres' ? `postgresql://${place}` : `mysql+mysql2://${place}?charset=utf8mb4`,
  );
}

onEach(KINDS, (database) => {
  let app: INestApplication;
  let http: Agent;

  beforeEach(async () => {
    useEnvironment(database);
    // Otherwise a boot that fails would end the process, and say nothing.
    app = await createBank({ abortOnError: false });
    await app.listen(0, '127.0.0.1');
    const work = app.get(ActiveWork, { strict: false });
    const { dataSource } = app.get(ScopedSession).sessionFactory.engine!;
    http = supertest(app.getHttpServer() as Server);
    database.watch({
      dataSource,
      liveScopes: () => work.count,
      close: async () => {
        await dataSource.dropDatabase();
        await app.close();
      },
    });
  });
  afterEach(() => vi.unstubAllEnvs());

  const get = async <Body>(path: string): Promise<Body> => (await http.get(path).expect(200)).body as Body;
  const balances = async (): Promise<number[]> =>
    (await get<Account[]>('/accounts')).map(({ cents }) => cents);
  const audit = async (): Promise<string[]> =>
    (await get<{ text: string }[]>('/audit')).map(({ text }) => text);

  it('opens with two accounts', async () => {
    expect(await get('/accounts')).toMatchObject([
      { id: 1, owner: 'Ada', cents: 10_000 },
      { id: 2, owner: 'Grace', cents: 5_000 },
    ]);
  });

  it('prints lines to try, of which the first commits', async () => {
    expect(CURLS.map(({ path }) => path)).toEqual(['/transfers', '/transfers', '/audit', '/whoami']);
    const { status, body } = await send(http, CURLS[0]!);
    expect(status).toBe(201);
    expect(body).toMatchObject({ from: { id: 1, cents: 7_500 }, to: { id: 2, cents: 7_500 } });
    expect(await balances()).toEqual([7_500, 7_500]);
    expect(await audit()).toEqual(['2500 cents from 1 to 2']);
    const entries = await get<Entry[]>('/transfers/entries');
    expect(entries.map(({ account, cents }) => [account, cents])).toEqual([
      [1, -2500],
      [2, 2500],
    ]);
  });

  it('prints lines to try, of which the second fails and leaves nothing', async () => {
    expect((await send(http, CURLS[1]!)).status).toBe(422);
    expect((await send(http, CURLS[2]!)).body).toEqual([]);
    expect(await balances()).toEqual([10_000, 5_000]);
    expect(await get('/transfers/entries')).toEqual([]);
  });

  it('prints lines to try, of which the third shows one session in guard, service and handler', async () => {
    const { status, body } = await send(http, CURLS[3]!);
    expect(status).toBe(200);
    const { handler, service, guard, connectionTaken } = body as Record<string, unknown>;
    expect(handler).toMatch(/^session [0-9a-f-]{36}$/);
    expect([service, guard, connectionTaken]).toEqual([handler, handler, false]);
    expect(((await send(http, CURLS[3]!)).body as Record<string, unknown>)['handler']).not.toBe(handler);
  });

  it.each([
    ['a negative amount', { from: 1, to: 2, cents: -1 }, 'cents must be a positive number'],
    ['half a cent', { from: 1, to: 2, cents: 0.5 }, 'cents must be an integer number'],
    ['an amount in words', { from: 1, to: 2, cents: 'much' }, 'cents must be an integer number'],
    ['an amount beyond reason', { from: 1, to: 2, cents: 1e12 }, 'cents must not be greater than 1000000000'],
    ['a missing account', { from: 1, cents: 5 }, 'to must be an integer number'],
    ['an unknown property', { from: 1, to: 2, cents: 5, admin: true }, 'property admin should not exist'],
    ['one account twice', { from: 1, to: 1, cents: 5 }, 'An account cannot transfer to itself.'],
  ])('answers 400 to %s, and does nothing', async (_what, transfer, message) => {
    const { body } = await http.post('/transfers').send(transfer).expect(400);
    expect([(body as { message: string | string[] }).message].flat()).toContain(message);
    expect(await audit()).toEqual([]);
    expect(await balances()).toEqual([10_000, 5_000]);
  });

  it('answers 404 for what is not there, and leaves nothing of a transfer to it', async () => {
    await http.get('/accounts/99').expect(404);
    await http.get('/accounts/first').expect(400);
    await http.get('/nowhere').expect(404);
    await http.post('/transfers').send({ from: 1, to: 99, cents: 5 }).expect(404);
    expect(await balances()).toEqual([10_000, 5_000]);
    expect(await audit()).toEqual([]);
    expect(await get('/transfers/entries')).toEqual([]);
  });

  it('opens accounts', async () => {
    const { body } = await http.post('/accounts').send({ owner: 'Edsger', cents: 1_000 }).expect(201);
    expect(body).toMatchObject({ id: 3, owner: 'Edsger', cents: 1_000 });
    expect(await get('/accounts/3')).toMatchObject({ owner: 'Edsger' });
    await http.post('/accounts').send({ owner: '', cents: -5 }).expect(400);
    expect(await balances()).toHaveLength(3);
  });

  it('keeps the sum of all money, and the books, with many transfers at a time', async () => {
    const answers = await Promise.all(
      Array.from({ length: 30 }, async (_, index) => {
        const [from, to] = index % 2 === 0 ? [1, 2] : [2, 1];
        return http.post('/transfers').send({ from, to, cents: 1 + index * 40 });
      }),
    );
    const succeeded = answers.filter(({ status }) => status === 201).length;
    expect(answers.filter(({ status }) => status === 422)).toHaveLength(30 - succeeded);
    const [first, second] = await balances();
    expect(first! + second!).toBe(15_000);
    const entries = await get<Entry[]>('/transfers/entries');
    expect(entries).toHaveLength(2 * succeeded);
    expect(entries.reduce((sum, { cents }) => sum + cents, 0)).toBe(0);
    const ofFirst = entries.filter(({ account }) => account === 1);
    expect(10_000 + ofFirst.reduce((sum, { cents }) => sum + cents, 0)).toBe(first);
    expect(await audit()).toHaveLength(succeeded);
  });

  it('describes itself to Swagger, without the session', async () => {
    const document = await get<{
      paths: Record<string, Record<string, { parameters?: { name: string }[] }>>;
    }>('/api-json');
    expect(Object.keys(document.paths).toSorted()).toEqual([
      '/accounts',
      '/accounts/{id}',
      '/audit',
      '/transfers',
      '/transfers/entries',
      '/whoami',
    ]);
    expect(document.paths['/accounts/{id}']!['get']!.parameters?.map(({ name }) => name)).toEqual(['id']);
    expect(document.paths['/whoami']!['get']!.parameters ?? []).toEqual([]);
    expect(document).toMatchObject({
      components: { schemas: { TransferDto: { properties: { cents: { type: 'number', example: 2500 } } } } },
    });
    await http.get('/api').expect(200).expect('Content-Type', /html/);
  });
});
