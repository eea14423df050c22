/** Background tasks of an application: started by requests, which neither wait for them nor hear of their errors. */
import { ConflictException, Controller, Injectable, Param, Post } from '@nestjs/common';
import { InjectRepository, TypeOrmModule } from '@nestjs/typeorm';
import {
  BackgroundTasks,
  currentScope,
  ScopedSession,
  ScopedSessionModule,
  type ScopedSessionModuleOptions,
  Session,
} from 'nestjs-scoped-session';
import { DataSource, Repository } from 'typeorm';
import { beforeEach, describe, expect, it } from 'vitest';
import { serve, type Served, withNotes } from '../support/boot.js';
import { onEach } from '../support/databases.js';
import { Note } from '../support/note.js';
import { PLATFORMS } from '../support/test-app.js';
import { signal, waitUntil } from '../support/wait-until.js';

let gate = signal();
/** What the tasks saw. */
let seen: unknown[] = [];

@Injectable()
class MailService {
  constructor(
    @InjectRepository(Note) private readonly notes: Repository<Note>,
    private readonly session: ScopedSession,
  ) {}

  /** Any provider: the repository and the session are the task's. */
  async send(to: string): Promise<void> {
    seen.push(await this.notes.countBy({ text: to }), currentScope()?.label);
    await this.notes.insert({ text: `mail to ${to}` });
    await this.session.execute('SELECT 1');
  }
}

@Controller()
class MembersController {
  constructor(
    private readonly tasks: BackgroundTasks,
    private readonly mail: MailService,
    @InjectRepository(Note) private readonly notes: Repository<Note>,
  ) {}

  @Post('joins/:name')
  async joins(@Param('name') name: string): Promise<string> {
    await this.notes.insert({ text: name });
    this.tasks.afterCommit(() => this.mail.send(name));
    return 'joined';
  }

  @Post('fails/:name')
  async fails(@Param('name') name: string): Promise<never> {
    await this.joins(name);
    this.tasks.run(() => this.mail.send('the operator'));
    throw new ConflictException();
  }

  /** Refused by the database when everything is flushed: after the handler. */
  @Post('refused/:name')
  async refused(@Param('name') name: string, @Session() session: Session): Promise<string> {
    await this.joins(name);
    session.add(Object.assign(new Note(), { text: name }));
    return 'not joined';
  }

  @Post('waits')
  async waits(): Promise<string> {
    this.tasks.run(async () => {
      await gate.promise;
      await this.mail.send('late');
    });
    return 'at once';
  }

  @Post('throws')
  throws(): string {
    this.tasks.afterCommit(
      async (session) => {
        await session.execute("INSERT INTO note (text) VALUES ('never')");
        throw new Error('no mail server');
      },
      { label: 'mail' },
    );
    return 'fine';
  }
}

