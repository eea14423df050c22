/** Traps of plain TypeORM that lose data or connections: each is shown there first, and then its absence here. */
import { createConnection } from 'mysql2/promise';
import { PendingRollbackError, PoolTimeoutError } from 'nestjs-scoped-session';
import { describe, expect, it } from 'vitest';
import { onEach, SERVERS, type TestDatabase, useDatabase } from '../support/databases.js';
import { Note } from '../support/note.js';
import { hangs, onPlain } from '../support/on-plain.js';
import { ours, texts } from '../support/plain-and-ours.js';
import { StatementLog } from '../support/statement-log.js';
import { signal, waitUntil } from '../support/wait-until.js';

const insert = (text: string): string => `INSERT INTO note (text) VALUES ('${text}')`;

/** What others see: asked from another connection. */
async function seen(database: TestDatabase): Promise<string[]> {
  return (await database.ask<Note>('SELECT text FROM note ORDER BY id')).map(({ text }) => text);
}

onEach(SERVERS, (database) => {
  describe('5.A.3: a connection that goes back with an open transaction (typeorm#3919)', () => {
    it('on plain TypeORM: the next one who borrows it commits the abandoned row', () =>
      onPlain(database, { poolSize: 1 }, async (dataSource) => {
        const forgetful = dataSource.createQueryRunner();
        await forgetful.startTransaction();
        await forgetful.query(insert('abandoned'));
        await forgetful.release();
        await dataSource.transaction(async (manager) => manager.query(insert('of the next')));
        expect(await texts(dataSource)).toEqual(['abandoned', 'of the next']);
      }));

    it('here: what is left open is rolled back before the connection goes back', async () => {
      const { session, dataSource } = await ours(database, { poolSize: 1 });
      const forgetful = session.sessionFactory.create();
      await forgetful.execute(insert('abandoned'));
      await forgetful.close();
      await session.run(() => session.execute(insert('of the next')));
      expect(await texts(dataSource)).toEqual(['of the next']);
    });
  });

  describe('5.A.2: release() while the connection is still on its way', () => {
    it('on plain TypeORM: the connection is lost for ever', () =>
      onPlain(database, { poolSize: 1 }, async (dataSource) => {
        const runner = dataSource.createQueryRunner();
        const connecting = runner.connect();
        await runner.release();
        await connecting;
        expect(await hangs(dataSource.query('SELECT 1'))).toBe(true);
      }));

    it('here: it goes back when it arrives', async () => {
      const { session } = await ours(database, { poolSize: 1 });
      const gone = session.sessionFactory.create();
      const statement = gone.execute('SELECT 1');
      await gone.invalidate();
      await expect(statement).rejects.toThrow('invalidated');
      expect(await session.run(() => session.scalar('SELECT 1'))).toBeTruthy();
    });
  });

  describe('5.A.4: await using', () => {
    it('on plain TypeORM: a query runner commits although an error passes through', () =>
      onPlain(database, {}, async (dataSource) => {
        const work = async (): Promise<void> => {
          const runner = dataSource.createQueryRunner();
          try {
            await runner.startTransaction();
            await runner.query(insert('half'));
            throw new Error('no');
          } finally {
            await runner[Symbol.asyncDispose]();
          }
        };
        await expect(work()).rejects.toThrow('no');
        expect(await texts(dataSource)).toEqual(['half']);
      }));

    it('here: a session rolls back', async () => {
      const { session, dataSource } = await ours(database);
      const work = async (): Promise<void> => {
        const own = session.sessionFactory.create();
        try {
          await own.execute(insert('half'));
          throw new Error('no');
        } finally {
          await own[Symbol.asyncDispose]();
        }
      };
      await expect(work()).rejects.toThrow('no');
      expect(await texts(dataSource)).toEqual([]);
    });
  });

  describe('5.A.7: an exhausted pool', () => {
    it('on plain TypeORM: everybody waits for ever', () =>
      onPlain(database, { poolSize: 1 }, async (dataSource) => {
        const holder = dataSource.createQueryRunner();
        await holder.connect();
        const waiting = dataSource.query('SELECT 1');
        expect(await hangs(waiting)).toBe(true);
        await holder.release();
        await waiting;
      }));

    it('here: a unit of work gets an error with the counters, and the pool is whole again', async () => {
      const { session } = await ours(database, { poolSize: 1 });
      const held = signal();
      const holder = session.run(async () => {
        await session.execute('SELECT 1');
        await held.promise;
      });
      const waiting = session.run(() => session.execute('SELECT 1'));
      await expect(waiting).rejects.toThrow(PoolTimeoutError);
      held.resolve();
      await holder;
      expect(await session.run(() => session.scalar('SELECT 1'))).toBeTruthy();
    });
  });

  describe('parallel transactions inside a transaction (typeorm#11404)', () => {
    it('on plain TypeORM: their savepoints collide, and everything is lost', () =>
      onPlain(database, {}, async (dataSource) => {
        const work = dataSource.transaction(async (manager) => {
          await Promise.all(
            ['a', 'b', 'c'].map((text) => manager.transaction(async (inner) => inner.insert(Note, { text }))),
          );
        });
        await expect(work).rejects.toThrow(/savepoint/i);
        expect(await seen(database), 'nothing is stored').toEqual([]);
        // And the connection went back to the pool in the middle of it all: the next one finds its rows, or its failure.
        const next = dataSource.query<Note[]>('SELECT text FROM note ORDER BY id');
        const found = await next.then(
          (rows) => rows.map(({ text }) => text),
          (error: Error) => error.message,
        );
        expect(found).toEqual(
          database.kind === 'postgres'
            ? 'current transaction is aborted, commands ignored until end of transaction block'
            : ['a', 'b', 'c'],
        );
      }));

    it('here: they take turns', async () => {
      const { session, dataSource } = await ours(database);
      await session.run(() =>
        Promise.all(
          ['a', 'b', 'c'].map((text) =>
            dataSource.transaction(async (inner) => inner.insert(Note, { text })),
          ),
        ),
      );
      expect(await texts(dataSource)).toEqual(['a', 'b', 'c']);
    });
  });

  describe('a write that outlives the transaction (typeorm#4446)', () => {
    const log = new StatementLog();

    it('on plain TypeORM: what waits behind the ROLLBACK is stored', () =>
      onPlain(database, { logger: log }, async (dataSource) => {
        const runner = dataSource.createQueryRunner();
        await runner.startTransaction();
        await runner.query(insert('first'));
        const rollback = runner.rollbackTransaction();
        await waitUntil('ROLLBACK is sent', () => log.statements.some(({ sql }) => sql === 'ROLLBACK'));
        const late = runner.query(insert('by a sibling'));
        await Promise.all([rollback, late]);
        await runner.release();
        expect(await texts(dataSource)).toEqual(['by a sibling']);
      }));

    it('here: it is refused', async () => {
      const { session, dataSource } = await ours(database);
      let late: Promise<unknown> | undefined;
      const work = session.run(async (own) => {
        await own.execute(insert('first'));
        late = new Promise(setImmediate).then(() => own.execute(insert('by a sibling')));
        late.catch(() => undefined);
        throw new Error('no');
      });
      await expect(work).rejects.toThrow('no');
      await expect(late).rejects.toThrow('has ended');
      expect(await texts(dataSource)).toEqual([]);
    });
  });

  describe('5.A.8: a subscriber that fails after the commit', () => {
    const broken = {
      afterTransactionCommit: (): void => {
        throw new Error('the mail could not be sent');
      },
    };

    it('on plain TypeORM: the caller is told that the work failed, and it is stored', () =>
      onPlain(database, {}, async (dataSource) => {
        dataSource.subscribers.push(broken);
        const work = dataSource.transaction(async (manager) => manager.insert(Note, { text: 'stored' }));
        await expect(work).rejects.toThrow('the mail');
        expect(await texts(dataSource)).toEqual(['stored']);
      }));

    it('here: the caller is told the truth, the failure is reported', async () => {
      const { session, dataSource, warnings } = await ours(database);
      dataSource.subscribers.push(broken);
      await session.run(() => session.manager.insert(Note, { text: 'stored' }));
      expect(await texts(dataSource)).toEqual(['stored']);
      expect(warnings.join()).toContain('the mail');
    });
  });

  describe('preload inside a transaction (typeorm PR#10185)', () => {
    it('on plain TypeORM: it looks outside, and does not see the row', () =>
      onPlain(database, {}, async (dataSource) => {
        await dataSource.transaction(async (manager) => {
          const { id } = await manager.save(manager.create(Note, { text: 'new' }));
          expect(await manager.preload(Note, { id, text: 'changed' })).toBeUndefined();
        });
      }));

    it('here: it looks inside', async () => {
      const { session } = await ours(database);
      await session.run(async ({ manager }) => {
        const { id } = await manager.save(manager.create(Note, { text: 'new' }));
        expect(await manager.preload(Note, { id, text: 'changed' })).toEqual({ id, text: 'changed' });
      });
    });
  });
});

