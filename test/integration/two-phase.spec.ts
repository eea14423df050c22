/** Two-phase commits: several databases are prepared before the first is committed, and what is in doubt can be found. */
import {
  InvalidOptionError,
  recoverTwoPhase,
  type ScopedSession,
  type SessionFactory,
} from 'nestjs-scoped-session';
import type { DataSource } from 'typeorm';
import { beforeEach, describe, expect, it } from 'vitest';
import { bound } from '../support/bound.js';
import { onEach, useDatabase } from '../support/databases.js';
import { Note, note } from '../support/note.js';
import { ours } from '../support/plain-and-ours.js';
import { Report, report } from '../support/reports.js';
import { waitUntil } from '../support/wait-until.js';

describe('on two databases of a MariaDB server', () => {
  const first = useDatabase('mariadb');
  const second = useDatabase('mariadb');
  let own: DataSource;
  let reporting: DataSource;
  let sent: string[];
  let sessions: SessionFactory;
  let session: ScopedSession;

  beforeEach(async () => {
    ({ own, reporting, sent, sessions, session } = await bound(first, second, { twoPhase: true }));
  });

  const ours = (): Promise<Awaited<ReturnType<typeof recoverTwoPhase>>> =>
    recoverTwoPhase([own, reporting], { olderThanMs: 0 });

  const stored = async (): Promise<string[][]> => [
    (await own.manager.find(Note, { order: { id: 'ASC' } })).map(({ text }) => text),
    (await reporting.manager.find(Report, { order: { id: 'ASC' } })).map(({ title }) => title),
  ];
  /** The words for two phases, without the names of the branches. */
  const words = (): string[] =>
    sent.filter((one) => one.includes(': XA')).map((one) => one.replace(/ '.*?',21331/, ''));
  const xids = (): string[][] =>
    [...new Set(sent.flatMap((one) => /XA \w+ ('.*',21331)/.exec(one)?.[1] ?? []))].map((xid) =>
      xid.split(','),
    );
  const both = async (): Promise<void> => session.addAll([note('n'), report('r')]);

  it('both are prepared before the first is committed', async () => {
    await session.run(both);
    expect(words()).toEqual([
      'default: XA START',
      'reporting: XA START',
      'default: XA END',
      'default: XA PREPARE',
      'reporting: XA END',
      'reporting: XA PREPARE',
      'default: XA COMMIT',
      'reporting: XA COMMIT',
    ]);
    expect(await stored()).toEqual([['n'], ['r']]);
  });

  it('the branches have the unit of work in common, and differ', async () => {
    await session.run(both);
    const [one, other] = xids() as [string[], string[]];
    expect(xids()).toHaveLength(2);
    expect(one[0]).toMatch(/^'ss\.[0-9a-f-]{36}'$/);
    expect(one[0]).toBe(other[0]);
    expect(one[1]).not.toBe(other[1]);
  });

  it('a database that is alone is committed in one phase', async () => {
    await session.run(() => session.add(note('n')));
    expect(words()).toEqual(['default: XA START', 'default: XA END', 'default: XA COMMIT ONE PHASE']);
    expect((await stored())[0]).toEqual(['n']);
  });

  it('work that fails is rolled back, and so is what was sent behind a savepoint', async () => {
    const failing = session.run(async () => {
      await both();
      await session.flush();
      throw new Error('fails');
    });
    await expect(failing).rejects.toThrow('fails');
    await session.run(async () => {
      await both();
      const inner = session.beginNested(async () => {
        session.addAll([note('undone'), report('undone')]);
        await session.flush();
        throw new Error('inner');
      });
      await expect(inner).rejects.toThrow('inner');
    });
    expect(await stored()).toEqual([['n'], ['r']]);
  });

  it('what only reads has no branch', async () => {
    await sessions.begin((one) => one.count(Note), { readOnly: true });
    expect(words()).toEqual([]);
  });

  it('isolation, and begin: implicit and firstWrite, are as without it', async () => {
    for (const begin of ['implicit', 'firstWrite'] as const) {
      const options = { begin, isolation: 'READ COMMITTED' } as const;
      // oxlint-disable-next-line no-await-in-loop
      await sessions.begin(async (one) => {
        expect(await one.count(Note)).toBe(begin === 'implicit' ? 0 : 1);
        one.addAll([note(begin), report(begin)]);
      }, options);
    }
    expect(await stored()).toEqual([
      ['implicit', 'firstWrite'],
      ['implicit', 'firstWrite'],
    ]);
  });

  it('a statement that would commit by itself is refused by the server, and the work may go on', async () => {
    await session.run(async () => {
      await both();
      await expect(session.query('CREATE TABLE other (id INT)')).rejects.toMatchObject({ errno: 1399 });
      await expect(session.query('COMMIT')).rejects.toMatchObject({ errno: 1399 });
    });
    expect(await stored()).toEqual([['n'], ['r']]);
  });

  it('XA by hand takes the transaction away', async () => {
    const one = sessions.create();
    one.add(note('n'));
    await one.flush();
    const xid = xids()[0]!.join(',');
    await one.query(`XA END ${xid}`);
    expect(one.isActive).toBe(false);
    await one.rollback();
    await one.close();
    expect((await stored())[0]).toEqual([]);
  });

  it('a deadlock is one, and the work can be run again as a whole', async () => {
    await own.manager.insert(Note, [{ text: 'a' }, { text: 'b' }]);
    // By its key a SELECT locks this row, and no other, whatever the optimizer thinks of the table.
    const touch = (one: ScopedSession, text: string): Promise<unknown> =>
      one.execute('SELECT id FROM note WHERE text = :text FOR UPDATE', { text });
    let arrived = 0;
    const work = (one: string, other: string): Promise<void> =>
      session.run(
        async () => {
          await touch(session, one);
          arrived += 1;
          await waitUntil('both have their first lock', () => arrived >= 2);
          await touch(session, other);
        },
        { retry: { times: 3 } },
      );
    await Promise.all([work('a', 'b'), work('b', 'a')]);
    expect(arrived).toBeGreaterThan(2);
  });

  it('prepare() by hand: after it nothing but commit() and rollback()', async () => {
    const one = sessions.create();
    one.addAll([note('n'), report('r')]);
    await one.prepare();
    expect(words().filter((word) => word.includes('PREPARE'))).toHaveLength(2);
    await expect(one.count(Note)).rejects.toThrow("in the 'prepared' state");
    expect(() => one.add(report('more'))).toThrow("in the 'prepared' state");
    expect(await ours()).toHaveLength(1);
    await one.commit();
    expect(await stored()).toEqual([['n'], ['r']]);
    one.addAll([note('n2'), report('r2')]);
    await one.prepare();
    await one.rollback();
    await one.close();
    expect(await stored()).toEqual([['n'], ['r']]);
  });

  it('what was prepared by hand in a unit of work is committed at its end', async () => {
    await session.run(async () => {
      await both();
      await session.prepare();
    });
    expect(await stored()).toEqual([['n'], ['r']]);
  });

  it('prepare() behind a savepoint is refused', async () => {
    await session.run(async () => {
      await both();
      const savepoint = await session.beginNested();
      await expect(session.prepare()).rejects.toMatchObject({ code: 'SS_ERR_ILLEGAL_STATE_CHANGE' });
      await savepoint.commit();
    });
  });
});

