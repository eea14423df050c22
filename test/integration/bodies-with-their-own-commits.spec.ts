/** Bodies that commit by hand, or hand on rows as they are read: what they leave is what their client may believe. */
import { Readable } from 'node:stream';
import { Controller, Get, Param, Post, StreamableFile } from '@nestjs/common';
import { BackgroundTasks, ScopedSession, SessionOptions } from 'nestjs-scoped-session';
import { beforeEach, expect, it } from 'vitest';
import { onEach, SERVERS } from '../support/databases.js';
import { texts } from '../support/plain-and-ours.js';
import { startApp, type TestApp } from '../support/test-app.js';
import { waitUntil } from '../support/wait-until.js';

const INSERT = 'INSERT INTO note (text) VALUES (:text)';
const MANY =
  'WITH RECURSIVE many (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM many WHERE n < 900) SELECT a.n FROM many a, many b';
let told: string[] = [];

@Controller()
class OwnCommitsController {
  constructor(
    private readonly session: ScopedSession,
    private readonly tasks: BackgroundTasks,
  ) {}

  @Post('manual/:end')
  @SessionOptions({ commit: 'manual' })
  async manual(@Param('end') end: string): Promise<StreamableFile> {
    await this.session.execute(INSERT, { text: 'by the handler' });
    this.session.afterCompletion((outcome) => void told.push(outcome));
    const { done } = this.tasks.afterCommit(() => undefined);
    void done.then(({ outcome }) => told.push(`task ${outcome}`));
    return fileOf(this.#pieces(end === 'committed'));
  }

  @Get('rows')
  rows(): StreamableFile {
    return fileOf(this.#rows());
  }

  async *#pieces(commits: boolean): AsyncGenerator<Buffer> {
    yield Buffer.from('first');
    await this.session.execute(INSERT, { text: 'by the body' });
    if (commits) await this.session.commit();
    yield Buffer.from('last');
  }

  async *#rows(): AsyncGenerator<Buffer> {
    for await (const { n } of this.session.stream<{ n: number }>(MANY)) yield Buffer.from(`${n} `.repeat(50));
  }
}

const fileOf = (pieces: AsyncGenerator<Buffer>): StreamableFile =>
  new StreamableFile(Readable.from(pieces, { objectMode: false }));

onEach(SERVERS, (database) => {
  let test: TestApp;

  beforeEach(async () => {
    told = [];
    test = await startApp(database, { controllers: [OwnCommitsController], dataSource: { poolSize: 1 } });
  });

  it('with commit: manual nothing is committed before the body, and what it commits is all of it', async () => {
    await test.http.post('/manual/committed').expect(201);
    await waitUntil('the task has ended', () => told.length === 2);
    expect(told).toEqual(['committed', 'task succeeded']);
    expect(await texts(test.dataSource)).toEqual(['by the handler', 'by the body']);
  });

  it('with commit: manual, and no commit in the body, nothing is stored and no task is begun', async () => {
    await test.http.post('/manual/dropped').expect(201);
    await waitUntil('the task was dropped', () => told.length === 2);
    expect(told.toSorted()).toEqual(['rolledBack', 'task dropped']);
    expect(await texts(test.dataSource)).toEqual([]);
  });

  it('rows that are handed on while they are read give their connection back when the client goes', async () => {
    for (let time = 0; time < 3; time += 1) {
      const gone = new AbortController();
      // One after the other: there is one connection. oxlint-disable-next-line no-await-in-loop
      const response = await fetch(`${test.url}/rows`, { signal: gone.signal });
      // oxlint-disable-next-line no-await-in-loop
      await response.body!.getReader().read();
      gone.abort();
    }
    await waitUntil('all have ended', () => test.liveScopes() === 0);
    expect(test.session.sessionFactory.engine!.status()).toMatchObject({ active: 0 });
    expect(Number(await test.session.run((session) => session.scalar('SELECT 1')))).toBe(1);
  });
});