onEach(['postgres'], (database) => {
  describe('5.A.5, 5.D.3: an error that was swallowed on PostgreSQL', () => {
    const swallow = async (query: (sql: string) => Promise<unknown>): Promise<void> => {
      await query(insert('stored?'));
      await query('SELECT * FROM no_such_table').catch(() => undefined);
    };

    it('on plain TypeORM: the commit succeeds, and stores nothing', () =>
      onPlain(database, {}, async (dataSource) => {
        await dataSource.transaction((manager) => swallow((sql) => manager.query(sql)));
        expect(await texts(dataSource)).toEqual([]);
      }));

    it('here: the commit fails', async () => {
      const { session, dataSource } = await ours(database);
      await expect(session.run(() => swallow((sql) => session.query(sql)))).rejects.toThrow(
        PendingRollbackError,
      );
      expect(await texts(dataSource)).toEqual([]);
    });

    it('here: a savepoint saves the rest', async () => {
      const { session, dataSource } = await ours(database);
      await session.run(async () => {
        await session.execute(insert('stored'));
        await session
          .beginNested(() => session.execute('SELECT * FROM no_such_table'))
          .catch(() => undefined);
      });
      expect(await texts(dataSource)).toEqual(['stored']);
    });
  });
});

onEach(['mariadb'], (database) => {
  describe('5.A.6: a deadlock that was swallowed', () => {
    /** Another client takes b, then wants a; having changed more, it is not the victim. */
    async function opponent(): Promise<{ wantA(): Promise<unknown>; end(): Promise<void> }> {
      const {
        host,
        port,
        username: user,
        database: name,
      } = database.options() as unknown as Record<string, string>;
      const connection = await createConnection({
        host: host!,
        port: Number(port),
        user: user!,
        database: name!,
      });
      await connection.beginTransaction();
      const filler = Array.from({ length: 200 }, (_, n) => `('filler ${n}')`).join();
      await connection.query(`INSERT INTO note (text) VALUES ${filler}`);
      await connection.query('UPDATE note SET text = text WHERE id = 2');
      return {
        wantA: () => connection.query('UPDATE note SET text = text WHERE id = 1'),
        end: async () => {
          await connection.rollback();
          await connection.end();
        },
      };
    }

    /** Waits until the server says that somebody of ours waits for a lock. */
    const untilItWaits = (): Promise<void> =>
      waitUntil('the opponent waits', async () => {
        const [engine] = await database.ask<{ Status: string }>('SHOW ENGINE INNODB STATUS');
        const transactions = engine!.Status.split('---TRANSACTION');
        return transactions.some((one) => one.includes('LOCK WAIT') && one.includes(database.user));
      });

    it('on plain TypeORM: what follows is stored one by one, and survives the rollback', () =>
      onPlain(database, {}, async (dataSource) => {
        await dataSource.query("INSERT INTO note (text) VALUES ('a'), ('b')");
        const other = await opponent();
        const runner = dataSource.createQueryRunner();
        await runner.startTransaction();
        await runner.query("UPDATE note SET text = 'a' WHERE id = 1");
        const waiting = other.wantA();
        await untilItWaits();
        await expect(runner.query('UPDATE note SET text = text WHERE id = 2')).rejects.toThrow(/deadlock/i);
        await runner.query(insert('autocommitted'));
        await runner.rollbackTransaction();
        await runner.release();
        await waiting;
        await other.end();
        expect(await texts(dataSource)).toEqual(['a', 'b', 'autocommitted']);
      }));

    it('here: what follows is refused', async () => {
      const { session, dataSource } = await ours(database);
      await dataSource.query("INSERT INTO note (text) VALUES ('a'), ('b')");
      const other = await opponent();
      const work = session.run(async () => {
        await session.execute("UPDATE note SET text = 'a' WHERE id = 1");
        const waiting = other.wantA();
        await untilItWaits();
        await expect(session.execute('UPDATE note SET text = text WHERE id = 2')).rejects.toThrow(
          /deadlock/i,
        );
        await waiting;
        await session.execute(insert('would autocommit'));
      });
      await expect(work).rejects.toThrow(PendingRollbackError);
      await other.end();
      expect(await texts(dataSource)).toEqual(['a', 'b']);
    });
  });
});

