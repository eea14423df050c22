/** Faults of the network between the application and its database, at any moment but the COMMIT. */
import { ScopeTimeoutError, SessionClosedError } from 'nestjs-scoped-session';
import { QueryFailedError } from 'typeorm';
import { describe, expect, it } from 'vitest';
import { engineOf } from '../../src/engine/index.js';
import { onEach, SERVERS } from '../support/databases.js';
import { throughProxy } from '../support/faulty-database.js';
import { Ledger } from '../support/ledger.js';
import { connectionId, kill, type Ours, ours, texts } from '../support/plain-and-ours.js';
import { waitUntil } from '../support/wait-until.js';

onEach(SERVERS, (shared) => {
  const database = throughProxy(shared);
  const insert = 'INSERT INTO note (text) VALUES (:text)';

  /** I11: whoever comes next is served. */
  const isServed = async ({ session }: Ours): Promise<void> => {
    expect(Number(await session.run(() => session.scalar('SELECT 1')))).toBe(1);
  };

  describe('a connection that is lost', () => {
    it('F06: while it is idle is noticed by nobody', async () => {
      const test = await ours(database, { poolSize: 1 });
      await kill(database, await test.session.run(() => connectionId(test.session)));
      await waitUntil('the pool has noticed', () => engineOf(test.dataSource).status().total === 0);
      await isServed(test);
    });

    it('F06: while it is idle, and says nothing of it, is asked and replaced before anybody meets it', async () => {
      const test = await ours(database, { poolSize: 1 });
      engineOf(test.dataSource).configure({ poolPrePing: 'always', poolTimeoutMs: 15_000 });
      await isServed(test);
      database.proxy.strand();
      await isServed(test);
    });

    it('F08: in a transaction costs the transaction; it is destroyed, not lent again', async () => {
      const test = await ours(database, { poolSize: 1 });
      const work = test.session.run(async () => {
        await test.session.execute(insert, { text: 'lost' });
        await kill(database, await connectionId(test.session));
        await test.session.execute(insert, { text: 'lost as well' });
      });
      await expect(work).rejects.toThrow(QueryFailedError);
      expect(engineOf(test.dataSource).status().total).toBe(0);
      await isServed(test);
      expect(await texts(test.dataSource)).toEqual([]);
    });

    it('F08: says so once, and then refuses what follows, though the first error was swallowed', async () => {
      const test = await ours(database, { poolSize: 2 });
      const work = test.session.run(async () => {
        await test.session.execute(insert, { text: 'lost' });
        database.proxy.cut();
        await test.session.execute(insert, { text: 'lost as well' }).catch(() => undefined);
        await test.session.execute(insert, { text: 'not autocommitted' });
      });
      await expect(work).rejects.toMatchObject({ code: 'SS_ERR_PENDING_ROLLBACK', outcome: 'rolledBack' });
      expect(await texts(test.dataSource)).toEqual([]);
    });

    it('F10: in the middle of a result fails the statement: no half result is taken for a whole one', async () => {
      const test = await ours(database, { poolSize: 1 });
      const many = 'SELECT a.text FROM note a, note b, note c, note d';
      await test.session.run(async () => {
        for (let n = 0; n < 20; n += 1) await test.session.execute(insert, { text: `note ${n}` });
      });
      // A little of it arrives, and then nothing more.
      database.proxy.throttle(50_000);
      const cut = database.proxy.once('SELECT a.text', ({ toClient }) => {
        toClient.onData = () => void setImmediate(() => database.proxy.cut());
      });
      const work = test.session.run(() => test.session.scalars(many));
      await expect(work).rejects.toThrow(QueryFailedError);
      await cut;
      await database.proxy.heal();
      await isServed(test);
    });

    it('half-closed: one whose server has hung up costs the transaction, and the next one is served', async () => {
      const test = await ours(database, { poolSize: 1 });
      const work = test.session.run(async () => {
        await test.session.execute(insert, { text: 'lost' });
        database.proxy.halfClose();
        await test.session.execute(insert, { text: 'lost as well' });
      });
      await expect(work).rejects.toThrow(QueryFailedError);
      await isServed(test);
      expect(await texts(test.dataSource)).toEqual([]);
    });

    it('half-closed while idle: is noticed by nobody', async () => {
      const test = await ours(database, { poolSize: 1 });
      await isServed(test);
      database.proxy.halfClose();
      await waitUntil('the pool has noticed', () => engineOf(test.dataSource).status().total === 0);
      await isServed(test);
    });
  });

  describe('a network that swallows everything', () => {
    it('F12: in the middle of a statement ends with the unit of work’s own time', async () => {
      const test = await ours(database, { poolSize: 1 });
      let late: Promise<unknown> | undefined;
      const work = test.session.run(
        async () => {
          await test.session.execute(insert, { text: 'lost' });
          database.proxy.blackHole();
          late = test.session.execute(insert, { text: 'lost as well' });
          await late;
        },
        { timeoutMs: 200 },
      );
      await expect(work).rejects.toThrow(ScopeTimeoutError);
      await expect(late).rejects.toThrow(ScopeTimeoutError);
      expect(engineOf(test.dataSource).status()).toMatchObject({ total: 0, waiting: 0 });
      await database.proxy.heal();
      await isServed(test);
      expect(await texts(test.dataSource)).toEqual([]);
    });

    it('F12: refuses the handler that goes on after that', async () => {
      const test = await ours(database, { poolSize: 1 });
      let after: Promise<unknown> | undefined;
      const work = test.session.run(
        async () => {
          database.proxy.blackHole('toClient');
          await test.session.execute(insert, { text: 'lost' }).catch(() => undefined);
          after = (async () => test.session.execute(insert, { text: 'not autocommitted' }))();
          await after.catch(() => undefined);
        },
        { timeoutMs: 200 },
      );
      await expect(work).rejects.toThrow(ScopeTimeoutError);
      await waitUntil('the handler went on', () => after !== undefined);
      await expect(after).rejects.toThrow(SessionClosedError);
      await database.proxy.heal();
      await isServed(test);
      expect(await texts(test.dataSource)).toEqual([]);
    });

    it('F12: at a ROLLBACK ends with the unit of work’s own time, and the first error is told', async () => {
      const test = await ours(database, { poolSize: 1 }, { settleTimeoutMs: 100 });
      const work = test.session.run(
        async () => {
          await test.session.execute(insert, { text: 'lost' });
          database.proxy.blackHole();
          throw new Error('the first error');
        },
        { timeoutMs: 200 },
      );
      await expect(work).rejects.toThrow('the first error');
      await database.proxy.heal();
      await isServed(test);
      expect(await texts(test.dataSource)).toEqual([]);
    });
  });

  describe('a network that is slow', () => {
    it('F18: gives the same results, later', async () => {
      const test = await ours(database, { poolSize: 5 });
      engineOf(test.dataSource).configure({ poolTimeoutMs: 15_000 });
      const ledger = await Ledger.open(database, test.session);
      database.proxy.delay(2, 5);
      await Promise.all(Array.from({ length: 20 }, () => ledger.transfer()));
      expect([...new Set(ledger.told.values())]).toEqual(['ok']);
      expect(await ledger.wrong()).toEqual([]);
    });

    it('F20: holds up nobody but the one that reads much', async () => {
      const test = await ours(database, { poolSize: 2 });
      const text = database.kind === 'mariadb' ? "REPEAT('x', 100000)" : "repeat('x', 100000)";
      await isServed(test);
      database.proxy.throttle(20_000);
      const slow = test.session.run(() => test.session.scalar(`SELECT ${text}`), { timeoutMs: 500 });
      slow.catch(() => undefined);
      expect(Number(await test.session.run(() => test.session.scalar('SELECT 2')))).toBe(2);
      expect(engineOf(test.dataSource).status().active, 'the other one is not done').toBe(1);
      await expect(slow).rejects.toThrow(ScopeTimeoutError);
    });
  });

  it('F21: connections that are cut again and again under load lose no money', async () => {
    const test = await ours(database, { poolSize: 5 });
    const ledger = await Ledger.open(database, test.session);
    const flapping = (async (): Promise<true> => {
      for (let cuts = 0; cuts < 10; cuts += 1) {
        await database.proxy.once('UPDATE account', () => undefined);
        database.proxy.cut();
      }
      return true;
    })();
    for (let isOver = false; !isOver;) {
      const round = Promise.all(Array.from({ length: 10 }, () => ledger.transfer()));
      isOver = await Promise.race([flapping, round.then(() => false)]);
      await round;
    }
    expect(await ledger.transfer()).toBe('ok');
    expect(await ledger.wrong()).toEqual([]);
  });
});
