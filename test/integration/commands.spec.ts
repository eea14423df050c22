/** Commands and scripts: an application without HTTP, whose work is committed, drained, and told by its exit code. */
import { TypeOrmModule } from '@nestjs/typeorm';
import {
  BackgroundTasks,
  NoActiveScopeError,
  ScopedSession,
  ScopedSessionModule,
} from 'nestjs-scoped-session';
import { DataSource } from 'typeorm';
import { beforeEach, describe, expect, it } from 'vitest';
import type { Command, CommandEnd } from '../fixtures/runs-command.js';
import { boot, type Booted, withNotes } from '../support/boot.js';
import { onEach, useDatabase } from '../support/databases.js';
import type { Note } from '../support/note.js';
import { texts } from '../support/plain-and-ours.js';
import { Program } from '../support/program.js';
import { signal } from '../support/wait-until.js';

onEach(['mariadb', 'postgres', 'sqljs'], (database) => {
  let booted: Booted;
  let session: ScopedSession;
  const INSERT = 'INSERT INTO note (text) VALUES (:text)';
  const stored = (): Promise<string[]> => texts(booted.app.get(DataSource));

  beforeEach(async () => {
    booted = await boot(database, {
      imports: [TypeOrmModule.forRoot(withNotes(database)), ScopedSessionModule.forRoot()],
    });
    session = booted.app.get(ScopedSession);
  });

  it('F81: run(fn) commits, or rolls back and throws', async () => {
    expect(await session.run((own) => own.execute(INSERT, { text: 'a' }).then(() => 'done'))).toBe('done');
    const failing = session.run(async () => {
      await session.execute(INSERT, { text: 'b' });
      throw new Error('of the command');
    });
    await expect(failing).rejects.toThrow('of the command');
    expect([await stored(), booted.liveScopes()]).toEqual([['a'], 0]);
  });

  it('outside of it the session is refused', async () => {
    await expect(session.execute(INSERT, { text: 'a' })).rejects.toBeInstanceOf(NoActiveScopeError);
  });

  it('idle() waits for what the command has left behind', async () => {
    const tasks = booted.app.get(BackgroundTasks);
    await session.run(async () => {
      tasks.afterCommit((own) => own.execute(INSERT, { text: 'task' }));
    });
    await tasks.idle();
    expect(await stored()).toEqual(['task']);
  });

  it('close() waits for work that nobody awaits', async () => {
    const gate = signal();
    const work = session.run(async () => {
      await session.execute(INSERT, { text: 'a' });
      await gate.promise;
      return 'done';
    });
    const closing = booted.close();
    gate.resolve();
    await closing;
    expect(await work).toBe('done');
  });
});

describe('a command in a process of its own', () => {
  const database = useDatabase('mariadb');
  interface Ended {
    readonly code: number | null;
    readonly signal: string | null;
    readonly errors: string;
    readonly lines: readonly string[];
  }
  const run = async (ends: CommandEnd): Promise<Ended> => {
    const command: Command = { dataSource: database.options(), ends };
    const program = new Program('test/fixtures/runs-command.ts', command);
    return { ...(await program.ended()), lines: program.lines };
  };

  it('ends by itself when the application is closed, with its tasks done; fails, or is terminated, as it should', async () => {
    const dataSource = await new DataSource(withNotes(database)).initialize();
    await dataSource.destroy();
    const [closes, fails, isTerminated] = await Promise.all([
      run('closes'),
      run('fails'),
      run('is terminated'),
    ]);
    expect(closes).toEqual({ code: 0, signal: null, errors: '', lines: [] });
    expect(fails).toEqual({ code: 3, signal: null, errors: '', lines: ['of the command'] });
    expect(isTerminated).toEqual({ code: null, signal: 'SIGTERM', errors: '', lines: [] });
    const rows = await database.ask<Note>('SELECT text FROM note ORDER BY text');
    expect(rows.map(({ text }) => text)).toEqual([
      'task: closes',
      'task: is terminated',
      'work: closes',
      'work: is terminated',
    ]);
  });
});
