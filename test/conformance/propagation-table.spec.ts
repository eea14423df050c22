/** The seven propagations as a table: mode, what is around it, and where it fails. */
import { type Propagation, PROPAGATIONS } from 'nestjs-scoped-session';
import { beforeEach, describe, expect, it } from 'vitest';
import { onEach, SERVERS } from '../support/databases.js';
import { Note } from '../support/note.js';
import { type Ours, ours, texts } from '../support/plain-and-ours.js';

/** What the part and the whole around it do. */
const POINTS = ['nowhere', 'part, caught', 'part', 'whole, later'] as const;
type Point = (typeof POINTS)[number];

/** What is stored, and the code of the error that leaves. */
type Cell = readonly [stored: string, error?: string];

const ALL = 'before part after';
const WHOLE_FAILS = 'the whole fails';
const PART_FAILS = 'the part fails';
const REFUSED = 'SS_ERR_PROPAGATION';

const JOINED: Record<Point, Cell> = {
  nowhere: [ALL],
  'part, caught': ['', 'SS_ERR_UNEXPECTED_ROLLBACK'],
  part: ['', PART_FAILS],
  'whole, later': ['', WHOLE_FAILS],
};
const OUTSIDE: Record<Point, Cell> = {
  nowhere: [ALL],
  'part, caught': [ALL],
  part: ['part', PART_FAILS],
  'whole, later': ['part', WHOLE_FAILS],
};

/** Inside a unit of work. */
const INSIDE: Readonly<Record<Propagation, Record<Point, Cell>>> = {
  REQUIRED: JOINED,
  SUPPORTS: JOINED,
  MANDATORY: JOINED,
  REQUIRES_NEW: {
    nowhere: [ALL],
    'part, caught': ['before after'],
    part: ['', PART_FAILS],
    'whole, later': ['part', WHOLE_FAILS],
  },
  NOT_SUPPORTED: OUTSIDE,
  NEVER: {
    nowhere: ['', REFUSED],
    'part, caught': ['before after'],
    part: ['', REFUSED],
    'whole, later': ['', REFUSED],
  },
  NESTED: {
    nowhere: [ALL],
    'part, caught': ['before after'],
    part: ['', PART_FAILS],
    'whole, later': ['', WHOLE_FAILS],
  },
};

/** With nothing around it: what is stored when it succeeds, and when it fails. */
const ALONE: Readonly<Record<Propagation, readonly [Cell, Cell]>> = {
  REQUIRED: [['part'], ['', PART_FAILS]],
  SUPPORTS: [['part'], ['part', PART_FAILS]],
  MANDATORY: [
    ['', REFUSED],
    ['', REFUSED],
  ],
  REQUIRES_NEW: [['part'], ['', PART_FAILS]],
  NOT_SUPPORTED: [['part'], ['part', PART_FAILS]],
  NEVER: [['part'], ['part', PART_FAILS]],
  NESTED: [['part'], ['', PART_FAILS]],
};

onEach(SERVERS, (database) => {
  let test: Ours;
  /** A joined repository: it works outside of units of work too. */
  const add = (text: string): Promise<unknown> => test.dataSource.getRepository(Note).insert({ text });
  const part = (propagation: Propagation, fails: boolean): Promise<void> =>
    test.session.transactional(
      async () => {
        await add('part');
        if (fails) throw new Error(PART_FAILS);
      },
      { propagation },
    );
  const outcomeOf = async (work: Promise<unknown>): Promise<Cell> => {
    const error = await work.then(
      () => undefined,
      (thrown: Error & { code?: string }) => thrown.code ?? thrown.message,
    );
    const stored = (await texts(test.dataSource))
      .toSorted((a, b) => ALL.indexOf(a) - ALL.indexOf(b))
      .join(' ');
    return error === undefined ? [stored] : [stored, error];
  };

  beforeEach(async () => {
    test = await ours(database);
  });

  describe.each(PROPAGATIONS)('%s', (mode) => {
    describe.each([true, false])('in a unit of work that has begun: %s', (hasBegun) => {
      it.each(POINTS)('fails %s', async (point) => {
        const work = test.session.run(async () => {
          if (hasBegun) await add('before');
          const done = part(mode, point.startsWith('part'));
          await (point === 'part, caught' ? done.catch(() => undefined) : done);
          await add('after');
          if (point === 'whole, later') throw new Error(WHOLE_FAILS);
        });
        const [stored, ...error] = INSIDE[mode][point];
        const seen = hasBegun ? stored : stored.replace('before', '').trim();
        expect(await outcomeOf(work)).toEqual([seen, ...error]);
      });
    });

    it('with nothing around it', async () => {
      const [succeeds] = ALONE[mode];
      expect(await outcomeOf(part(mode, false))).toEqual(succeeds);
    });

    it('with nothing around it, failing', async () => {
      const [, fails] = ALONE[mode];
      expect(await outcomeOf(part(mode, true))).toEqual(fails);
    });
  });
});
