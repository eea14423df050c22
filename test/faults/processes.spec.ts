/** A process of the application that is killed, or has no file left to open: in a process of its own. */
import { describe, expect, it } from 'vitest';
import { Books, type Told } from '../support/books.js';
import { onEach, SERVERS, useDatabase } from '../support/databases.js';
import { throughProxy } from '../support/faulty-database.js';
import { Program } from '../support/program.js';
import { waitUntil } from '../support/wait-until.js';

const START_MS = 15_000;

describe('F126: a process that is killed (SIGKILL) in the middle of a COMMIT', () => {
  const database = throughProxy(useDatabase('mariadb'));

  it.each([
    [
      'that the server never sees',
      (died: () => void) =>
        database.proxy.once('COMMIT', (connection) => {
          died();
          connection.cut();
        }),
    ],
    ['that is on its way', (died: () => void) => database.proxy.once('COMMIT', died)],
    [
      'whose answer is on its way',
      async (died: () => void) => {
        await database.proxy.once('COMMIT', ({ toClient }) => {
          toClient.onData = died;
        });
      },
    ],
  ])('%s leaves no transaction open, and books that fit', async (_when, killAt) => {
    const program = new Program('test/fixtures/moves-money.ts', database.options({ poolSize: 6 }));
    const told = (): string[][] => program.lines.map((line) => line.split(' '));
    await waitUntil('it moves money', () => told().filter(([, one]) => one === 'ok').length > 20, START_MS);
    await killAt(() => program.kill());
    expect(await program.ended()).toMatchObject({ signal: 'SIGKILL' });
    await waitUntil('the server has noticed', async () => (await connections()).length === 0);
    expect(await openTransactions()).toEqual([]);
    const books = new Books(database);
    for (const [request, one] of told()) books.write(request!, one as Told);
    expect(books.counts().nothing, 'whoever was not told yet').toBeGreaterThan(0);
    expect(await books.wrong()).toEqual([]);
    // No lock was left behind.
    expect(await database.ask('SELECT id FROM account FOR UPDATE NOWAIT')).toHaveLength(5);
  });

  function connections(): Promise<unknown[]> {
    return database.ask(`SELECT id FROM information_schema.processlist WHERE user = '${database.user}'`);
  }

  function openTransactions(): Promise<unknown[]> {
    return database.ask(
      `SELECT trx_id FROM information_schema.innodb_trx t JOIN information_schema.processlist p
      ON p.id = t.trx_mysql_thread_id WHERE p.user = '${database.user}'`,
    );
  }
});

onEach(SERVERS, (database) => {
  it('F125: a connection that needs a file where none is left fails as one that is refused; others go on, and later it is had', async () => {
    const program = new Program('test/fixtures/has-few-files.ts', database.options({ poolSize: 2 }), 128);
    expect(await program.ended()).toEqual({ code: 0, signal: null, errors: '' });
    expect(program.lines.map((line) => JSON.parse(line) as unknown)).toEqual([
      { open: 1 },
      { code: 'SS_ERR_CONNECTION_UNAVAILABLE', cause: 'EMFILE', retryable: true, old: 1 },
      { later: [1, 1] },
      { limit: 2, total: 2, active: 0, idle: 2, waiting: 0 },
    ]);
  });
});
