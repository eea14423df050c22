/** A COMMIT that fails is told to the client, nothing is stored, and the next request is served. */
import { Controller, Post } from '@nestjs/common';
import { CommitOutcomeUnknownError, ScopedSession, Session, SessionOptions } from 'nestjs-scoped-session';
import { describe, expect, it } from 'vitest';
import { onEach, SERVERS } from '../support/databases.js';
import { Note } from '../support/note.js';
import { loseAtCommit } from '../support/plain-and-ours.js';
import { PLATFORMS, startApp } from '../support/test-app.js';

onEach(SERVERS, (database) => {
  @Controller()
  class NotesController {
    constructor(private readonly session: ScopedSession) {}

    @Post('killed')
    async killed(): Promise<string> {
      await this.session.manager.insert(Note, { text: 'never stored' });
      await loseAtCommit(this.session);
      return 'the handler is content';
    }

    @Post('deferred')
    async deferred(): Promise<string> {
      // PostgreSQL checks a deferred constraint at COMMIT: the server refuses what every statement accepted.
      await this.session.query(
        'CREATE TABLE IF NOT EXISTS child (parent INT REFERENCES note (id) DEFERRABLE INITIALLY DEFERRED)',
      );
      await this.session.query('INSERT INTO child VALUES (42)');
      await this.session.manager.insert(Note, { text: 'never stored' });
      return 'the handler is content';
    }

    @Post('served')
    async served(): Promise<string> {
      await this.session.manager.insert(Note, { text: 'stored' });
      return 'stored';
    }
  }

  describe.each(PLATFORMS)('%s', (platform) => {
    it('a connection that is lost at COMMIT is 5xx, and nothing is stored', async () => {
      const { http } = await startApp(database, {
        platform,
        controllers: [NotesController],
        dataSource: { poolSize: 1 },
      });
      const { status } = await http.post('/killed');
      expect(status).toBe(500);
      await http.post('/served').expect(201, 'stored');
      expect(await database.ask('SELECT text FROM note')).toEqual([{ text: 'stored' }]);
    });

    it.runIf(database.kind === 'postgres')(
      'a COMMIT that the server refuses is 5xx, and nothing is stored',
      async () => {
        const { http } = await startApp(database, {
          platform,
          controllers: [NotesController],
          dataSource: { poolSize: 1 },
        });
        await http.post('/deferred').expect(500);
        await http.post('/served').expect(201, 'stored');
        expect(await database.ask('SELECT text FROM note')).toEqual([{ text: 'stored' }]);
      },
    );
  });

  it('the error says what is known', async () => {
    const { session } = await startApp(database, { controllers: [NotesController] });
    const work = session.run(async () => {
      await session.execute("INSERT INTO note (text) VALUES ('x')");
      await loseAtCommit(session);
    });
    const error: unknown = await work.catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(CommitOutcomeUnknownError);
    expect(error).toMatchObject({
      outcome: 'unknown',
      retryable: false,
      code: 'SS_ERR_COMMIT_OUTCOME_UNKNOWN',
    });
    expect((error as Error).cause).toBeInstanceOf(Error);
  });
});

onEach(['mariadb'], (database) => {
  /** The token of the request that a connection was leased for, as the connection itself remembers it. */
  @Controller()
  class TokenController {
    @Post('token')
    @SessionOptions({ isolation: 'READ COMMITTED' })
    async token(@Session() session: Session): Promise<string[]> {
      const token = `${Math.random()}`;
      session.info['token'] = token;
      await session.execute('SET @canary = :token', { token });
      const seen: unknown[] = [];
      for (let statement = 0; statement < 3; statement += 1) {
        seen.push(await session.scalar('SELECT @canary'), session.info['token']);
      }
      await session.execute('SET @canary = NULL');
      return [...new Set([token, ...seen.map(String)])];
    }
  }

  it('I5: no statement of a request runs on a connection of another one', async () => {
    const { http } = await startApp(database, {
      controllers: [TokenController],
      dataSource: { poolSize: 3 },
    });
    const answers = await Promise.all(Array.from({ length: 60 }, () => http.post('/token').expect(201)));
    for (const { body } of answers) expect(body).toHaveLength(1);
    expect(new Set(answers.map(({ body }) => (body as string[])[0])).size).toBe(60);
  });
});
