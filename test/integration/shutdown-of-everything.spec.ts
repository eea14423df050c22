/** `app.close()` while everything runs at once: a body, events, a GraphQL mutation, tasks and jobs; none keeps it waiting. */
import { Readable } from 'node:stream';
import { Controller, Get, type MessageEvent, Sse, StreamableFile } from '@nestjs/common';
import { Mutation, Query, Resolver } from '@nestjs/graphql';
import { BackgroundTasks, ScopedSession } from 'nestjs-scoped-session';
import { concat, defer, NEVER, type Observable } from 'rxjs';
import { expect, it } from 'vitest';
import { onEach } from '../support/databases.js';
import { GRAPHQL_DRIVERS, serveGraphQL } from '../support/graphql-app.js';
import { waitUntil } from '../support/wait-until.js';

const INSERT = 'INSERT INTO note (text) VALUES (:text)';
const never = new Promise<never>(() => undefined);
let arrived: string[] = [];

@Controller()
@Resolver()
class HangingController {
  constructor(
    private readonly session: ScopedSession,
    private readonly tasks: BackgroundTasks,
  ) {}

  async hang(what: string): Promise<never> {
    await this.session.execute(INSERT, { text: what });
    this.tasks.afterCommit(() => void arrived.push(`task of ${what}`));
    arrived.push(what);
    return never;
  }

  @Get('body')
  body(): StreamableFile {
    return new StreamableFile(Readable.from(this.#pieces(), { objectMode: false }));
  }

  @Get('rows')
  rows(): StreamableFile {
    return new StreamableFile(Readable.from(this.#rows(), { objectMode: false }));
  }

  @Sse('events')
  events(): Observable<MessageEvent> {
    return concat(
      defer(() => this.hang('events')),
      NEVER,
    );
  }

  @Query(() => String)
  nothing(): string {
    return 'nothing';
  }

  @Mutation(() => String)
  async mutate(): Promise<string> {
    return this.hang('mutation');
  }

  async *#pieces(): AsyncGenerator<Buffer> {
    yield Buffer.from('first');
    yield await this.hang('body');
  }

  async *#rows(): AsyncGenerator<Buffer> {
    for await (const { n } of this.session.stream<{ n: number }>('SELECT 1 AS n UNION SELECT 2')) {
      yield Buffer.from(String(n));
      arrived.push('rows');
      await never;
    }
  }
}

onEach(['mariadb'], (database) => {
  it.each(GRAPHQL_DRIVERS)('is cut short as a whole, and leaves nothing: %s', async (driver) => {
    arrived = [];
    const test = await serveGraphQL(database, driver, {
      providers: [HangingController],
      controllers: [HangingController],
      dataSource: { poolSize: 10 },
      session: { drainTimeoutMs: 300, backgroundConcurrency: 2 },
    });
    const tasks = test.app.get(BackgroundTasks);
    const session = test.app.get(ScopedSession);
    const hanging = test.app.get(HangingController);
    const told = [
      fetch(`${test.url}/body`).then((answer) => answer.text()),
      fetch(`${test.url}/rows`).then((answer) => answer.text()),
      fetch(`${test.url}/events`).then((answer) => answer.text()),
      test.ask('mutation { mutate }'),
      session.run(() => hanging.hang('job')),
    ].map(async (one) => one.then(String, (error: Error) => error.constructor.name));
    const done = ['first task', 'second task', 'third task'].map(
      (name) => tasks.run(() => hanging.hang(name)).done,
    );
    await waitUntil('all of them hang', () => arrived.length === 7);
    await test.close();
    expect(test.liveScopes()).toBe(0);
    const outcomes = await Promise.all(done);
    expect(outcomes.map(({ outcome }) => outcome)).toEqual(['failed', 'failed', 'failed']);
    expect(tasks.status()).toEqual({ running: 0, waiting: 0, registered: 0 });
    expect(await Promise.all(told)).toHaveLength(5);
    expect(arrived.filter((one) => one.startsWith('task of'))).toEqual([]);
    expect(await database.ask('SELECT text FROM note')).toEqual([]);
  });
});
