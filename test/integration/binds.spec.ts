/** Classes of a named database used through the default session of a request: they go where they belong. */
import { Controller, Get, Injectable, Param, Post } from '@nestjs/common';
import { getDataSourceToken, TypeOrmModule } from '@nestjs/typeorm';
import {
  getScopedSessionToken,
  getSessionToken,
  InjectRepository,
  InjectScopedSession,
  ScopedSession,
  ScopedSessionModule,
  Session,
} from 'nestjs-scoped-session';
import { DataSource, Repository } from 'typeorm';
import { beforeEach, describe, expect, it } from 'vitest';
import { serve, type Served, withNotes } from '../support/boot.js';
import { type Kind, type TestDatabase, useDatabase } from '../support/databases.js';
import { Note, note } from '../support/note.js';
import { Audited, AuditedTwice, Nowhere, Report, report } from '../support/reports.js';
import { StatementLog } from '../support/statement-log.js';

@Injectable()
class Reports {
  constructor(
    readonly session: ScopedSession,
    @InjectScopedSession('reporting') readonly reporting: ScopedSession,
    @InjectRepository(Report, 'reporting') readonly reports: Repository<Report>,
  ) {}
}

@Controller()
class ReportsController {
  static seen: number[] = [];

  constructor(private readonly service: Reports) {}

  @Post('both/:text')
  both(@Param('text') text: string, @Session() session: Session): Report {
    const made = report(text);
    session.addAll([note(text), made]);
    return made;
  }

  @Post('throws/:text')
  async throws(@Param('text') text: string, @Session() session: Session): Promise<void> {
    this.both(text, session);
    await session.flush();
    throw new Error('no');
  }

  /** One identity map for each database: whoever asks for a report gets the same object. */
  @Get('same/:id')
  async same(
    @Param('id') id: number,
    @Session() session: Session,
    @Session('reporting') reporting: Session,
  ): Promise<object> {
    const one = await session.getOrFail(Report, id);
    return {
      same: one === (await reporting.get(Report, id)) && reporting.has(one),
      joined: await this.service.reports.countBy({ id }),
      bind: session.getBind(Report) === reporting.dataSource,
    };
  }

  @Post('by-hand/:text')
  async byHand(@Param('text') text: string, @Session() session: Session): Promise<void> {
    this.both(text, session);
    await session.commit();
    throw new Error('too late');
  }

  /** What was used by its own name, and not through the session, is not its to commit. */
  @Post('by-name/:text')
  async byName(
    @Param('text') text: string,
    @Session() session: Session,
    @Session('reporting') reporting: Session,
  ): Promise<void> {
    reporting.add(report(text));
    session.add(note(text));
    await session.commit();
    throw new Error('too late');
  }

  @Post('independently/:text')
  async independently(@Param('text') text: string, @Session() session: Session): Promise<void> {
    session.add(report(`outer ${text}`));
    await session.flush();
    await this.service.session.independently(async (inner) => {
      inner.add(report(`inner ${text}`));
      // The outer one's, although this code runs in the inner one's.
      ReportsController.seen = [session.new.size, inner.new.size];
      session.add(report(`outer too ${text}`));
      ReportsController.seen.push(session.new.size, inner.new.size);
    });
    throw new Error('no');
  }

  @Get('unknown')
  async unknown(@Session() session: Session): Promise<unknown> {
    return session.get(Nowhere, 1);
  }

  @Get('no-such-database')
  nothing(@Session('nope') session: Session): unknown {
    return session.inTransaction();
  }

  @Post('audited/:id')
  audited(@Param('id') id: number, @Session() session: Session): void {
    session.add(Object.assign(new Audited(), { id, text: 'a' }));
    session.add(Object.assign(new AuditedTwice(), { id, text: 'b' }));
  }
}

const PAIRS: readonly (readonly [Kind, Kind])[] = [
  ['sqljs', 'sqljs'],
  ['mariadb', 'mariadb'],
];

