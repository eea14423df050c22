/** One session over several databases: what hooks and listeners add to another one, and what is told of it. */
import { describe, expect, it } from 'vitest';
import { bound } from '../support/bound.js';
import { type Kind, useDatabase } from '../support/databases.js';
import { Note, note } from '../support/note.js';
import { Report, report } from '../support/reports.js';

const PAIRS: readonly (readonly [Kind, Kind])[] = [
  ['sqljs', 'mariadb'],
  ['mariadb', 'mariadb'],
];

describe.each(PAIRS)('%s and %s', (firstKind, secondKind) => {
  const first = useDatabase(firstKind);
  const second = useDatabase(secondKind);

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
