/** One session over several databases, each class in its own: SQLAlchemy's binds, without Nest. */
import { PartialCommitError, type ScopedSession, type SessionFactory } from 'nestjs-scoped-session';
import type { DataSource } from 'typeorm';
import { beforeEach, describe, expect, it } from 'vitest';
import { bound, PAIRS } from '../support/bound.js';
import { useDatabase } from '../support/databases.js';
import { Note, note } from '../support/note.js';
import { loseAtCommit } from '../support/plain-and-ours.js';
import { Report, report } from '../support/reports.js';

describe.each(PAIRS)('%s and %s', (firstKind, secondKind) => {
  const first = useDatabase(firstKind);
  const second = useDatabase(secondKind);
  let own: DataSource;
  let reporting: DataSource;
  let sent: string[];
  let sessions: SessionFactory;
  let session: ScopedSession;

  beforeEach(async () => {
    ({ own, reporting, sent, sessions, session } = await bound(first, second));
  });

  const stored = async (): Promise<[notes: string[], reports: string[]]> => [
    (await own.manager.find(Note, { order: { id: 'ASC' } })).map(({ text }) => text),
    (await reporting.manager.find(Report, { order: { id: 'ASC' } })).map(({ title }) => title),
  ];

  it('FLK-18, LIF-28: both kinds are inserted, each in its own database, then both are committed', async () => {
    await sessions.begin(async (one) => {
      one.add(report('r'));
      one.add(note('n'));
      expect(one.new.size).toBe(2);
    });
    expect(sent).toEqual(['default: INSERT', 'reporting: INSERT', 'default: COMMIT', 'reporting: COMMIT']);
    expect(await stored()).toEqual([['n'], ['r']]);
  });

  it('a unit of work of a scoped session commits both, and undoes both', async () => {
    await session.run(async () => {
      session.addAll([note('n'), report('r')]);
    });
    const failing = session.run(async () => {
      session.addAll([note('n2'), report('r2')]);
      await session.flush();
      throw new Error('fails');
    });
    await expect(failing).rejects.toThrow('fails');
    expect(sent.filter((one) => !one.endsWith('INSERT'))).toEqual([
      'default: COMMIT',
      'reporting: COMMIT',
      'reporting: ROLLBACK',
      'default: ROLLBACK',
    ]);
    expect(await stored()).toEqual([['n'], ['r']]);
  });

  it('everything that names a class, or is given an object, goes to its database', async () => {
    await reporting.manager.insert(Report, [{ title: 'a' }, { title: 'b' }]);
    const one = sessions.create();
    const a = await one.getOrFail(Report, 1);
    expect(await one.get(Report, 1)).toBe(a);
    expect(await one.find(Report)).toContain(a);
    expect(await one.findOneBy(Report, { title: 'a' })).toBe(a);
    expect(await one.findBy(Report, { title: 'a' })).toEqual([a]);
    expect(await one.findOne(Report, { where: { title: 'a' } })).toBe(a);
    expect([await one.count(Report), await one.exists(Report)]).toEqual([2, true]);
    expect(await one.query(Report).where({ title: 'a' }).getOne()).toBe(a);
    expect(await one.getRepository(Report).count()).toBe(2);
    expect((await one.paginate(Report)).items).toContain(a);
    expect(await one.firstOr404(Report)).toBe(a);
    const rows: unknown[] = [];
    for await (const row of one.stream(one.query(Report).select('Report.title', 'title'))) rows.push(row);
    expect(rows).toHaveLength(2);
    expect(one.getBind(Report)).toBe(reporting);
    expect(one.getBind(Note)).toBe(own);
    expect(one.getBind()).toBe(own);
    expect([one.has(a), [...one].includes(a), one.isModified(a)]).toEqual([true, true, false]);
    a.title = 'changed';
    expect([one.isModified(a), one.dirty.has(a), one.inspect(a).state]).toEqual([true, true, 'persistent']);
    await one.refresh(a);
    expect(a.title).toBe('a');
    one.expire(a);
    await one.refresh(a);
    const merged = await one.merge(Object.assign(new Report(), { id: 2, title: 'merged' }));
    one.delete(a);
    expect(one.deleted.has(a)).toBe(true);
    await one.commit();
    expect([merged.title, (await stored())[1]]).toEqual(['merged', ['merged']]);
    one.expunge(merged);
    expect(one.has(merged)).toBe(false);
    await one.bulkInsertMappings(Report, [{ title: 'bulk' }]);
    await one.bulkSaveObjects([note('bulk'), report('bulk too')]);
    await one.bulkUpdateMappings(Report, [{ id: 2, title: 'bulk changed' }]);
    await one.commit();
    expect(await stored()).toEqual([['bulk'], ['bulk changed', 'bulk', 'bulk too']]);
    await one.close();
  });

  it('commit() and rollback() are of all that was used through the session', async () => {
    const one = sessions.create();
    one.addAll([report('r'), note('n')]);
    await one.flush();
    expect(one.inTransaction()).toBe(true);
    await one.rollback();
    expect([one.inTransaction(), one.new.size]).toEqual([false, 0]);
    const kept = report('kept');
    one.addAll([kept, note('kept')]);
    await one.commit();
    kept.title = 'changed later';
    await one.commit();
    one.add(report('not committed'));
    await one.flush();
    await one.close();
    expect(await stored()).toEqual([['kept'], ['changed later']]);
    expect([...one]).toEqual([]);
  });

  it('hooks of the session are told when both were committed', async () => {
    const one = sessions.create();
    one.afterCommit(() => void sent.push('told'));
    one.addAll([note('n'), report('r')]);
    await one.commit();
    expect(sent.slice(2)).toEqual(['default: COMMIT', 'reporting: COMMIT', 'told']);
    await one.close();
  });

  it('a flush that fails in the second leaves nothing in the first', async () => {
    await reporting.manager.insert(Report, { title: 'taken' });
    const one = sessions.create();
    one.addAll([note('n'), report('taken')]);
    await expect(one.commit()).rejects.toThrow(/unique|duplicate/i);
    expect(one.isActive).toBe(false);
    await one.rollback();
    expect(one.isActive).toBe(true);
    expect(await stored()).toEqual([[], ['taken']]);
    one.add(note('n'));
    await one.commit();
    await one.close();
    expect((await stored())[0]).toEqual(['n']);
  });

  it('LIF-29: the second is lost before its commit: the first stays, and the session needs a rollback', async () => {
    if (secondKind === 'sqljs') return;
    const one = sessions.create();
    one.addAll([note('n'), report('r')]);
    await one.flush();
    await loseAtCommit({ connection: () => one.getRepository(Report).queryRunner!.connect() });
    const error: unknown = await one.commit().catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(PartialCommitError);
    expect(error).toMatchObject({ committed: ['default'], rolledBack: [], unknown: ['reporting'] });
    expect((await stored())[0]).toEqual(['n']);
    expect(one.isActive).toBe(false);
    await one.rollback();
    one.add(report('again'));
    await one.commit();
    await one.close();
    expect((await stored())[1]).toContain('again');
  });

  it('what a savepoint undoes is undone in both, also where a database was begun behind it', async () => {
    await session.run(async () => {
      const failing = async (): Promise<never> => {
        session.addAll([note('undone'), report('undone')]);
        await session.flush();
        throw new Error('fails');
      };
      session.add(note('kept'));
      await expect(session.beginNested(failing)).rejects.toThrow('fails');
      session.add(report('kept'));
      await session.flush();
      await expect(session.beginNested(failing)).rejects.toThrow('fails');
      const savepoint = await session.beginNested();
      session.addAll([note('undone'), report('undone')]);
      await session.flush();
      await savepoint.rollback();
      await session.beginNested(async () => session.addAll([note('inside'), report('inside')]));
      const released = await session.beginNested();
      session.addAll([note('handle'), report('handle')]);
      await released.commit();
    });
    expect(await stored()).toEqual([
      ['kept', 'inside', 'handle'],
      ['kept', 'inside', 'handle'],
    ]);
  });

  /** What makes a savepoint one that cannot be kept. */
  const FAILURES = {
    'a part that had joined it': async () => {
      const part = session.transactional(() => Promise.reject(new Error('a part')));
      await expect(part).rejects.toThrow('a part');
    },
    'the flush at its end': async () => session.add(note('a')),
  };

  it.each(Object.entries(FAILURES))(
    'a savepoint that cannot be kept in one is undone in both, and the work goes on: %s has failed',
    async (_, fail) => {
      await session.run(async () => {
        session.addAll([note('a'), report('a')]);
        await session.flush();
        const nested = session.beginNested(async () => {
          session.add(report('b'));
          await fail();
        });
        await expect(nested).rejects.toThrow(/joined|unique|duplicate/i);
        session.addAll([note('c'), report('c')]);
      });
      expect((await own.manager.find(Note)).map(({ text }) => text)).toEqual(['a', 'c']);
      expect((await reporting.manager.find(Report)).map(({ title }) => title)).toEqual(['a', 'c']);
    },
  );

  it.each(Object.entries(FAILURES))(
    'so is one that was opened as a handle: %s has failed',
    async (_, fail) => {
      await session.run(async () => {
        session.addAll([note('a'), report('a')]);
        await session.flush();
        const savepoint = await session.beginNested();
        session.add(report('b'));
        await fail();
        await expect(savepoint.commit()).rejects.toThrow(/joined|unique|duplicate/i);
        await savepoint.rollback();
        session.addAll([note('c'), report('c')]);
      });
      expect((await own.manager.find(Note)).map(({ text }) => text)).toEqual(['a', 'c']);
      expect((await reporting.manager.find(Report)).map(({ title }) => title)).toEqual(['a', 'c']);
    },
  );

  it('setRollbackOnly is of both, whichever was used first', async () => {
    await session.run(async () => {
      session.add(note('n'));
      session.setRollbackOnly();
      session.add(report('r'));
    });
    expect(await stored()).toEqual([[], []]);
  });

  it('no connection is taken of a database whose classes are not used', async () => {
    await session.run(async () => void (await session.count(Note)));
    expect(sent.some((one) => one.startsWith('reporting'))).toBe(false);
  });
});