describe.each(PAIRS)('%s and %s', (firstKind, secondKind) => {
  const first = useDatabase(firstKind);
  const second = useDatabase(secondKind);
  let served: Served;
  let dataSources: DataSource[];

  let commits: string[];

  class CommitLog extends StatementLog {
    constructor(private readonly name: string) {
      super();
    }
    override logQuery(sql: string): void {
      if (sql === 'COMMIT') commits.push(this.name);
    }
  }

  const optionsOf = (database: TestDatabase, entities: Function[], name?: string) =>
    withNotes(database, { name, poolSize: 4, entities, logger: new CommitLog(name ?? 'default') });

  beforeEach(async () => {
    commits = [];
    served = await serve(first, {
      imports: [
        TypeOrmModule.forRoot(optionsOf(first, [Note, Audited, AuditedTwice, Nowhere])),
        TypeOrmModule.forRoot(optionsOf(second, [Report, Audited, AuditedTwice], 'reporting')),
        ScopedSessionModule.forRoot({ name: 'reporting' }),
        ScopedSessionModule.forRoot(),
        ScopedSessionModule.forFeature([Report], 'reporting'),
      ],
      controllers: [ReportsController],
      providers: [Reports],
    });
    dataSources = [served.app.get(DataSource), served.app.get<DataSource>(getDataSourceToken('reporting'))];
    second.watch({ dataSource: dataSources[1] });
    commits.length = 0;
  });

  const stored = async (): Promise<string[][]> => [
    (await dataSources[0]!.manager.find(Note, { order: { id: 'ASC' } })).map(({ text }) => text),
    (await dataSources[1]!.manager.find(Report, { order: { id: 'ASC' } })).map(({ title }) => title),
  ];

  it('FLK-18: both kinds are added to one session, and stored each in its own database before the answer', async () => {
    const { body } = await served.http.post('/both/a').expect(201);
    expect(body).toEqual({ id: 1, title: 'a' });
    expect(await stored()).toEqual([['a'], ['a']]);
  });

  it('both are undone when the handler throws', async () => {
    await served.http.post('/throws/a').expect(500);
    expect(await stored()).toEqual([[], []]);
  });

  it('it is the session of the request that has the name, and its repositories take part', async () => {
    await served.http.post('/both/a').expect(201);
    await served.http.get('/same/1').expect(200, { same: true, joined: 1, bind: true });
  });

  it('commit() by hand covers what was used through the session, and nothing else', async () => {
    await served.http.post('/by-hand/a').expect(500);
    expect(await stored()).toEqual([['a'], ['a']]);
    await served.http.post('/by-name/b').expect(500);
    expect(await stored()).toEqual([['a', 'b'], ['a']]);
  });

  it('each unit of work has its own, whichever code runs', async () => {
    if (firstKind === 'sqljs') return;
    await served.http.post('/independently/a').expect(500);
    expect(ReportsController.seen).toEqual([0, 1, 1, 1]);
    expect((await stored())[1]).toEqual(['inner a']);
  });

  it('a bind key goes before what the databases know', async () => {
    await served.http.post('/audited/7').expect(201);
    const counts = dataSources.flatMap(({ manager }) => [
      manager.count(Audited),
      manager.count(AuditedTwice),
    ]);
    expect(await Promise.all(counts)).toEqual([0, 0, 1, 1]);
  });

  it('FLK-19: an unknown bind key and an unknown name are refused, and what there is is said', async () => {
    await served.http.get('/unknown').expect(500);
    expect(
      served.heard.of('error', 'there is no such database; there are: reporting, default.'),
    ).toHaveLength(1);
    await served.http.get('/no-such-database').expect(500);
    const none = 'No forRoot() has set up a database named "nope"; there are: reporting, default.';
    expect(served.heard.of('error', none)).toHaveLength(1);
  });

  it('sessions of the factory, in no scope, reach the other database too', async () => {
    const { session } = served.app.get(Reports);
    await session.sessionFactory.begin(async (own) => {
      own.addAll([note('f'), report('f')]);
    });
    expect(await stored()).toEqual([['f'], ['f']]);
    await session.run(() => session.addAll([note('g'), report('g')]));
    expect(await stored()).toEqual([
      ['f', 'g'],
      ['f', 'g'],
    ]);
  });

  it('they are committed in the order of forRoot(), at the end as by hand', async () => {
    const { session } = served.app.get(Reports);
    const add = (text: string): void => session.addAll([note(text), report(text)]);
    await session.run(() => add('a'));
    await session.run(async () => {
      add('b');
      await session.commit();
    });
    expect(commits).toEqual(['reporting', 'default', 'reporting', 'default']);
  });

  it('the tokens of both names lead to sessions of their own', async () => {
    const { app } = served;
    const named = app.get<ScopedSession>(getScopedSessionToken('reporting'));
    expect(named).toBe(app.get(Reports).reporting);
    expect(app.get(getScopedSessionToken())).toBe(app.get(ScopedSession));
    await named.run(async () => {
      const handles = [getSessionToken('reporting'), getSessionToken()].map((token) => app.resolve(token));
      const [inReporting, inDefault] = (await Promise.all(handles)) as ScopedSession[];
      expect(inReporting!.dataSource).toBe(dataSources[1]);
      expect(inDefault!.dataSource).toBe(dataSources[0]);
    });
  });
});
