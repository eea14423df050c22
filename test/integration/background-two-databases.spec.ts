/** Tasks that wait for the COMMIT of a unit of work in several databases: all of them count. */
import { TypeOrmModule } from '@nestjs/typeorm';
import {
  BackgroundTasks,
  getScopedSessionToken,
  ScopedSession,
  ScopedSessionModule,
} from 'nestjs-scoped-session';
import { beforeEach, describe, expect, it } from 'vitest';
import { boot, type Booted, withNotes } from '../support/boot.js';
import { type Kind, useDatabase } from '../support/databases.js';
import { loseAtCommit, texts } from '../support/plain-and-ours.js';

const PAIRS: readonly (readonly [Kind, Kind])[] = [
  ['sqljs', 'mariadb'],
  ['mariadb', 'mariadb'],
];
const INSERT = "INSERT INTO note (text) VALUES ('x')";

describe.each(PAIRS)('%s and %s', (firstKind, secondKind) => {
  const first = useDatabase(firstKind);
  const second = useDatabase(secondKind);
  let booted: Booted;
  let session: ScopedSession;
  let ledger: ScopedSession;
  let tasks: BackgroundTasks;
  let done: string[];

  beforeEach(async () => {
    done = [];
    booted = await boot(first, {
      imports: [
        TypeOrmModule.forRoot(withNotes(first)),
        TypeOrmModule.forRoot(withNotes(second, { name: 'ledger' })),
        ScopedSessionModule.forRoot(),
        ScopedSessionModule.forRoot({ name: 'ledger' }),
      ],
    });
    session = booted.app.get(ScopedSession);
    ledger = booted.app.get<ScopedSession>(getScopedSessionToken('ledger'));
    tasks = booted.app.get(BackgroundTasks);
    second.watch({ dataSource: ledger.sessionFactory.engine!.dataSource });
  });

  const register = (name = 'done'): { readonly done: Promise<unknown> } =>
    tasks.afterCommit(() => void done.push(name));

  it('a task of its own commits all of them', async () => {
    tasks.run(async () => {
      await session.execute(INSERT);
      await ledger.execute(INSERT);
    });
    await tasks.idle();
    expect(await texts(session.sessionFactory.engine!.dataSource)).toEqual(['x']);
    expect(await texts(ledger.sessionFactory.engine!.dataSource)).toEqual(['x']);
  });

  it('waits for all, whichever was used, and whether or not it was used before', async () => {
    await session.run(async () => {
      register('before');
      await ledger.execute(INSERT);
      register('the other one');
      await session.execute(INSERT);
      register('both');
    });
    await tasks.idle();
    expect(done.toSorted()).toEqual(['before', 'both', 'the other one']);
  });

  it('is dropped when one cannot be committed, also after the COMMIT of the other', async () => {
    const outcomes: Promise<unknown>[] = [];
    const work = session.run(async () => {
      outcomes.push(register('before any').done);
      await session.execute(INSERT);
      outcomes.push(register('the first used').done);
      await ledger.execute(INSERT);
      outcomes.push(register('both used').done);
      await loseAtCommit(ledger);
    });
    await expect(work).rejects.toMatchObject({ code: 'SS_ERR_COMMIT_OUTCOME_UNKNOWN' });
    await tasks.idle();
    // That is the trouble: the first is stored.
    expect(await texts(session.sessionFactory.engine!.dataSource)).toEqual(['x']);
    expect(await Promise.all(outcomes)).toEqual(Array.from({ length: 3 }, () => ({ outcome: 'dropped' })));
    expect([done, tasks.status().registered]).toEqual([[], 0]);
  });

  it('committed by hand, starts with the last of those that were used', async () => {
    await session.run(async () => {
      await session.execute(INSERT);
      await ledger.execute(INSERT);
      const { done: result } = register();
      await ledger.commit();
      expect(tasks.status()).toMatchObject({ registered: 1 });
      await session.commit();
      expect(await result).toMatchObject({ outcome: 'succeeded' });
    });
    await tasks.idle();
  });
});
