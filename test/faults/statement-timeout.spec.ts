/** A statement that takes too long: it ends on the server, its transaction with it, and who waits is told. */
import { Controller, Get } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import {
  PoolTimeoutError,
  ScopedSession,
  ScopedSessionModule,
  sessionFactory,
  StatementTimeoutError,
} from 'nestjs-scoped-session';
import { describe, expect, it } from 'vitest';
import { engineOf } from '../../src/engine/index.js';
import { serve, withNotes } from '../support/boot.js';
import { onEach, SERVERS, type TestDatabase } from '../support/databases.js';
import { throughProxy } from '../support/faulty-database.js';
import { type Ours, ours, plainDataSource, texts } from '../support/plain-and-ours.js';
import { isRunning } from '../support/running-statements.js';
import { signal, waitUntil } from '../support/wait-until.js';

const INSERT = 'INSERT INTO note (text) VALUES (:text)';

const sleep = ({ kind }: TestDatabase, seconds: number): string =>
  kind === 'mariadb' ? `SELECT SLEEP(${seconds})` : `SELECT pg_sleep(${seconds})`;

onEach(SERVERS, (database) => {
  const limited = async (statementTimeoutMs = 100): Promise<Ours> => {
    const test = await ours(database, { poolSize: 1 });
    engineOf(test.dataSource).configure({ statementTimeoutMs });
    return test;
  };
  const endless = sleep(database, 3_600);

  it('plain TypeORM waits for as long as the server works', async () => {
    const plain = await plainDataSource(database, { poolSize: 1, maxQueryExecutionTime: 50 });
    const answered = plain.query(sleep(database, 0.3));
    await expect(answered).resolves.toHaveLength(1);
    await plain.destroy();
  });

  describe('a statement that takes too long', () => {
    it('F12: is cancelled on the server, and nothing of its transaction is stored', async () => {
      const { session, dataSource } = await limited();
      const work = session.run(async () => {
        await session.execute(INSERT, { text: 'lost' });
        await session.execute(endless);
      });
      await expect(work).rejects.toThrow(StatementTimeoutError);
      await expect(work).rejects.toMatchObject({ code: 'SS_ERR_STATEMENT_TIMEOUT', outcome: 'rolledBack' });
      await waitUntil('the server has ended it', async () => !(await isRunning(database, endless)));
      expect(await texts(dataSource)).toEqual([]);
    });

    it('costs its own connection and no other', async () => {
      const { session, dataSource } = await ours(database, { poolSize: 2 });
      const engine = engineOf(dataSource);
      await Promise.all([1, 2].map(() => session.run(() => session.scalar(sleep(database, 0.01)))));
      expect(engine.status().total).toBe(2);
      engine.configure({ statementTimeoutMs: 100 });
      await expect(session.run(() => session.execute(endless))).rejects.toThrow(StatementTimeoutError);
      expect(engine.status()).toMatchObject({ total: 1, active: 0 });
    });

    it('leaves a session that refuses everything until rollback(), also where the error was swallowed', async () => {
      const { session, dataSource } = await limited();
      const work = session.run(async () => {
        await session.execute(INSERT, { text: 'lost' });
        await session.execute(endless).catch(() => undefined);
        await session.execute(INSERT, { text: 'refused' });
      });
      await expect(work).rejects.toMatchObject({ code: 'SS_ERR_PENDING_ROLLBACK', outcome: 'rolledBack' });
      expect(await texts(dataSource)).toEqual([]);
    });

    it('is told by its number and its cure, without its SQL', async () => {
      const { dataSource } = await limited();
      const label = 'the report';
      const work = sessionFactory(dataSource, { label }).begin((one) => one.execute(endless));
      await expect(work).rejects.toThrow(
        /A statement of the report took longer than 100 ms \(statementTimeoutMs\)/,
      );
      await expect(work).rejects.not.toThrow(/sleep/i);
    });

    it('gives the locks free that it waited behind', async () => {
      const { session, dataSource } = await ours(database, { poolSize: 3 });
      await session.run(() => session.execute(INSERT, { text: 'locked' }));
      engineOf(dataSource).configure({ statementTimeoutMs: 100 });
      const [isHeld, mayGo] = [signal(), signal()];
      const holder = session.run(async () => {
        await session.execute("UPDATE note SET text = 'held'");
        isHeld.resolve();
        await mayGo.promise;
      });
      await isHeld.promise;
      const late = session.run(() => session.execute("UPDATE note SET text = 'late'"));
      await expect(late).rejects.toThrow(StatementTimeoutError);
      mayGo.resolve();
      await holder;
      await session.run(() => session.execute("UPDATE note SET text = 'next'"));
      expect(await texts(dataSource)).toEqual(['next']);
    });

    it('as BEGIN, SAVEPOINT or one inside a nested block costs the same', async () => {
      const { session, dataSource } = await limited();
      const work = session.run(async () => {
        await session.execute(INSERT, { text: 'lost' });
        await session.beginNested(() => session.execute(endless)).catch(() => undefined);
        await session.execute(INSERT, { text: 'refused' });
      });
      await expect(work).rejects.toMatchObject({ code: 'SS_ERR_PENDING_ROLLBACK' });
      expect(await texts(dataSource)).toEqual([]);
    });

    it('is no reason to wait for the pool afterwards', async () => {
      const { session } = await limited();
      for (let round = 0; round < 3; round += 1) {
        // One after the other. oxlint-disable-next-line no-await-in-loop
        await expect(session.run(() => session.execute(endless))).rejects.not.toThrow(PoolTimeoutError);
      }
      expect(Number(await session.run(() => session.scalar('SELECT 1')))).toBe(1);
    });
  });

  it('a statement that is fast enough is not touched, however many there are', async () => {
    const { session } = await limited(1_000);
    await session.run(async () => {
      for (let n = 0; n < 50; n += 1) await session.execute(INSERT, { text: `note ${n}` });
    });
    expect(Number(await session.run(() => session.scalar('SELECT COUNT(*) FROM note')))).toBe(50);
  });

  it('what runs is ended on the server when its unit of work is cut short', async () => {
    const { session } = await ours(database, { poolSize: 1 });
    let statement: Promise<unknown> | undefined;
    const work = session.run(() => (statement = session.execute(endless)), { timeoutMs: 200 });
    await expect(work).rejects.toMatchObject({ code: 'SS_ERR_SCOPE_TIMEOUT' });
    await expect(statement).rejects.toMatchObject({ code: 'SS_ERR_SCOPE_TIMEOUT' });
    await waitUntil('the server has ended it', async () => !(await isRunning(database, endless)));
  });

  it('what runs is ended on the server when the session is invalidated', async () => {
    const { session } = await ours(database, { poolSize: 1 });
    const one = session.sessionFactory.create();
    const failed = one.execute(endless).catch((error: unknown) => error);
    await waitUntil('the server works on it', () => isRunning(database, endless));
    await one.invalidate();
    expect(await failed).toMatchObject({ message: expect.stringContaining('invalidated') as string });
    await waitUntil('the server has ended it', async () => !(await isRunning(database, endless)));
  });
});

