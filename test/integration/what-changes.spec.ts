/** What docs/what-changes.md says is different once the module is imported. */
import { Body, ConflictException, Controller, Get, Post, UnauthorizedException } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import { ScopedSession, Session, SessionOptions } from 'nestjs-scoped-session';
import { Repository } from 'typeorm';
import { beforeEach, expect, it } from 'vitest';
import { engineOf } from '../../src/engine/index.js';
import { onEach, SERVERS, type TestDatabase } from '../support/databases.js';
import { Note } from '../support/note.js';
import { startApp, type TestApp } from '../support/test-app.js';

/** Commits a note from outside, as another request would. */
let fromOutside: (text: string) => Promise<unknown>;
/** Looks at the pool in the middle of a handler. */
let leased: () => number;

@Controller()
class NotesController {
  constructor(
    private readonly session: ScopedSession,
    @InjectRepository(Note) private readonly notes: Repository<Note>,
  ) {}

  @Post('half')
  async half(): Promise<void> {
    await this.notes.insert({ text: 'first half' });
    throw new ConflictException();
  }

  @Post('login')
  async login(): Promise<void> {
    await this.notes.insert({ text: 'undone' });
    await this.session.independently((own) => own.execute("INSERT INTO note (text) VALUES ('failed login')"));
    throw new UnauthorizedException();
  }

  /** What is found before and after somebody else has committed it. */
  private async findTwice(text: string): Promise<{ first: boolean; second: boolean; locking: boolean }> {
    const first = await this.notes.existsBy({ text });
    await fromOutside(text);
    const second = await this.notes.existsBy({ text });
    const locked = await this.notes.findOne({ where: { text }, lock: { mode: 'pessimistic_write' } });
    return { first, second, locking: locked !== null };
  }

  @Get('repeatable')
  @SessionOptions({ isolation: 'REPEATABLE READ' })
  repeatable(): Promise<object> {
    return this.findTwice('repeatable');
  }

  @Get('committed')
  @SessionOptions({ isolation: 'READ COMMITTED' })
  committed(): Promise<object> {
    return this.findTwice('committed');
  }

  @Post('caught')
  async caught(@Body() { nested }: { nested: boolean }, @Session() session: Session): Promise<void> {
    await this.notes.insert({ text: 'kept' });
    const duplicate = (): Promise<unknown> => this.notes.insert({ text: 'kept' });
    await (nested ? session.beginNested(duplicate) : duplicate()).catch(() => undefined);
  }

  @Post('pay')
  async pay(@Session() session: Session): Promise<object> {
    await this.notes.insert({ text: 'charging' });
    const before = leased();
    await session.commit();
    const during = leased();
    await this.notes.insert({ text: 'paid' });
    return { before, during };
  }

  @Post('level')
  async level(@Body() { first }: { first: boolean }, @Session() { dataSource }: Session): Promise<string> {
    if (!first) await this.notes.insert({ text: 'before' });
    return dataSource.transaction('SERIALIZABLE', async (manager) => {
      const sql = dataSource.options.type === 'mariadb' ? 'SELECT 1 AS level' : 'SHOW transaction_isolation';
      await manager.query(sql);
      return 'serializable';
    });
  }
}

onEach(SERVERS, (database: TestDatabase) => {
  let test: TestApp;
  const stored = async (): Promise<string[]> =>
    (await database.ask<Note>('SELECT text FROM note ORDER BY id')).map(({ text }) => text);

  beforeEach(async () => {
    test = await startApp(database, { controllers: [NotesController], dataSource: { poolSize: 4 } });
    fromOutside = (text) =>
      test.session.independently((own) => own.execute('INSERT INTO note (text) VALUES (:text)', { text }));
    leased = () => engineOf(test.dataSource).status().active;
  });

  it('a failing request stores nothing, but for what it did independently', async () => {
    await test.http.post('/half').expect(409);
    await test.http.post('/login').expect(401);
    expect(await stored()).toEqual(['failed login']);
  });

  it('reads see one moment under REPEATABLE READ, unless they lock', async () => {
    if (database.kind === 'mariadb') {
      await test.http.get('/repeatable').expect(200, { first: false, second: false, locking: true });
    } else {
      // PostgreSQL's locking reads see the same moment; they fail when the row has changed since, and this one is new.
      await test.http.get('/repeatable').expect(200, { first: false, second: false, locking: false });
    }
  });

  it('reads see what is committed meanwhile under READ COMMITTED', async () => {
    await test.http.get('/committed').expect(200, { first: false, second: true, locking: true });
  });

  it('an error that is caught spoils the transaction on PostgreSQL, and behind a savepoint nowhere', async () => {
    await test.http
      .post('/caught')
      .send({ nested: false })
      .expect(database.kind === 'postgres' ? 500 : 201);
    expect(await stored()).toEqual(database.kind === 'postgres' ? [] : ['kept']);
    await test.dataSource.query('DELETE FROM note');
    await test.http.post('/caught').send({ nested: true }).expect(201);
    expect(await stored()).toEqual(['kept']);
  });

  it('a commit before a slow call gives the connection back', async () => {
    await test.http.post('/pay').expect(201, { before: 1, during: 0 });
    expect(await stored()).toEqual(['charging', 'paid']);
  });

  it("dataSource.transaction with a level sets the request's, or is refused", async () => {
    await test.http.post('/level').send({ first: true }).expect(201, 'serializable');
    await test.http.post('/level').send({ first: false }).expect(500);
    expect(await stored()).toEqual([]);
  });
});
