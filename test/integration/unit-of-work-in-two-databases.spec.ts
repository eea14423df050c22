/** Objects in two databases: both are flushed before the first COMMIT, so that what fails in one leaves nothing in the other. */
import { Body, ConflictException, Controller, Post } from '@nestjs/common';
import { getDataSourceToken, TypeOrmModule } from '@nestjs/typeorm';
import { ScopedSessionModule, Session } from 'nestjs-scoped-session';
import { DataSource } from 'typeorm';
import { beforeEach, describe, expect, it } from 'vitest';
import { Article } from '../support/article.js';
import { serve, type Served, withNotes } from '../support/boot.js';
import { type Kind, type TestDatabase, useDatabase } from '../support/databases.js';
import { inShort } from '../support/flushing.js';
import { StatementRecorder } from '../support/statement-recorder.js';
import { PLATFORMS } from '../support/test-app.js';

interface Titles {
  readonly title: string;
  readonly inLedger: string;
}

@Controller('both')
class BothController {
  @Post()
  both(
    @Body() { title, inLedger }: Titles,
    @Session() session: Session,
    @Session('ledger') ledger: Session,
  ): Article[] {
    const articles = [title, inLedger].map((one) => Object.assign(new Article(), { title: one }));
    session.add(articles[0]!);
    ledger.add(articles[1]!);
    return articles;
  }

  @Post('changed')
  async changed(
    @Body() { title, inLedger }: Titles,
    @Session() session: Session,
    @Session('ledger') ledger: Session,
  ): Promise<Article[]> {
    const articles = [await session.getOrFail(Article, 1), await ledger.getOrFail(Article, 1)];
    articles[0]!.title = title;
    articles[1]!.title = inLedger;
    return articles;
  }

  @Post('throws')
  async throws(
    @Body() titles: Titles,
    @Session() session: Session,
    @Session('ledger') ledger: Session,
  ): Promise<void> {
    this.both(titles, session, ledger);
    await session.flush();
    throw new ConflictException();
  }
}

const PAIRS: readonly (readonly [Kind, Kind])[] = [
  ['sqljs', 'sqljs'],
  ['mariadb', 'mariadb'],
  ['mariadb', 'sqljs'],
  ['sqljs', 'mariadb'],
];

describe.each(PAIRS)('%s and %s', (firstKind, secondKind) => {
  const first = useDatabase(firstKind);
  const second = useDatabase(secondKind);

  describe.each(PLATFORMS)('%s', (platform) => {
    let served: Served;
    let recorder: StatementRecorder;
    let dataSources: DataSource[];

    const optionsOf = (database: TestDatabase, name?: string): ReturnType<typeof withNotes> =>
      withNotes(database, { name, poolSize: 3, entities: [Article], logger: recorder });

    beforeEach(async () => {
      recorder = new StatementRecorder();
      served = await serve(
        first,
        {
          imports: [
            TypeOrmModule.forRoot(optionsOf(first)),
            TypeOrmModule.forRoot(optionsOf(second, 'ledger')),
            ScopedSessionModule.forRoot(),
            ScopedSessionModule.forRoot({ name: 'ledger' }),
          ],
          controllers: [BothController],
        },
        platform,
      );
      const { app } = served;
      dataSources = [app.get(DataSource), app.get<DataSource>(getDataSourceToken('ledger'))];
      second.watch({ dataSource: dataSources[1] });
      for (const dataSource of dataSources) await dataSource.manager.insert(Article, { title: 'first' });
      recorder.take();
    });

    const stored = (): Promise<string[][]> =>
      Promise.all(
        dataSources.map(async (dataSource) => {
          const articles = await dataSource.manager.find(Article, { order: { id: 'ASC' } });
          return articles.map(({ title }) => title);
        }),
      );
    /** INSERTs, UPDATEs and what ended the transactions, in the order in which both databases were told. */
    const sent = (): string[] =>
      recorder
        .take()
        .map(({ sql }) => inShort(sql))
        .filter((sql) => /^(?:INSERT|UPDATE|COMMIT|ROLLBACK)/.test(sql));

    it('both are flushed, then both are committed, before the answer', async () => {
      const { body } = await served.http.post('/both').send({ title: 'a', inLedger: 'b' }).expect(201);
      expect((body as Article[]).map(({ id, version }) => [id, version])).toEqual([
        [2, 1],
        [2, 1],
      ]);
      expect(sent()).toEqual(['INSERT article', 'INSERT article', 'COMMIT', 'COMMIT']);
      expect(await stored()).toEqual([
        ['first', 'a'],
        ['first', 'b'],
      ]);
    });

    it('a flush that fails in the second leaves nothing in the first', async () => {
      await served.http.post('/both').send({ title: 'a', inLedger: 'first' }).expect(500);
      expect(sent()).toEqual(['INSERT article', 'INSERT article', 'ROLLBACK', 'ROLLBACK']);
      expect(await stored()).toEqual([['first'], ['first']]);
    });

    it('a flush that fails in the first sends nothing to the second', async () => {
      await served.http.post('/both').send({ title: 'first', inLedger: 'b' }).expect(500);
      expect(sent().filter((sql) => sql !== 'ROLLBACK')).toEqual(['INSERT article']);
      expect(await stored()).toEqual([['first'], ['first']]);
      await served.http.post('/both').send({ title: 'a', inLedger: 'b' }).expect(201);
    });

    it('changes of loaded objects end together too', async () => {
      await served.http.post('/both/changed').send({ title: 'a', inLedger: 'b' }).expect(201);
      expect(sent()).toEqual(['UPDATE article', 'UPDATE article', 'COMMIT', 'COMMIT']);
      expect(await stored()).toEqual([['a'], ['b']]);
    });

    it('a handler that throws stores in neither, flushed or not', async () => {
      await served.http.post('/both/throws').send({ title: 'a', inLedger: 'b' }).expect(409);
      expect(sent()).toEqual(['INSERT article', 'ROLLBACK']);
      expect(await stored()).toEqual([['first'], ['first']]);
    });
  });
});
