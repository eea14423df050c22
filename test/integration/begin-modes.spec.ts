/** When a transaction begins: by name, with its first statement, or at the first write. */
import { Controller, Get } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import {
  BEGIN_MODES,
  createEngine,
  ScopedSession,
  ScopedSessionModule,
  type SessionBase,
  sessionFactory,
  SessionOptions,
} from 'nestjs-scoped-session';
import { Column, DataSource, Entity, PrimaryGeneratedColumn } from 'typeorm';
import { describe, expect, it } from 'vitest';
import { engineOf } from '../../src/engine/index.js';
import { serve } from '../support/boot.js';
import { KINDS, onEach, SERVERS, type TestDatabase } from '../support/databases.js';
import { type Ours, ours } from '../support/plain-and-ours.js';
import { StatementLog } from '../support/statement-log.js';

const INSERT = 'INSERT INTO tally (n) VALUES (1)';
const READ = 'SELECT COUNT(*) FROM tally';

@Entity('tally')
class Tally {
  @PrimaryGeneratedColumn()
  id!: number;

  @Column()
  n!: number;
}

const tallies = { entities: [Tally], synchronize: true, dropSchema: true };
const stored = (dataSource: DataSource): Promise<number> => dataSource.getRepository(Tally).count();

interface Logged extends Ours {
  sent(): string[];
}

async function logged(
  database: TestDatabase,
  factory: Parameters<typeof ours>[2] = {},
  more: Record<string, unknown> = {},
): Promise<Logged> {
  const log = new StatementLog();
  const test = await ours(database, { poolSize: 1, logger: log, entities: [Tally], ...more }, factory);
  log.take();
  return { ...test, sent: () => log.take().map(({ sql }) => sql) };
}

onEach(['mariadb'], (database) => {
  describe("begin: 'implicit'", () => {
    const implicit = (): Promise<Logged> => logged(database, { begin: 'implicit' });

    it('sends no BEGIN: autocommit is taken from the connection, once', async () => {
      const { session, sent } = await implicit();
      for (let round = 0; round < 2; round += 1) await session.run(() => session.execute(INSERT));
      expect(sent()).toEqual(['SET autocommit = 0', INSERT, 'COMMIT', INSERT, 'COMMIT']);
    });

    it('keeps all or nothing: what is rolled back is gone, what is not committed is not seen', async () => {
      const { session, dataSource } = await implicit();
      const work = session.run(async () => {
        await session.scalar(READ);
        await session.execute(INSERT);
        expect(await database.ask('SELECT * FROM tally')).toEqual([]);
        throw new Error('changed its mind');
      });
      await expect(work).rejects.toThrow('changed its mind');
      expect(await stored(dataSource)).toBe(0);
    });

    it('reads in one snapshot, as with a BEGIN', async () => {
      const { session } = await implicit();
      await session.run(async () => {
        expect(Number(await session.scalar(READ))).toBe(0);
        await database.ask(INSERT);
        expect(Number(await session.scalar(READ))).toBe(0);
      });
      expect(Number(await session.run(() => session.scalar(READ)))).toBe(1);
    });

    it('gives autocommit back before anybody else has the connection: what they write is stored', async () => {
      const { session, dataSource, sent } = await implicit();
      await session.run(() => session.execute(INSERT));
      sent();
      await dataSource.query(INSERT);
      await dataSource.getRepository(Tally).insert({ n: 2 });
      const raw = await engineOf(dataSource).rawConnection();
      await raw.query(INSERT);
      await raw.close();
      await session.run(() => session.execute(INSERT));
      expect(await database.ask('SELECT * FROM tally')).toHaveLength(5);
    });

    it('gives nothing without autocommit to the driver when the engine goes and the DataSource stays', async () => {
      const options = database.options({
        entities: [Tally],
        synchronize: true,
        dropSchema: true,
        poolSize: 1,
      });
      const dataSource = await new DataSource(options).initialize();
      database.watch({ dataSource, close: () => dataSource.destroy() });
      const engine = createEngine(dataSource);
      await sessionFactory(engine, { begin: 'implicit' }).begin((one) => one.execute(INSERT));
      await engine.dispose();
      await dataSource.query(INSERT);
      expect(await database.ask('SELECT * FROM tally')).toHaveLength(2);
    });

    it('takes a level for one transaction, and begins a read-only one by name', async () => {
      const { session, sent } = await implicit();
      await session.run(() => session.execute(INSERT), { isolation: 'SERIALIZABLE' });
      await session.run(() => session.scalar(READ), { readOnly: true });
      await session.run(() => session.execute(INSERT), { begin: 'explicit' });
      const level = 'SET TRANSACTION ISOLATION LEVEL SERIALIZABLE';
      const named = ['START TRANSACTION', INSERT, 'COMMIT'];
      const implied = ['SET autocommit = 0', level, INSERT, 'COMMIT'];
      const readOnly = ['START TRANSACTION READ ONLY', READ, 'COMMIT'];
      expect(sent()).toEqual([...implied, ...readOnly, ...named]);
    });

    it('takes autocommit again from a connection that was reset', async () => {
      const { session, dataSource, sent } = await implicit();
      engineOf(dataSource).configure({ resetOnReturn: 'reset' });
      for (let round = 0; round < 2; round += 1) await session.run(() => session.execute(INSERT));
      expect(sent().filter((sql) => sql.startsWith('SET'))).toHaveLength(2);
      await dataSource.query(INSERT);
      expect(await database.ask('SELECT * FROM tally')).toHaveLength(3);
    });

    it('sees a transaction that was lost: nothing is stored by what comes after it', async () => {
      const { session, dataSource } = await implicit();
      const work = session.run(async () => {
        await session.execute(INSERT);
        await session.execute('CREATE TABLE made (id INT)');
        await session.execute(INSERT);
      });
      await expect(work).rejects.toMatchObject({ code: 'SS_ERR_PENDING_ROLLBACK', outcome: 'unknown' });
      expect(await stored(dataSource)).toBe(1);
      await dataSource.query('DROP TABLE made');
    });
  });
});

