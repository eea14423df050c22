/** What becomes of a two-phase commit when a connection is lost between its steps, and how what is in doubt is found. */
import {
  PartialCommitError,
  recoverTwoPhase,
  type ScopedSession,
  type SessionFactory,
} from 'nestjs-scoped-session';
import type { DataSource } from 'typeorm';
import { beforeEach, describe, expect, it } from 'vitest';
import { beforeSending, type DriverConnection } from '../support/before-sending.js';
import { bound } from '../support/bound.js';
import { useDatabase } from '../support/databases.js';
import { Note, note } from '../support/note.js';
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
  const xids = (): string[][] =>
    [...new Set(sent.flatMap((one) => /XA \w+ ('.*',21331)/.exec(one)?.[1] ?? []))].map((xid) =>
      xid.split(','),
    );
  const both = async (): Promise<void> => session.addAll([note('n'), report('r')]);
  const lose = ({ stream }: DriverConnection): undefined => void stream.destroy();

  it('the second is lost before it is prepared: both are rolled back', async () => {
    const work = session.run(async (one) => {
      await both();
      await session.flush();
      await beforeSending(one, Report, /^XA END/, lose);
    });
    await expect(work).rejects.toThrow(/destroyed|closed|lost/i);
    expect(await stored()).toEqual([[], []]);
  });

  it('the second is lost behind its PREPARE: the first is committed all the same, and the rest can be', async () => {
    const work = session.run(async (one) => {
      await both();
      await session.flush();
      await beforeSending(one, Report, /^XA COMMIT/, lose);
    });
    const error: unknown = await work.catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(PartialCommitError);
    expect(error).toMatchObject({ committed: ['default'], unknown: ['reporting'], rolledBack: [] });
    const [, xid] = xids().map((one) => one.join(','));
    expect((error as Error).cause).toMatchObject({ code: 'SS_ERR_COMMIT_OUTCOME_UNKNOWN' });
    expect(String((error as Error).cause)).toContain(xid);
    expect(await stored()).toEqual([['n'], []]);
    await decided('commit');
    expect(await stored()).toEqual([['n'], ['r']]);
  });

  it('the first is lost behind its PREPARE: the second is committed, for that was decided', async () => {
    const work = session.run(async (one) => {
      await both();
      await session.flush();
      await beforeSending(one, Note, /^XA COMMIT/, lose);
    });
    await expect(work).rejects.toMatchObject({ committed: ['reporting'], unknown: ['default'] });
    await decided('commit');
    expect(await stored()).toEqual([['n'], ['r']]);
  });

  it('a connection that the server kills is the same, and what is in doubt can be rolled back too', async () => {
    const work = session.run(async (one) => {
      await both();
      await session.flush();
      const id = Number(await one.getRepository(Report).query('SELECT CONNECTION_ID() AS id').then(idOf));
      await beforeSending(one, Report, /^XA COMMIT/, () => second.ask(`KILL ${id}`));
    });
    await expect(work).rejects.toBeInstanceOf(PartialCommitError);
    await decided('rollback');
    expect(await stored()).toEqual([['n'], []]);
  });

  it('a session that is invalidated after prepare() leaves its branches, which are found by their unit of work', async () => {
    const one = sessions.create();
    one.afterCompletion((outcome) => void sent.push(outcome));
    one.addAll([note('n'), report('r')]);
    await one.prepare();
    await one.invalidate();
    expect(sent.at(-1)).toBe('unknown');
    await waitUntil('the server has noticed', async () => (await ours()).length === 1);
    const [unit] = await ours();
    expect(unit!.branches.map(({ database }) => database).toSorted()).toEqual(
      [first.user, second.user].toSorted(),
    );
    expect(await recoverTwoPhase([own, reporting])).toEqual([]);
    await decided('rollback');
    expect(await stored()).toEqual([[], []]);
    await one.close();
  });

  /** The server lets go of a connection that was lost a moment later. */
  async function decided(how: 'commit' | 'rollback'): Promise<void> {
    const [unit] = await ours();
    expect(unit).toBeDefined();
    await waitUntil('it is decided', () =>
      unit![how]().then(
        () => true,
        () => false,
      ),
    );
  }
});

const idOf = (rows: unknown): unknown => (rows as { id: unknown }[])[0]!.id;