onEach(['mariadb', 'sqljs'], (database) => {
  describe.each(PLATFORMS)('%s', (platform) => {
    let served: Served;
    let tasks: BackgroundTasks;
    const start = async (session?: ScopedSessionModuleOptions): Promise<void> => {
      served = await serve(
        database,
        {
          imports: [
            TypeOrmModule.forRoot(withNotes(database, { poolSize: 3 })),
            TypeOrmModule.forFeature([Note]),
            ScopedSessionModule.forRoot(session),
          ],
          controllers: [MembersController],
          providers: [MailService],
        },
        platform,
      );
      tasks = served.app.get(BackgroundTasks);
    };
    const stored = async (): Promise<string[]> => {
      const rows = await served.app
        .get(DataSource)
        .getRepository(Note)
        .find({ order: { id: 'ASC' } });
      return rows.map(({ text }) => text);
    };

    beforeEach(() => {
      gate = signal();
      seen = [];
    });

    it('F81: a task finds its own session wherever it goes, and what the request has committed', async () => {
      await start();
      await served.http.post('/joins/ada').expect(201);
      await tasks.idle();
      expect(seen).toEqual([1, 'background task of MembersController.joins']);
      expect(await stored()).toEqual(['ada', 'mail to ada']);
    });

    it('a request that fails starts nothing that waits for its COMMIT, and what was started now goes on', async () => {
      await start();
      await served.http.post('/fails/ada').expect(409);
      await tasks.idle();
      expect(await stored()).toEqual(['mail to the operator']);
      expect(tasks.status()).toEqual({ running: 0, waiting: 0, registered: 0 });
    });

    it('nor does one whose flush is refused after the handler', async () => {
      await start();
      await served.http.post('/refused/ada').expect(500);
      await tasks.idle();
      expect([seen, await stored()]).toEqual([[], []]);
    });

    it('the answer does not wait for a task', async () => {
      await start();
      const { text } = await served.http.post('/waits').expect(201);
      expect([text, tasks.status().running]).toEqual(['at once', 1]);
      gate.resolve();
      await tasks.idle();
      expect(await stored()).toEqual(['mail to late']);
    });

    it('BGT-08: the error of a task is logged with its label and told to onBackgroundError; the request is answered', async () => {
      const told: unknown[] = [];
      await start({
        onBackgroundError: async (error, { label }) => {
          told.push([label, (error as Error).message]);
          throw new Error('the reporter fails too');
        },
      });
      await served.http.post('/throws').expect(201);
      await tasks.idle();
      expect(told).toEqual([['mail', 'no mail server']]);
      await waitUntil('the failure of the reporter is logged', () => served.heard.of('error').length > 1);
      expect(served.heard.of('error')).toEqual([
        'mail failed: Error: no mail server',
        'onBackgroundError, which was told of it, failed: Error: the reporter fails too',
      ]);
      expect(await stored()).toEqual([]);
    });

    it('F81: many requests, each with a task of its own, on a small pool: all are kept, and nobody waits for ever', async () => {
      await start();
      const names = Array.from({ length: 40 }, (_, index) => `member ${index}`);
      const statuses = await Promise.all(
        names.map(async (name) => (await served.http.post(`/joins/${encodeURIComponent(name)}`)).status),
      );
      await tasks.idle();
      expect(new Set(statuses)).toEqual(new Set([201]));
      const mails = names.map((name) => `mail to ${name}`);
      expect((await stored()).toSorted()).toEqual([...names, ...mails].toSorted());
      expect(served.heard.of('error')).toEqual([]);
    });

    it('a task that has no place fails the request that asks for it: 503, to be tried again', async () => {
      await start({ backgroundConcurrency: 1, backgroundQueueLimit: 0 });
      await served.http.post('/waits').expect(201);
      const { body, headers } = await served.http.post('/joins/ada').expect(503);
      expect([body.error, headers['retry-after']]).toEqual(['SS_ERR_BACKGROUND_QUEUE_FULL', '1']);
      gate.resolve();
      await tasks.idle();
      expect(await stored()).toEqual(['mail to late']);
    });
  });
});

onEach(['mariadb'], (database) => {
  const start = async (poolSize: number, session?: ScopedSessionModuleOptions): Promise<Served> => {
    const imports = [
      TypeOrmModule.forRoot(withNotes(database, { poolSize })),
      TypeOrmModule.forFeature([Note]),
      ScopedSessionModule.forRoot(session),
    ];
    return serve(database, { imports, controllers: [MembersController], providers: [MailService] });
  };
  const runningOf = async ({ app }: Served, count: number): Promise<number> => {
    const tasks = app.get(BackgroundTasks);
    const hold = signal();
    for (let index = 0; index < count; index += 1) tasks.run(() => hold.promise);
    const { running } = tasks.status();
    hold.resolve();
    await tasks.idle();
    return running;
  };

  it.each([
    [10, 5],
    [3, 2],
    [1, 1],
  ])('of %i connections, tasks take at most %i by default', async (poolSize, running) => {
    expect(await runningOf(await start(poolSize), 9)).toBe(running);
  });

  it('more is what the application says, with a warning where none is left for requests', async () => {
    const served = await start(3, { backgroundConcurrency: 3 });
    expect(await runningOf(served, 9)).toBe(3);
    expect(served.heard.of('warn', 'backgroundConcurrency is 3')).toEqual([
      expect.stringContaining('the pool of the database "default" lends 3 connections'),
    ]);
    const other = await start(3, { backgroundConcurrency: 2 });
    expect(other.heard.of('warn', 'backgroundConcurrency')).toEqual([]);
  });
});