onEach(['postgres', 'sqljs'], (database) => {
  it("begin: 'implicit' is refused, and nothing is sent", async () => {
    const { session, sent } = await logged(database);
    const refused = /begin 'implicit' does not exist on (postgres|sqlite): use explicit or firstWrite/;
    expect(() => sessionFactory(session.sessionFactory.engine, { begin: 'implicit' })).toThrow(refused);
    await expect(session.run(() => session.scalar('SELECT 1'), { begin: 'implicit' })).rejects.toThrow(
      refused,
    );
    expect(sent()).toEqual([]);
  });
});

onEach(KINDS, (database) => {
  it('begins that nobody knows are refused', async () => {
    const { session } = await logged(database);
    expect(() => sessionFactory(session.sessionFactory.engine, { begin: 'late' as 'explicit' })).toThrow(
      `must be one of ${BEGIN_MODES.map((mode) => JSON.stringify(mode)).join(', ')}`,
    );
  });

  describe("begin: 'firstWrite'", () => {
    const atFirstWrite = (): Promise<Logged> =>
      logged(database, { begin: 'firstWrite', unrepeatableReads: true });
    /** What was sent, with every BEGIN under one name. */
    const told = (sent: string[]): string[] =>
      sent.map((sql) => (/^(START TRANSACTION|BEGIN)/.test(sql) ? 'BEGIN' : sql));

    it('is refused where reads would change unasked, before anything is sent', async () => {
      const { session, sent } = await logged(database);
      const { engine } = session.sessionFactory;
      const refused = /Set isolation to 'READ COMMITTED', or accept it with unrepeatableReads: true/;
      expect(() => sessionFactory(engine, { begin: 'firstWrite' })).toThrow(refused);
      const work = session.run(() => session.scalar(READ), { begin: 'firstWrite' });
      await expect(work).rejects.toThrow(refused);
      expect(sent()).toEqual([]);
    });

    it('sends what only reads by itself: no BEGIN, no COMMIT, no ROLLBACK', async () => {
      const { session, sent } = await atFirstWrite();
      await session.run(async () => {
        await session.scalar(READ);
        await session.getRepository(Tally).find();
      });
      await expect(
        session.run(async () => {
          await session.scalar(READ);
          throw new Error('changed its mind');
        }),
      ).rejects.toThrow('changed its mind');
      expect(sent().filter((sql) => !sql.startsWith('SELECT'))).toEqual([]);
    });

    it('begins at the first write, and keeps that and all that follows or none of it', async () => {
      const { session, dataSource, sent } = await atFirstWrite();
      await session.run(async () => {
        await session.scalar(READ);
        await session.execute(INSERT);
        await session.scalar(READ);
      });
      expect(told(sent())).toEqual([READ, 'BEGIN', INSERT, READ, 'COMMIT']);
      const work = session.run(async () => {
        await session.scalar(READ);
        await session.execute(INSERT);
        throw new Error('changed its mind');
      });
      await expect(work).rejects.toThrow('changed its mind');
      expect(await stored(dataSource)).toBe(1);
    });

    it.each<[string, (session: SessionBase) => Promise<unknown>]>([
      ['a savepoint', (session) => session.beginNested(() => session.scalar(READ))],
      ['TypeORM’s transaction()', (session) => session.manager.transaction((manager) => manager.query(READ))],
      ['the driver’s connection', (session) => session.connection()],
      ['two statements in one text', (session) => session.query(`${READ}; ${READ}`).catch(() => undefined)],
    ])('begins before %s', async (_name, use) => {
      const { session, sent } = await atFirstWrite();
      const one = session.sessionFactory.create();
      await one.scalar(READ);
      await use(one);
      await one.rollback();
      expect(told(sent()).slice(0, 2)).toEqual([READ, 'BEGIN']);
    });

    it('goes on after a read that failed, as its database does', async () => {
      const { session } = await atFirstWrite();
      const one = session.sessionFactory.create();
      await expect(one.scalar('SELECT 1 FROM nowhere')).rejects.toThrow('nowhere');
      await one.rollback();
      expect(Number(await one.scalar(READ))).toBe(0);
      await one.close();
    });
  });
});

