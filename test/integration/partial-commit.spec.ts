/** Two databases, of which the second cannot be committed after the first was: what is told, and to whom. */
import { isRetryable, PartialCommitError, recoverTwoPhase } from 'nestjs-scoped-session';
import { beforeEach, describe, expect, inject, it } from 'vitest';
import { BothController, bothServed, type Pair } from '../support/both-databases.js';
import { type Kind, useDatabase } from '../support/databases.js';
import { texts } from '../support/plain-and-ours.js';

const DEFERRED = 'CREATE TABLE child (parent INT REFERENCES note (id) DEFERRABLE INITIALLY DEFERRED)';

const PAIRS: readonly (readonly [Kind, Kind])[] = [
  ['mariadb', 'mariadb'],
  ['sqljs', 'mariadb'],
  ['mariadb', 'postgres'],
  ['postgres', 'mariadb'],
];

describe.each(PAIRS)('%s and %s', (firstKind, secondKind) => {
  const isThere = ![firstKind, secondKind].includes('postgres') || inject('postgres') !== undefined;
  describe.skipIf(!isThere)('of one unit of work', () => {
    const first = useDatabase(firstKind);
    const second = useDatabase(secondKind);
    let both: Pair;

    beforeEach(async () => {
      both = await bothServed(first, second);
    });

    const stored = (): Promise<string[][]> => Promise.all(both.dataSources.map((one) => texts(one)));
    /** What the application was told of it, each time that it was. */
    const logged = (): string[] => both.served.heard.of('error', 'committed in part');

    it('LIF-28: both are committed in the order of their forRoot(), whichever was used first', async () => {
      await both.served.http.post('/fine').expect(201);
      expect(both.commits).toEqual([0, 1]);
      expect(await stored()).toEqual([['a'], ['a']]);
    });

    it('hooks of both are called before the first COMMIT, and those that hear the end after the last', async () => {
      await both.served.http.post('/fine').expect(201);
      expect(BothController.told.slice(0, 2)).toEqual(['default: before', 'ledger: before']);
      expect(BothController.told.slice(2).toSorted()).toEqual([
        'default: after commit',
        'default: committed',
        'ledger: after commit',
        'ledger: committed',
      ]);
    });

    it('a hook of the second that fails before the COMMIT undoes both', async () => {
      await both.served.http.post('/hook').expect(500);
      expect(both.commits).toEqual([]);
      expect(await stored()).toEqual([[], []]);
      expect(BothController.told.filter((one) => one.endsWith('rolledBack'))).toHaveLength(2);
      expect(BothController.told.filter((one) => one.endsWith('after commit'))).toEqual([]);
    });

    it('LIF-29: the second is lost at its COMMIT: 500, said once, and each hook hears the truth of its database', async () => {
      await both.served.http.post('/lost').expect(500);
      expect((await stored())[0]).toEqual(['a']);
      expect(logged()).toHaveLength(1);
      expect(logged()[0]).toMatch(/committed in default; not known in ledger/);
      expect(BothController.told.slice(2).toSorted()).toEqual([
        'default: after commit',
        'default: committed',
        'ledger: unknown',
      ]);
    });

    it('the first is lost at its COMMIT: nothing was committed before it, and the second is rolled back', async () => {
      if (firstKind === 'sqljs') return;
      await both.served.http.post('/lost-first').expect(500);
      expect(logged()).toEqual([]);
      expect((await stored())[1]).toEqual([]);
      expect(BothController.told.slice(2).toSorted()).toEqual([
        'default: unknown',
        'ledger: after rollback',
        'ledger: rolledBack',
      ]);
    });

    it('the error has the databases by name, and is not run again', async () => {
      const controller = both.served.app.get(BothController);
      let runs = 0;
      const work = controller.session.run(
        () => {
          runs += 1;
          return controller.lost();
        },
        { retry: { times: 3, on: () => true } },
      );
      const error: unknown = await work.catch((reason: unknown) => reason);
      expect(error).toBeInstanceOf(PartialCommitError);
      expect(error).toMatchObject({
        code: 'SS_ERR_PARTIAL_COMMIT',
        outcome: 'unknown',
        retryable: false,
        committed: ['default'],
        rolledBack: [],
        unknown: ['ledger'],
        cause: { code: 'SS_ERR_COMMIT_OUTCOME_UNKNOWN' },
      });
      expect(isRetryable(error)).toBe(false);
      expect(runs).toBe(1);
    });

    if (secondKind === 'postgres') {
      describe('a constraint that the server checks at COMMIT', () => {
        beforeEach(() => both.dataSources[1].query(`DROP TABLE IF EXISTS child; ${DEFERRED}`));

        it('refuses the second after the first: the client is told 500, and which was rolled back', async () => {
          await both.served.http.post('/refused').expect(500);
          expect(await stored()).toEqual([['a'], []]);
          expect(logged()[0]).toMatch(/committed in default; rolled back in ledger/);
          expect(BothController.told.slice(2).toSorted()).toEqual([
            'default: after commit',
            'default: committed',
            'ledger: after rollback',
            'ledger: rolledBack',
          ]);
        });

        it('is the server’s own error where nothing else was committed', async () => {
          await both.served.http.post('/refused-alone').expect(500);
          expect(logged()).toEqual([]);
          expect(both.served.heard.of('error', 'foreign key')).toHaveLength(1);
        });
      });
    }
  });
});

describe('with twoPhase in both forRoot()', () => {
  const first = useDatabase('mariadb');
  const second = useDatabase('mariadb');

  it('both are prepared before the first is committed, and the first that cannot be undoes both', async () => {
    const { served, dataSources } = await bothServed(first, second, { twoPhase: true });
    await served.http.post('/fine').expect(201);
    expect(await Promise.all(dataSources.map((one) => texts(one)))).toEqual([['a'], ['a']]);
    await served.http.post('/lost-prepare').expect(500);
    expect(await Promise.all(dataSources.map((one) => texts(one)))).toEqual([['a'], ['a']]);
    expect(served.heard.of('error', 'committed in part')).toEqual([]);
    expect(BothController.told.filter((one) => one.endsWith('rolledBack'))).toHaveLength(2);
    expect(await recoverTwoPhase(dataSources, { olderThanMs: 0 })).toEqual([]);
  });
});
