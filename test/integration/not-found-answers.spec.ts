/** FLK-20, PAG-03: in a Nest application what is not there is Nest's own NotFoundException, and a page is an answer. */
import {
  type ArgumentsHost,
  Catch,
  ClassSerializerInterceptor,
  Controller,
  type ExceptionFilter,
  Get,
  NotFoundException,
  Param,
  Post,
  Query,
  UseFilters,
  UseInterceptors,
} from '@nestjs/common';
import { NoResultFoundError, NotFoundError, ScopedSession, Session } from 'nestjs-scoped-session';
import { beforeEach, describe, expect, it } from 'vitest';
import { onEach } from '../support/databases.js';
import { Note } from '../support/note.js';
import { PLATFORMS, startApp, type TestApp } from '../support/test-app.js';

@Catch(NotFoundException)
class TellsCause implements ExceptionFilter {
  catch(error: NotFoundException, host: ArgumentsHost): void {
    const cause = error.cause instanceof NoResultFoundError ? error.cause.code : 'none';
    const response = host
      .switchToHttp()
      .getResponse<{ status(code: number): { send(body: object): void } }>();
    response.status(404).send({ caught: error.message, cause });
  }
}

@Controller()
class NotesController {
  constructor(private readonly session: ScopedSession) {}

  @Get('notes')
  list(@Session() session: Session, @Query('page') page?: string, @Query('perPage') perPage?: string) {
    return session.paginate(session.query(Note, 'note').orderBy('note.id'), { page, perPage });
  }

  @Get('serialized')
  @UseInterceptors(ClassSerializerInterceptor)
  serialized() {
    return this.session.paginate(Note);
  }

  @Get('notes/:id')
  one(@Session() session: Session, @Param('id') id: string) {
    return session.getOr404(Note, id, { description: `There is no note ${id}.` });
  }

  @Get('silent/:id')
  silent(@Param('id') id: string) {
    return this.session.getOr404(Note, id);
  }

  @Get('caught/:id')
  @UseFilters(TellsCause)
  caught(@Param('id') id: string) {
    return this.session.getOr404(Note, id, { description: 'gone' });
  }

  @Post('written')
  async written() {
    this.session.add(Object.assign(new Note(), { text: 'not to be kept' }));
    await this.session.flush();
    return this.session.firstOr404(this.session.query(Note, 'note').where({ text: 'none' }));
  }

  @Get('own')
  own(): never {
    throw new NotFoundError('of a session that Nest does not know');
  }
}

onEach(['mariadb', 'sqljs'], (database) => {
  describe.each(PLATFORMS)('with %s', (platform) => {
    let test: TestApp;

    beforeEach(async () => {
      test = await startApp(database, { platform, controllers: [NotesController] });
      await test.dataSource.manager.insert(
        Note,
        Array.from({ length: 25 }, (_, index) => ({ text: `note ${index + 1}` })),
      );
    });

    it('FLK-20: the client is told the description, or Nest’s own words', async () => {
      expect((await test.http.get('/notes/1').expect(200)).body).toEqual({ id: 1, text: 'note 1' });
      expect((await test.http.get('/notes/99').expect(404)).body).toEqual({
        statusCode: 404,
        message: 'There is no note 99.',
        error: 'Not Found',
      });
      const { body } = await test.http.get('/silent/99').expect(404);
      expect(body).toEqual({ statusCode: 404, message: 'Not Found' });
    });

    it('FLK-20: filters for Nest’s NotFoundException catch it, with its cause', async () => {
      const { body } = await test.http.get('/caught/99').expect(404);
      expect(body).toEqual({ caught: 'gone', cause: 'SS_ERR_NO_RESULT_FOUND' });
    });

    it('FLK-20: the work around it is rolled back', async () => {
      await test.http.post('/written').expect(404);
      expect(await test.dataSource.manager.count(Note)).toBe(25);
    });

    it('the session’s own NotFoundError is a 404 too', async () => {
      expect((await test.http.get('/own').expect(404)).body).toMatchObject({ error: 'SS_ERR_NOT_FOUND' });
    });

    it('PAG-01, PAG-03: the page comes from the query, and what is no page is a 404', async () => {
      const { body } = await test.http.get('/notes?page=2&perPage=10').expect(200);
      expect(body).toMatchObject({
        page: 2,
        perPage: 10,
        total: 25,
        pages: 3,
        hasNext: true,
        first: 11,
        last: 20,
      });
      expect(body.items).toHaveLength(10);
      expect((await test.http.get('/notes').expect(200)).body).toMatchObject({ page: 1, perPage: 20 });
      for (const asked of ['page=abc', 'page=0', 'page=4&perPage=10', 'perPage=-1', 'page=1&page=2'])
        expect((await test.http.get(`/notes?${asked}`).expect(404)).body).toEqual({
          statusCode: 404,
          message: 'Not Found',
        });
    });

    it('a page goes through ClassSerializerInterceptor with all that it says', async () => {
      const { body } = await test.http.get('/serialized').expect(200);
      expect(body).toMatchObject({ page: 1, total: 25, pages: 2, nextNum: 2, prevNum: null });
      expect(body.items).toHaveLength(20);
    });
  });
});