onEach(SERVERS, (database) => {
  const isolation = 'READ COMMITTED';

  it("begin: 'firstWrite' needs no second word at READ COMMITTED", async () => {
    const { session, sent } = await logged(database, { begin: 'firstWrite', isolation });
    await session.run(async () => {
      await session.scalar(`${READ} FOR UPDATE`.replace('COUNT(*)', 'id'));
    });
    expect(sent().some((sql) => sql.startsWith('START TRANSACTION'))).toBe(true);
  });
});

onEach(['mariadb'], (database) => {
  const isolation = 'READ COMMITTED';

  it("begin: 'firstWrite' streams without a transaction", async () => {
    const { session, sent } = await logged(database, { begin: 'firstWrite', isolation });
    await session.run(() => session.execute(INSERT));
    sent();
    const one = session.sessionFactory.create();
    const rows: unknown[] = [];
    for await (const row of await one.queryRunner.stream('SELECT n FROM tally')) rows.push(row);
    expect(rows).toEqual([{ n: 1 }]);
    await one.commit();
    expect(sent()).toEqual(['SELECT n FROM tally']);
  });
});

onEach(SERVERS, (database) => {
  it('the engine’s isolation is set once for each connection, for plain statements too', async () => {
    const { session, dataSource, sent } = await logged(database, {}, { isolationLevel: 'SERIALIZABLE' });
    for (let round = 0; round < 2; round += 1) await session.run(() => session.scalar(READ));
    const usual = ['START TRANSACTION', READ, 'COMMIT'];
    expect(sent()).toEqual([...usual, ...usual]);
    const level =
      database.kind === 'mariadb' ? 'SELECT @@tx_isolation AS level' : 'SHOW transaction_isolation';
    const answer = JSON.stringify(await dataSource.query(level)).toUpperCase();
    expect(answer).toContain('SERIALIZABLE');
  });

  it('an isolation that is configured later replaces the connections that were opened without it', async () => {
    const { session, dataSource } = await logged(database);
    await session.run(() => session.scalar(READ));
    engineOf(dataSource).configure({ isolation: 'SERIALIZABLE' });
    const level = database.kind === 'mariadb' ? 'SELECT @@tx_isolation' : 'SHOW transaction_isolation';
    expect(String(await session.run(() => session.scalar(level))).toUpperCase()).toBe('SERIALIZABLE');
  });

  it('another level than the engine’s is set for one transaction', async () => {
    const { session, sent } = await logged(database, {}, { isolationLevel: 'SERIALIZABLE' });
    await session.run(() => session.scalar(READ), { isolation: 'READ COMMITTED' });
    await session.run(() => session.scalar(READ), { isolation: 'SERIALIZABLE' });
    expect(sent().filter((sql) => sql.includes('READ COMMITTED'))).toHaveLength(1);
    expect(sent().filter((sql) => sql.includes('SERIALIZABLE'))).toEqual([]);
  });
});

onEach(['mariadb'], (database) => {
  @Controller('tallies')
  class TallyController {
    constructor(private readonly session: ScopedSession) {}

    @Get()
    count(): Promise<unknown> {
      return this.session.scalar(READ);
    }

    @Get('late')
    @SessionOptions({ begin: 'firstWrite' })
    late(): Promise<unknown> {
      return this.session.scalar(READ);
    }
  }

  it('forRoot says how an application begins, and a handler how it does itself', async () => {
    const log = new StatementLog();
    const { http } = await serve(database, {
      imports: [
        TypeOrmModule.forRoot(database.options({ ...tallies, logger: log })),
        ScopedSessionModule.forRoot({ begin: 'implicit', isolation: 'READ COMMITTED', poolSize: 1 }),
      ],
      controllers: [TallyController],
    });
    await http.get('/tallies').expect(200);
    log.take();
    await http.get('/tallies').expect(200);
    expect(log.take().map(({ sql }) => sql)).toEqual([READ, 'COMMIT']);
    await http.get('/tallies/late').expect(200);
    expect(log.take().map(({ sql }) => sql)).toEqual([READ]);
  });
});

onEach(['sqljs'], (database) => {
  it('forRoot refuses a begin that would change what is read', async () => {
    const app = serve(database, {
      imports: [
        TypeOrmModule.forRoot(database.options(tallies)),
        ScopedSessionModule.forRoot({ begin: 'firstWrite' }),
      ],
    });
    await expect(app).rejects.toThrow('unrepeatableReads: true');
  });
});
