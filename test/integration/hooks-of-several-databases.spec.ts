/** Hooks of one database that work in another one: what they store there is committed with the rest. */
import { TypeOrmModule } from '@nestjs/typeorm';
import { getScopedSessionToken, ScopedSession, ScopedSessionModule } from 'nestjs-scoped-session';
import { beforeEach, describe, expect, it } from 'vitest';
import { boot, withNotes } from '../support/boot.js';
import { bound } from '../support/bound.js';
import { type Kind, useDatabase } from '../support/databases.js';
import { Note, note } from '../support/note.js';
import { texts } from '../support/plain-and-ours.js';
import { Report, report } from '../support/reports.js';

const PAIRS: readonly (readonly [Kind, Kind])[] = [
  ['sqljs', 'mariadb'],
  ['mariadb', 'mariadb'],
];
const INSERT = "INSERT INTO note (text) VALUES ('by the hook')";

describe.each(PAIRS)('%s and %s', (firstKind, secondKind) => {
  const first = useDatabase(firstKind);
  const second = useDatabase(secondKind);

  describe('of an application', () => {
    let session: ScopedSession;
    let ledger: ScopedSession;

    beforeEach(async () => {
      const { app } = await boot(first, {
        imports: [
          TypeOrmModule.forRoot(withNotes(first)),
          TypeOrmModule.forRoot(withNotes(second, { name: 'ledger' })),
          ScopedSessionModule.forRoot(),
          ScopedSessionModule.forRoot({ name: 'ledger' }),
        ],
      });
      session = app.get(ScopedSession);
      ledger = app.get<ScopedSession>(getScopedSessionToken('ledger'));
      second.watch({ dataSource: ledger.sessionFactory.engine!.dataSource });
    });

    const stored = async (): Promise<string[][]> =>
      Promise.all([session, ledger].map(({ sessionFactory }) => texts(sessionFactory.engine!.dataSource)));

    it('one that is used for the first time there is committed too', async () => {
      await session.run(async () => {
        await session.execute("INSERT INTO note (text) VALUES ('x')");
        session.beforeCommit(async () => void (await ledger.execute(INSERT)));
      });
      expect(await stored()).toEqual([['x'], ['by the hook']]);
    });

    it('so is one that was used before', async () => {
      await session.run(async () => {
        await ledger.execute("INSERT INTO note (text) VALUES ('y')");
        await session.execute("INSERT INTO note (text) VALUES ('x')");
        session.beforeCommit(async () => void (await ledger.execute(INSERT)));
      });
      expect(await stored()).toEqual([['x'], ['y', 'by the hook']]);
    });

    it('so is the one before it in the order of the commits', async () => {
      await session.run(async () => {
        await session.execute("INSERT INTO note (text) VALUES ('x')");
        ledger.beforeCommit(async () => void (await session.execute(INSERT)));
      });
      expect(await stored()).toEqual([['x', 'by the hook'], []]);
    });

    it('what such a hook throws undoes all of them', async () => {
      const work = session.run(async () => {
        await session.execute("INSERT INTO note (text) VALUES ('x')");
        session.beforeCommit(async () => {
          await ledger.execute(INSERT);
          throw new Error('not like this');
        });
      });
      await expect(work).rejects.toThrow('not like this');
      expect(await stored()).toEqual([[], []]);
    });
  });

  it.each(['by a session of its own', 'by a unit of work', 'behind a commit by hand'] as const)(
    'objects of another database that a hook adds are committed: %s',
    async (way) => {
      const { own, reporting, sessions, session } = await bound(first, second);
      if (way === 'by a session of its own') {
        await sessions.begin(async (one) => {
          one.add(note('x'));
          one.beforeCommit(() => one.add(report('by the hook')));
        });
      } else {
        await session.run(async (one) => {
          one.add(note('x'));
          one.beforeCommit(() => one.add(report('by the hook')));
          if (way === 'behind a commit by hand') await one.commit();
        });
      }
      expect(await own.manager.countBy(Note, { text: 'x' })).toBe(1);
      expect(await reporting.manager.countBy(Report, { title: 'by the hook' })).toBe(1);
    },
  );

  it('listeners that are told of changes before the COMMIT may add objects of another database', async () => {
    const { reporting, sessions, session } = await bound(first, second, { trackModifications: true });
    sessions.beforeModelsCommitted((changes) =>
      changes.forEach(
        ({ entity }) => entity instanceof Note && session.add(report(`audit of ${entity.text}`)),
      ),
    );
    await session.run((one) => one.add(note('x')));
    await session.run((one) => one.addAll([note('y'), report('r')]));
    const titles = (await reporting.manager.find(Report)).map(({ title }) => title);
    expect(titles.toSorted()).toEqual(['audit of x', 'audit of y', 'r']);
  });

  it('listeners are told of the objects of all databases that the session reaches', async () => {
    const { sessions, session } = await bound(first, second, { trackModifications: true });
    const told: string[] = [];
    const name = (changes: readonly { entity: object }[]): string =>
      changes.map((c) => c.entity.constructor.name).join();
    sessions.beforeModelsCommitted((changes) => void told.push(`before ${name(changes)}`));
    sessions.modelsCommitted((changes) => void told.push(`after ${name(changes)}`));
    await session.run((one) => one.addAll([note('x'), report('r')]));
    expect(told.toSorted()).toEqual(['after Note', 'after Report', 'before Note', 'before Report']);
  });

  it('recorded queries are of all databases that the session reaches', async () => {
    const { session } = await bound(first, second, { recordQueries: true });
    const recorded = await session.run(async (one) => {
      one.addAll([note('x'), report('r')]);
      await one.flush();
      return one.getRecordedQueries().map(({ statement }) => /INTO .?(\w+)/.exec(statement)?.[1]);
    });
    expect(recorded).toEqual(['note', 'report']);
  });
});