describe.each(['sqljs', 'better-sqlite3'] as const)(
  '5.A.1: %s, where all share one connection (typeorm#307, typeorm#1884)',
  (kind) => {
    const database = useDatabase(kind);

    it('on plain TypeORM: a transaction is told that it committed, and is lost with another one', () =>
      onPlain(database, {}, async (dataSource) => {
        const [first, second] = [signal(), signal()];
        const fails = dataSource.transaction(async (manager) => {
          await manager.insert(Note, { text: 'of the one that fails' });
          first.resolve();
          await second.promise;
          throw new Error('no');
        });
        await first.promise;
        await dataSource.transaction(async (manager) => manager.insert(Note, { text: 'told: committed' }));
        second.resolve();
        await expect(fails).rejects.toThrow('no');
        expect(await texts(dataSource)).toEqual([]);
      }));

    it('here: units of work take turns, plain repositories included', async () => {
      const { session, dataSource } = await ours(database);
      const [first, second] = [signal(), signal()];
      const fails = session.run(async () => {
        await session.manager.insert(Note, { text: 'of the one that fails' });
        first.resolve();
        await second.promise;
        throw new Error('no');
      });
      await first.promise;
      const commits = session.run(() => session.manager.insert(Note, { text: 'of a unit of work' }));
      const plain = dataSource.getRepository(Note).insert({ text: 'of a plain repository' });
      const plainTransaction = dataSource.transaction(async (manager) =>
        manager.insert(Note, { text: 'of a plain transaction' }),
      );
      second.resolve();
      await expect(fails).rejects.toThrow('no');
      await Promise.all([commits, plain, plainTransaction]);
      expect(await texts(dataSource)).toEqual([
        'of a unit of work',
        'of a plain repository',
        'of a plain transaction',
      ]);
    });
  },
);
