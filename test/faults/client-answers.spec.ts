/** What HTTP clients are told of faults: whether it is worth trying again, and nothing of the inside. */
import { createServer } from 'node:net';
import { Controller, Get, NotFoundException, Post } from '@nestjs/common';
import { Session } from 'nestjs-scoped-session';
import type { Response } from 'supertest';
import { beforeEach, expect, it } from 'vitest';
import { engineOf } from '../../src/engine/index.js';
import { onEach, SERVERS } from '../support/databases.js';
import { throughProxy } from '../support/faulty-database.js';
import { texts } from '../support/plain-and-ours.js';
import { startApp, type TestApp } from '../support/test-app.js';
import { signal, waitUntil } from '../support/wait-until.js';

const INSERT = 'INSERT INTO note (text) VALUES (:text)';

let inHandler = signal();
let goOn = signal();

@Controller()
class NotesController {
  @Get()
  async read(@Session() session: Session): Promise<string> {
    return `${(await session.scalars('SELECT text FROM note')).length}`;
  }

  @Post()
  async write(@Session() session: Session): Promise<string> {
    await session.execute(INSERT, { text: 'canary-value' });
    inHandler.resolve();
    await goOn.promise;
    await session.execute(INSERT, { text: 'canary-value, too' });
    return 'stored';
  }

  @Post('refused')
  async refused(@Session() session: Session): Promise<never> {
    await session.execute(INSERT, { text: 'canary-value' });
    throw new NotFoundException('no such account');
  }

  @Post('deferred')
  async deferred(@Session() session: Session): Promise<string> {
    await session.execute('INSERT INTO child (parent) VALUES (7)');
    return 'stored';
  }
}

onEach(SERVERS, (shared) => {
  const database = throughProxy(shared);
  const isMariadb = database.kind === 'mariadb';
  let test: TestApp;

  beforeEach(async () => {
    [inHandler, goOn] = [signal(), signal()];
    test = await startApp(database, { controllers: [NotesController], dataSource: { poolSize: 2 } });
  });

  /** The pool has none, so that the next request wants a new one. */
  async function withoutConnections(): Promise<void> {
    database.proxy.cut();
    await waitUntil('the pool has noticed', () => engineOf(test.dataSource).status().total === 0);
  }

  /** F115: what a body may say is a status, its name and a code. */
  function tellsNothing({ text }: Response): void {
    expect(text).not.toMatch(/canary|note|INSERT|SELECT|ECONN|127\.0\.0\.1/i);
    for (const secret of [database.user, String(database.proxy.port)]) expect(text).not.toContain(secret);
  }

  async function isTold(status: 500 | 503, answer: Promise<Response>): Promise<void> {
    const response = await answer;
    expect(response.status).toBe(status);
    expect(response.headers['retry-after']).toBe(status === 503 ? '1' : undefined);
    tellsNothing(response);
  }

  const isServed = (): Promise<unknown> => test.http.get('/').expect(200);
  const read = async (): Promise<Response> => test.http.get('/');

  it('F02, F115: nobody listens: 503 with a time to try again', async () => {
    await isServed();
    database.proxy.refuse();
    await withoutConnections();
    await isTold(503, read());
    await database.proxy.heal();
    await isServed();
  });

  it('F04: something that is no database answers: 503 with a time to try again', async () => {
    await isServed();
    database.proxy.refuse();
    await withoutConnections();
    const other = createServer((socket) => {
      socket.on('error', () => undefined);
      socket.end('HTTP/1.1 400 Bad Request\r\n\r\n', () => socket.destroy());
    });
    await new Promise<void>((resolve) => other.listen(database.proxy.port, '127.0.0.1', resolve));
    await isTold(503, read());
    expect(engineOf(test.dataSource).status()).toMatchObject({ total: 0, active: 0, waiting: 0 });
    await new Promise((resolve) => other.close(resolve));
    await database.proxy.heal();
    await isServed();
  });

  it('F05: no more connections for this user: 503 with a time to try again', async () => {
    const limit = (count: number): Promise<unknown> =>
      database.ask(
        isMariadb
          ? `GRANT USAGE ON *.* TO ${database.user} WITH MAX_USER_CONNECTIONS ${Math.max(count, 0)}`
          : `ALTER ROLE ${database.user} CONNECTION LIMIT ${count}`,
      );
    await isServed();
    // MariaDB counts connections that were made under the limit.
    await limit(1);
    await withoutConnections();
    const work = test.http.post('/').then((response) => response);
    await inHandler.promise;
    await isTold(503, read());
    await limit(-1);
    await isServed();
    goOn.resolve();
    expect((await work).status).toBe(201);
    expect(await texts(test.dataSource)).toHaveLength(2);
  });

  it('F39: the user is not let in any more: 500; who has a connection goes on', async () => {
    const allow = (isLetIn: boolean): Promise<unknown> => {
      if (isMariadb)
        return database.ask(`ALTER USER ${database.user} IDENTIFIED BY '${isLetIn ? '' : 'new'}'`);
      return database.ask(`ALTER ROLE ${database.user} ${isLetIn ? 'LOGIN' : 'NOLOGIN'}`);
    };
    await isServed();
    const work = test.http.post('/').then((response) => response);
    await inHandler.promise;
    await allow(false);
    await isTold(500, read());
    goOn.resolve();
    expect((await work).status).toBe(201);
    await allow(true);
    expect(await texts(test.dataSource)).toHaveLength(2);
  });

  it('F08: the connection is lost in the middle of a handler: 500, and nothing is stored', async () => {
    const work = test.http.post('/').then((response) => response);
    await inHandler.promise;
    database.proxy.cut();
    goOn.resolve();
    await isTold(500, work);
    expect(await texts(test.dataSource)).toEqual([]);
  });

  it('F46: the connection is lost at BEGIN: 503 with a time to try again', async () => {
    await isServed();
    void database.proxy.cutBefore('START TRANSACTION');
    await isTold(503, read());
    await isServed();
  });

  it('F42: the handler throws: its own status, and nothing is stored', async () => {
    await test.http.post('/refused').expect(404, /no such account/);
    expect(await texts(test.dataSource)).toEqual([]);
  });
});

onEach(['postgres'], (database) => {
  it('F44: COMMIT is refused after the handler had succeeded: 500, not its 201', async () => {
    const { dataSource, http } = await startApp(database, { controllers: [NotesController] });
    await dataSource.query('CREATE TABLE parent (id INT PRIMARY KEY)');
    await dataSource.query('CREATE TABLE child (parent INT REFERENCES parent DEFERRABLE INITIALLY DEFERRED)');
    const { status, text } = await http.post('/deferred');
    expect(status).toBe(500);
    expect(text).not.toMatch(/child|parent|stored/);
    expect(await dataSource.query('SELECT * FROM child')).toEqual([]);
  });
});