onEach(SERVERS, (database) => {
  const endless = sleep(database, 3_600);

  @Controller()
  class ReportController {
    constructor(private readonly session: ScopedSession) {}

    @Get('report')
    async report(): Promise<unknown> {
      return this.session.execute(endless);
    }
  }

  it('a client is told 503, without an invitation to do it again', async () => {
    const { http } = await serve(database, {
      imports: [
        TypeOrmModule.forRoot(withNotes(database)),
        ScopedSessionModule.forRoot({ statementTimeoutMs: 100 }),
      ],
      controllers: [ReportController],
    });
    const { body, headers } = await http.get('/report').expect(503);
    const message = 'Service Unavailable';
    expect(body).toEqual({ statusCode: 503, message, error: 'SS_ERR_STATEMENT_TIMEOUT' });
    expect(headers).not.toHaveProperty('retry-after');
    await waitUntil('the server has ended it', async () => !(await isRunning(database, endless)));
  });
});

onEach(['mariadb'], (database) => {
  it('a stream ends, for its reader and on the server, when its unit of work is cut short', async () => {
    const { session } = await ours(database, { poolSize: 1 });
    const slow = 'SELECT SLEEP(3600) AS waited';
    let reading: Promise<unknown> | undefined;
    const work = session.run(
      async () => {
        const rows = await session.queryRunner.stream(slow);
        reading = rows.toArray().catch((error: unknown) => error);
        await reading;
      },
      { timeoutMs: 200 },
    );
    await expect(work).rejects.toMatchObject({ code: 'SS_ERR_SCOPE_TIMEOUT' });
    expect(await reading).toMatchObject({ code: 'SS_ERR_SCOPE_TIMEOUT' });
    await waitUntil('the server has ended it', async () => !(await isRunning(database, slow)));
  });
});

onEach(['mariadb'], (shared) => {
  const database = throughProxy(shared);

  it('nothing is killed that the server does not show as ours', async () => {
    const { session, dataSource } = await ours(database, { poolSize: 1 });
    engineOf(dataSource).configure({ statementTimeoutMs: 100 });
    // The server sees the proxy's address and port, not this process's.
    const statement = sleep(database, 1.5);
    await expect(session.run(() => session.execute(statement))).rejects.toThrow(StatementTimeoutError);
    expect(await isRunning(shared, statement)).toBe(true);
    await waitUntil('it has come to its end', async () => !(await isRunning(shared, statement)));
  });
});
