/** Two databases, of which the second cannot be committed after the first was: what is told, and to whom. */
import { Controller, Post } from '@nestjs/common';
import { getDataSourceToken, InjectRepository, TypeOrmModule } from '@nestjs/typeorm';
import {
  InjectScopedSession,
  isRetryable,
  PartialCommitError,
  ScopedSession,
  ScopedSessionModule,
} from 'nestjs-scoped-session';
import { DataSource, Repository } from 'typeorm';
import { beforeEach, describe, expect, inject, it } from 'vitest';
import { serve, type Served, withNotes } from '../support/boot.js';
import { type Kind, type TestDatabase, useDatabase } from '../support/databases.js';
import { Note } from '../support/note.js';
import { loseAtCommit, texts } from '../support/plain-and-ours.js';
import { StatementLog } from '../support/statement-log.js';

const DEFERRED = 'CREATE TABLE child (parent INT REFERENCES note (id) DEFERRABLE INITIALLY DEFERRED)';

@Controller()
class BothController {
  constructor(
    @InjectRepository(Note) readonly first: Repository<Note>,
    @InjectRepository(Note, 'ledger') readonly second: Repository<Note>,
    readonly session: ScopedSession,
    @InjectScopedSession('ledger') readonly ledger: ScopedSession,
  ) {}

  /** What is told to whom, in order. */
  static told: string[] = [];

  /** The ledger is used first; it is committed second all the same. */
  @Post('fine')
  async fine(): Promise<string> {
    this.#watch('ledger', this.ledger);
    this.#watch('default', this.session);
    await this.second.insert({ text: 'a' });
    await this.first.insert({ text: 'a' });
    return 'fine';
  }

  @Post('lost')
  async lost(): Promise<string> {
    await this.fine();
    await loseAtCommit(this.ledger);
    return 'the handler is content';
  }

  @Post('lost-first')
  async lostFirst(): Promise<string> {
    await this.fine();
    await loseAtCommit(this.session);
    return 'the handler is content';
  }

  @Post('refused')
  async refused(): Promise<string> {
    await this.fine();
    await this.ledger.execute('INSERT INTO child VALUES (4711)');
    return 'the handler is content';
  }

  /** Nothing of the first could be stored: it was only looked at. */
  @Post('refused-alone')
  async refusedAlone(): Promise<string> {
    this.session.inTransaction();
    await this.session.rollback();
    await this.ledger.execute('INSERT INTO child VALUES (4711)');
    return 'the handler is content';
  }

  @Post('hook')
  async hook(): Promise<string> {
    await this.fine();
    this.ledger.beforeCommit(() => {
      throw new Error('not like this');
    });
    return 'the handler is content';
  }

  #watch(name: string, session: ScopedSession): void {
    const tell = (what: string): void => void BothController.told.push(`${name}: ${what}`);
    session.beforeCommit(() => tell('before'));
    session.afterCommit(() => tell('after commit'));
    session.afterRollback(() => tell('after rollback'));
    session.afterCompletion((outcome) => tell(outcome));
  }
}

interface Pair {
  readonly served: Served;
  /** The databases that were sent a COMMIT, in order. */
  readonly commits: number[];
  readonly dataSources: readonly [DataSource, DataSource];
}

class CommitLog extends StatementLog {
  constructor(private readonly committed: () => void) {
    super();
  }

  override logQuery(sql: string): void {
    if (sql === 'COMMIT') this.committed();
  }
}

async function bothServed(first: TestDatabase, second: TestDatabase): Promise<Pair> {
  const commits: number[] = [];
  const optionsOf = (database: TestDatabase, name?: string): ReturnType<typeof withNotes> => {
    const logger = new CommitLog(() => void commits.push(name === undefined ? 0 : 1));
    return withNotes(database, { name, poolSize: 3, logger });
  };
  const served = await serve(first, {
    imports: [
      TypeOrmModule.forRoot(optionsOf(first)),
      TypeOrmModule.forRoot(optionsOf(second, 'ledger')),
      TypeOrmModule.forFeature([Note]),
      TypeOrmModule.forFeature([Note], 'ledger'),
      ScopedSessionModule.forRoot(),
      ScopedSessionModule.forRoot({ name: 'ledger' }),
    ],
    controllers: [BothController],
  });
  const dataSources = [
    served.app.get(DataSource),
    served.app.get<DataSource>(getDataSourceToken('ledger')),
  ] as const;
  second.watch({ dataSource: dataSources[1] });
  BothController.told = [];
  commits.length = 0;
  return { served, commits, dataSources };
}

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