describe('with a database that has no two phases', () => {
  const first = useDatabase('mariadb');
  const second = useDatabase('sqljs');

  it('that one is committed first, when the others are prepared: what it refuses undoes them', async () => {
    const test = await bound(first, second, {}, { twoPhase: true });
    await test.session.run(() => test.session.addAll([note('n'), report('r')]));
    expect(
      test.sent.filter((one) => /COMMIT|PREPARE/.test(one)).map((one) => one.replace(/ '.*/, '')),
    ).toEqual(['default: XA PREPARE', 'reporting: COMMIT', 'default: XA COMMIT']);
    const work = test.session.run(async (one) => {
      test.session.addAll([note('n2'), report('r2')]);
      await one.flush();
      const { queryRunner } = one.getRepository(Report);
      await queryRunner!.query(
        'CREATE TABLE child (parent INTEGER REFERENCES report (id) DEFERRABLE INITIALLY DEFERRED)',
      );
      await queryRunner!.query('INSERT INTO child VALUES (4711)');
    });
    await expect(work).rejects.toThrow('FOREIGN KEY constraint failed');
    expect(await test.own.manager.count(Note)).toBe(1);
    expect(await recoverTwoPhase([test.own, test.reporting], { olderThanMs: 0 })).toEqual([]);
  });
});

onEach(['postgres', 'sqljs'], (database) => {
  it('twoPhase is refused before anything is sent, and there is nothing to recover', async () => {
    const { session, dataSource } = await ours(database);
    const make = (): unknown => session.sessionFactory.create({ twoPhase: true });
    expect(make).toThrow(InvalidOptionError);
    expect(make).toThrow('twoPhase does not exist on');
    await expect(session.run((one) => one.prepare())).rejects.toThrow("can't prepare");
    expect(await recoverTwoPhase([dataSource])).toEqual([]);
  });
});
