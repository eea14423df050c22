/** Objects in requests: what is changed is stored before the answer, or not at all, and the client is told which. */
import {
  type ArgumentsHost,
  Body,
  Catch,
  ConflictException,
  Controller,
  type ExceptionFilter,
  Get,
  Param,
  Post,
  Query,
  UseFilters,
} from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { ScopedSession, ScopedSessionModule, Session, SessionOptions } from 'nestjs-scoped-session';
import { beforeEach, describe, expect, it } from 'vitest';
import { Article } from '../support/article.js';
import { serve, type Served, withNotes } from '../support/boot.js';
import { KINDS, onEach } from '../support/databases.js';
import { inShort } from '../support/flushing.js';
import { StatementRecorder } from '../support/statement-recorder.js';
import { PLATFORMS } from '../support/test-app.js';
import { signal } from '../support/wait-until.js';

class RefusedArticle extends ConflictException {
  constructor(readonly articles: readonly Article[]) {
    super('not like this');
  }
}

type AnyResponse = { status(code: number): { send(body: unknown): void } };

/** Reads the objects of a unit of work that has ended. */
@Catch(RefusedArticle)
class ReadingFilter implements ExceptionFilter<RefusedArticle> {
  catch({ articles }: RefusedArticle, host: ArgumentsHost): void {
    const body = articles.map(({ title, version }) => ({ title, version }));
    host.switchToHttp().getResponse<AnyResponse>().status(409).send(body);
  }
}

/** Where requests wait for each other. */
let bothLoaded = signal();
let loaded = 0;

@Controller('articles')
class ArticlesController {
  constructor(private readonly scoped: ScopedSession) {}

  @Post()
  add(@Body('title') title: string, @Session() session: Session): Article {
    const article = Object.assign(new Article(), { title });
    session.add(article);
    return article;
  }

  @Get()
  all(@Session() session: Session): Promise<Article[]> {
    return session.find(Article, { order: { id: 'ASC' } });
  }

  @Get('masked/:id')
  async masked(@Param('id') id: string, @Query('then') then?: string): Promise<Article> {
    const article = await this.scoped.getOrFail(Article, id);
    article.title = '*****';
    if (then === 'count') await this.scoped.count(Article);
    if (then === 'sql') await this.scoped.scalar('SELECT COUNT(*) FROM article');
    return article;
  }

  @Get('counted/:id')
  async counted(@Param('id') id: string): Promise<Article> {
    const article = await this.scoped.getOrFail(Article, id);
    article.status = 'seen';
    await this.scoped.flush();
    return article;
  }

  @Get(':id')
  one(@Param('id') id: string, @Session() session: Session): Promise<Article> {
    return session.getOrFail(Article, id);
  }

  @Post('both')
  both(@Body('title') title: string, @Session() session: Session): string {
    session.addAll(['beside', title].map((one) => Object.assign(new Article(), { title: one })));
    return 'fine, I think';
  }

  @Post(':id/throws')
  @UseFilters(ReadingFilter)
  async throws(@Param('id') id: string, @Session() session: Session): Promise<void> {
    const article = await session.getOrFail(Article, id);
    article.title = 'changed';
    const added = this.add('added', session);
    await session.flush();
    throw new RefusedArticle([article, added]);
  }

  @Post(':id/slow')
  async slow(
    @Param('id') id: string,
    @Query('by') by: string,
    @Session() session: Session,
  ): Promise<Article> {
    const article = await session.getOrFail(Article, id);
    // A connection is not kept while something else is waited for.
    if (!by.startsWith('locked')) await session.commit();
    if ((loaded += 1) === 2) bothLoaded.resolve();
    await bothLoaded.promise;
    article.title = by;
    return article;
  }

  @Post(':id/manual')
  @SessionOptions({ commit: 'manual' })
  async manual(@Param('id') id: string, @Query('end') end: 'commit' | 'flush' | 'nothing'): Promise<Article> {
    const article = await this.scoped.getOrFail(Article, id);
    article.title = end;
    if (end !== 'nothing') await this.scoped[end]();
    return article;
  }

  @Post(':id')
  async change(@Param('id') id: string, @Body('title') title: string): Promise<Article> {
    const article = await this.scoped.getOrFail(Article, id);
    article.title = title;
    return article;
  }
}

