/** FLK: one session for each context, and what a context that fails leaves behind. */
import {
  type ArgumentsHost,
  Catch,
  Controller,
  type ExceptionFilter,
  Get,
  Post,
  UseFilters,
} from '@nestjs/common';
import {
  createEngine,
  runInScope,
  scopedSession,
  ScopedSessionModule,
  Session,
  sessionFactory,
} from 'nestjs-scoped-session';
import { DataSource } from 'typeorm';
import { describe, expect, it } from 'vitest';
import { appModule, boot } from '../support/boot.js';
import { onEach } from '../support/databases.js';
import { Note } from '../support/note.js';
import { startApp } from '../support/test-app.js';
import { StatementRecorder } from '../support/statement-recorder.js';
import { INSERT_USER } from '../support/users.js';
import { usersSession } from '../support/users-session.js';

onEach(['mariadb', 'sqljs'], (database) => {
  const test = usersSession(database);

  it('FLK-02: a context has one session, and the next one another', async () => {
    const scoped = scopedSession(test.factory);
    const first = await runInScope(async () => {
      expect(scoped.current()).toBe(scoped.current());
      return scoped.current();
    });
    await runInScope(async () => expect(scoped.current()).not.toBe(first));
  });

  it('FLK-03: a context in another has a session of its own; the outer one is intact when it ends', async () => {
    const scoped = scopedSession(test.factory);
    await runInScope(async () => {
      const outer = scoped.current();
      await runInScope(async () => {
        expect(scoped.current()).not.toBe(outer);
        await scoped.remove();
      });
      expect(scoped.registry.has()).toBe(true);
      expect(scoped.current()).toBe(outer);
      await scoped.execute(INSERT_USER, { name: 'outer', nick: null });
      await scoped.commit();
    });
    expect(await test.names()).toContain('outer');
  });

  it('FLK-21: a scope function that gives a new value at each call gives a new session', () => {
    let calls = 0;
    const scoped = scopedSession(test.factory, () => (calls += 1));
    expect(scoped.current()).not.toBe(scoped.current());
  });
});

@Catch()
class AnswersAnyway implements ExceptionFilter {
  catch(_error: unknown, host: ArgumentsHost): void {
    host
      .switchToHttp()
      .getResponse<{ status(code: number): { json(body: object): void } }>()
      .status(500)
      .json({ handled: true });
  }
}

@Controller()
class FailsController {
  @Post()
  @UseFilters(AnswersAnyway)
  async write(@Session() session: Session): Promise<void> {
    session.add(Object.assign(new Note(), { text: 'not to be kept' }));
    await session.flush();
    throw new Error('handled by the filter');
  }
}

@Controller()
class OfNobodyController {
  @Get()
  read(@Session('nope') session: Session): Promise<unknown> {
    return session.scalar('SELECT 1');
  }
}

onEach(['mariadb', 'sqljs'], (database) => {
  it('FLK-09: an error that a filter makes a response of 500 of is not committed', async () => {
    const { http, dataSource } = await startApp(database, { controllers: [FailsController] });
    expect((await http.post('/').expect(500)).body).toEqual({ handled: true });
    expect(await dataSource.manager.count(Note)).toBe(0);
  });

  it('FLK-19: a database that nobody has named is an error that names it', async () => {
    const { http } = await startApp(database, { controllers: [OfNobodyController] });
    await http.get('/').expect(500);
    const { app } = await startApp(database, {});
    expect(() => app.get('nope')).toThrow(/nope/);
  });
});

onEach(['mariadb'], (database) => {
  it('FLK-18: sessions of two databases store in their own', async () => {
    const test = await startApp(database, {});
    const memory = new DataSource({ type: 'sqljs', entities: [Note], synchronize: true });
    const other = await createEngine(memory).initialize();
    const [first, second] = [test.session, scopedSession(sessionFactory(other))];
    await first.run(async () => {
      first.add(Object.assign(new Note(), { text: 'first' }));
      await second.run(() => second.add(Object.assign(new Note(), { text: 'second' })));
    });
    const texts = async (source: DataSource): Promise<string[]> =>
      (await source.manager.find(Note)).map(({ text }) => text);
    expect([await texts(test.dataSource), await texts(memory)]).toEqual([['first'], ['second']]);
    await other.dispose();
    await memory.destroy();
  });

  it('FLK-23: a connection speaks utf8mb4 without an option', async () => {
    const { session } = await startApp(database, {});
    await session.run(async () => {
      expect(await session.scalar('SELECT @@character_set_client')).toBe('utf8mb4');
      expect(await session.scalar('SELECT HEX(:text)', { text: '🦜' })).toBe('F09FA69C');
    });
  });

  it('FLK-24: what TypeORM’s logger is told are the session’s statements too, BEGIN and COMMIT among them', async () => {
    const recorder = new StatementRecorder();
    const { session } = await startApp(database, { dataSource: { logger: recorder } });
    recorder.take();
    await session.run(() => session.add(Object.assign(new Note(), { text: 'a' })));
    expect(recorder.rowStatements).toEqual([expect.stringMatching(/^INSERT INTO/)]);
    expect(recorder.transactionControl).toEqual(['BEGIN', 'COMMIT']);
  });
});

onEach(['sqljs'], (database) => {
  describe('FLK-16: an application without a database', () => {
    it('does not start, and is told what names one', async () => {
      const Unnamed = appModule({ imports: [ScopedSessionModule.forRoot()] });
      await expect(boot(database, { imports: [Unnamed] })).rejects.toThrow(/DATABASE_URL/);
      await expect(
        scopedSession(sessionFactory()).run((session) => session.scalar('SELECT 1')),
      ).rejects.toThrow(/sessionFactory\(dataSource\)/);
    });
  });
});
