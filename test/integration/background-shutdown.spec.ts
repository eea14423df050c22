/** `app.close()` and background tasks: what was accepted is finished, what hangs is undone, and nothing new is begun. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Controller, Post } from '@nestjs/common';
import { InjectRepository, TypeOrmModule } from '@nestjs/typeorm';
import {
  BackgroundTasks,
  DrainingError,
  ScopeAbortedError,
  ScopedSessionModule,
  type ScopedSessionModuleOptions,
} from 'nestjs-scoped-session';
import { DataSource, type DataSourceOptions, Repository } from 'typeorm';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { ActiveWork } from '../../src/nest/active-work.js';
import { serve, type Served, withNotes } from '../support/boot.js';
import { onEach } from '../support/databases.js';
import { Note } from '../support/note.js';
import { signal, waitUntil } from '../support/wait-until.js';

let gate = signal();
let arrived = signal();

@Controller()
class WorkController {
  constructor(
    private readonly tasks: BackgroundTasks,
    @InjectRepository(Note) private readonly notes: Repository<Note>,
  ) {}

  @Post('slow')
  async slow(): Promise<string> {
    this.tasks.afterCommit(() => this.notes.insert({ text: 'registered before' }));
    arrived.resolve();
    await gate.promise;
    this.tasks.afterCommit(() => this.notes.insert({ text: 'registered while it drains' }));
    this.tasks.run(() => this.notes.insert({ text: 'started while it drains' }));
    return 'done';
  }
}

onEach(['mariadb', 'sqljs'], (database) => {
  let directory: string;
  let served: Served;
  let tasks: BackgroundTasks;
  // sql.js writes its file with every commit: it can be read when the application is gone.
  const options = (): DataSourceOptions =>
    withNotes(
      database,
      database.kind === 'sqljs' ? { location: join(directory, 'notes'), autoSave: true } : {},
    );
  const start = async (session: ScopedSessionModuleOptions = {}): Promise<void> => {
    served = await serve(database, {
      imports: [
        TypeOrmModule.forRoot(options()),
        TypeOrmModule.forFeature([Note]),
        ScopedSessionModule.forRoot({ backgroundConcurrency: 1, ...session }),
      ],
      controllers: [WorkController],
    });
    tasks = served.app.get(BackgroundTasks);
  };
  const add = (text: string, label: string, wait?: Promise<unknown>): ReturnType<typeof tasks.run> =>
    tasks.run(
      async ({ manager }) => {
        await manager.insert(Note, { text });
        arrived.resolve();
        await wait;
      },
      { label },
    );
  const stored = async (): Promise<string[]> => {
    const reader = new DataSource({ ...options(), synchronize: false, dropSchema: false });
    await reader.initialize();
    const rows = await reader.getRepository(Note).find({ order: { id: 'ASC' } });
    await reader.destroy();
    return rows.map(({ text }) => text);
  };

  beforeEach(() => {
    gate = signal();
    arrived = signal();
    directory = mkdtempSync(join(tmpdir(), 'background-'));
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  it('F73: waits for tasks that run and for tasks that wait, and refuses others', async () => {
    await start();
    add('first', 'a', gate.promise);
    add('second', 'b');
    await arrived.promise;
    const closing = served.close();
    await waitUntil('the application drains', async () => (await served.http.post('/slow')).status === 503);
    expect(() => add('third', 'c')).toThrow(DrainingError);
    expect(() => add('third', 'c')).toThrow('c was not started: the application is shutting down.');
    gate.resolve();
    await closing;
    expect(await stored()).toEqual(['first', 'second']);
    expect(served.heard.of('error')).toEqual([]);
  });

  it('F73: finishes what requests start that it waits for', async () => {
    await start();
    const answer = served.http.post('/slow').then(({ status }) => status);
    await arrived.promise;
    const closing = served.close();
    await waitUntil('the application drains', async () => (await served.http.post('/slow')).status === 503);
    gate.resolve();
    expect(await answer).toBe(201);
    await closing;
    expect((await stored()).toSorted()).toEqual([
      'registered before',
      'registered while it drains',
      'started while it drains',
    ]);
  });

  it('F74: undoes a task that hangs after drainTimeoutMs, begins no other, and reports both by name', async () => {
    await start({ drainTimeoutMs: 50 });
    const hanging = add('first', 'hangs', new Promise(() => undefined));
    const waiting = add('second', 'waits');
    await arrived.promise;
    await served.close();
    const aborted = { outcome: 'failed', error: expect.any(ScopeAbortedError) };
    expect([await hanging.done, await waiting.done]).toEqual([aborted, aborted]);
    expect(served.heard.of('warn', '1 unit(s) of work were cut short: hangs.')).toHaveLength(1);
    expect(served.heard.of('warn', '1 task(s) were not begun: waits.')).toHaveLength(1);
    expect(served.heard.of('error').map((text) => text.split(':')[0])).toEqual([
      'waits failed',
      'hangs failed',
    ]);
    expect(await stored()).toEqual([]);
  });

  it('F74: does not wait for a task that waits to be run again', async () => {
    await start({ drainTimeoutMs: 50 });
    const failed = signal();
    const task = tasks.run(
      () => {
        failed.resolve();
        throw new Error('again');
      },
      { label: 'again', retry: { times: 1, on: () => true, delayMs: 60_000 } },
    );
    await failed.promise;
    await served.close();
    expect(await task.done).toEqual({ outcome: 'failed', error: expect.any(ScopeAbortedError) });
  });

  it('two that drain at the same time, as a server of GraphQL and the application do, both end with the work', async () => {
    await start({ drainTimeoutMs: 60_000 });
    add('first', 'a', gate.promise);
    await arrived.promise;
    const work = served.app.get(ActiveWork, { strict: false });
    const draining = [work.drain(), work.drain()];
    gate.resolve();
    await Promise.all(draining);
    await served.close();
    expect(await stored()).toEqual(['first']);
  });

  it('is done at once when there is none, and accepts none afterwards', async () => {
    await start();
    await served.close();
    expect(() => tasks.run(() => undefined)).toThrow(DrainingError);
  });
});