onEach(KINDS, (database) => {
  describe.each(PLATFORMS)('%s', (platform) => {
    let served: Served;
    let recorder: StatementRecorder;
    const sent = (): string[] => [
      ...recorder.rowStatements.map(inShort),
      ...recorder.transactionControl.slice(-1),
    ];
    const stored = async (): Promise<string[]> => {
      const { body } = (await served.http.get('/articles')) as { body: Article[] };
      return body.map(({ title }) => title);
    };
    const warnings = (part: string): string[] => served.heard.of('warn', part);
    beforeEach(async () => {
      bothLoaded = signal();
      loaded = 0;
      recorder = new StatementRecorder();
      const options = withNotes(database, { entities: [Article], logger: recorder, poolSize: 3 });
      served = await serve(
        database,
        {
          imports: [TypeOrmModule.forRoot(options), ScopedSessionModule.forRoot()],
          controllers: [ArticlesController],
        },
        platform,
      );
      await served.http.post('/articles').send({ title: 'first' }).expect(201);
      recorder.take();
    });

    it('a new object that is returned is stored before the answer, which shows what the database has made', async () => {
      const { body } = await served.http.post('/articles').send({ title: 'second' }).expect(201);
      expect(body).toEqual({
        id: 2,
        title: 'second',
        status: 'draft',
        version: 1,
        created: expect.stringMatching(/^\d{4}-.*Z$/),
        updated: expect.stringMatching(/^\d{4}-.*Z$/),
      });
      expect(sent()).toEqual(expect.arrayContaining(['INSERT article', 'COMMIT']));
      await served.http.get('/articles/2').expect(200, body as object);
    });

    it('a loaded object that is changed and returned is stored before the answer, with its new version', async () => {
      const { body } = await served.http.post('/articles/1').send({ title: 'changed' }).expect(201);
      expect(body).toMatchObject({ id: 1, title: 'changed', version: 2 });
      expect(sent().slice(0, 2)).toEqual(['SELECT article', 'UPDATE article']);
      await served.http.get('/articles/1').expect(200, body as object);
    });

    it('one that is not changed costs no UPDATE', async () => {
      await served.http.post('/articles/1').send({ title: 'first' }).expect(201);
      expect(sent()).toEqual(['SELECT article', 'COMMIT']);
    });

    it('nothing is stored of a handler that throws; a filter can still read its objects', async () => {
      const { body } = await served.http.post('/articles/1/throws').expect(409);
      expect((body as Article[]).map(({ title, version }) => [title, version].join())).toEqual([
        'changed,2',
        'added,1',
      ]);
      expect(await stored()).toEqual(['first']);
    });

    it('a unique key that is violated by the last flush is an error status; the next request is clean', async () => {
      await served.http.post('/articles/both').send({ title: 'first' }).expect(500);
      expect(await stored()).toEqual(['first']);
      await served.http.post('/articles/both').send({ title: 'second' }).expect(201);
      expect((await stored()).toSorted()).toEqual(['beside', 'first', 'second']);
    });

    it.each(database.kind === 'sqljs' ? [['']] : [[''], ['locked ']])(
      'of two requests that change the same version %sone is answered 409',
      async (how) => {
        const answers = await Promise.all(
          ['a', 'b'].map(async (name) => served.http.post(`/articles/1/slow?by=${how}${name}`)),
        );
        const [winner, loser] = answers.toSorted((one, other) => one.status - other.status);
        expect([winner!.status, loser!.status]).toEqual([201, 409]);
        expect(loser!.body).toEqual({ statusCode: 409, message: 'Conflict', error: 'SS_ERR_STALE_DATA' });
        const { title, version } = winner!.body as Article;
        expect([await stored(), version]).toEqual([[title], 2]);
      },
    );

    it('a missing row is answered 404', async () => {
      const told = { statusCode: 404, message: 'Not Found', error: 'SS_ERR_NO_RESULT_FOUND' };
      await served.http.get('/articles/77').expect(404, told);
    });

    it('a GET that masks a field writes nothing, and says so once, without values', async () => {
      // A query that comes after it stores it no more than the end does.
      for (const then of ['', 'count', 'sql', '']) {
        const { body } = await served.http.get(`/articles/masked/1?then=${then}`).expect(200);
        expect(body).toMatchObject({ title: '*****', version: 1 });
      }
      expect(sent().filter((sql) => sql.startsWith('UPDATE'))).toEqual([]);
      expect(await stored()).toEqual(['first']);
      expect(warnings('were not stored')).toEqual([
        expect.stringMatching(/^ArticlesController\.masked: .* at its end: Article\.title\. Call /),
      ]);
      expect([...warnings('*****'), ...warnings('first')]).toEqual([]);
    });

    it('a GET that flushes by itself writes', async () => {
      await served.http.get('/articles/counted/1').expect(200);
      const { body } = await served.http.get('/articles/1').expect(200);
      expect(body).toMatchObject({ status: 'seen', version: 2 });
    });

    it("with commit 'manual' only commit() stores; what is dropped is told", async () => {
      await served.http.post('/articles/1/manual?end=nothing').expect(201);
      await served.http.post('/articles/1/manual?end=flush').expect(201);
      expect(await stored()).toEqual(['first']);
      expect(warnings('writes were rolled back')).toHaveLength(2);
      await served.http.post('/articles/1/manual?end=commit').expect(201);
      expect(await stored()).toEqual(['commit']);
    });
  });
});
