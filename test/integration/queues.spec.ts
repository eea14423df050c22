/** Processors of BullMQ on a real Redis: each job is a unit of work, and an attempt that fails leaves nothing behind. */
import { BullModule, getQueueToken, InjectQueue, Processor, WorkerHost } from '@nestjs/bullmq';
import { Controller, Injectable, Param, Post } from '@nestjs/common';
import { InjectRepository, TypeOrmModule } from '@nestjs/typeorm';
import { type Job, Queue, QueueEvents } from 'bullmq';
import {
  BackgroundTasks,
  currentScope,
  NoActiveScopeError,
  ScopedSession,
  ScopedSessionModule,
  SessionScope,
} from 'nestjs-scoped-session';
import { DataSource, Repository } from 'typeorm';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { serve, type Served, withNotes } from '../support/boot.js';
import { onEach } from '../support/databases.js';
import { Note } from '../support/note.js';
import { texts } from '../support/plain-and-ours.js';
import type { PrivateServer } from '../support/private-server.js';
import { hasRedis, redisServer } from '../support/redis-server.js';
import { signal, waitUntil } from '../support/wait-until.js';

let redis: PrivateServer;
let gate = signal();
let scopes: unknown[] = [];
let sessions = new Set<unknown>();
let together = 0;
let most = 0;

interface Mail {
  readonly text: string;
  readonly failures?: number;
}

@Injectable()
@Processor('mail', { concurrency: 5 })
class MailProcessor extends WorkerHost {
  constructor(
    @InjectRepository(Note) private readonly notes: Repository<Note>,
    private readonly session: ScopedSession,
  ) {
    super();
  }

  @SessionScope()
  override async process(job: Job<Mail>): Promise<string> {
    const { text, failures = 0 } = job.data;
    scopes.push(currentScope()?.label);
    sessions.add(this.session.current());
    together += 1;
    most = Math.max(most, together);
    try {
      await this.notes.insert({ text });
      if (job.attemptsMade < failures) throw new Error(`attempt ${job.attemptsMade}`);
      await gate.promise;
      return text;
    } finally {
      together -= 1;
    }
  }
}

@Injectable()
@Processor('naked')
class NakedProcessor extends WorkerHost {
  constructor(private readonly session: ScopedSession) {
    super();
  }

  async process(): Promise<void> {
    await this.session.execute('SELECT 1');
  }
}

@Controller()
class OrdersController {
  constructor(
    @InjectQueue('mail') private readonly queue: Queue<Mail>,
    @InjectRepository(Note) private readonly notes: Repository<Note>,
    private readonly tasks: BackgroundTasks,
  ) {}

  /** A job must not begin before what it is about was committed. */
  @Post('orders/:text')
  async order(@Param('text') text: string): Promise<string> {
    await this.notes.insert({ text });
    this.tasks.afterCommit(() => this.queue.add('mail', { text: `mail of ${text}` }));
    return 'ordered';
  }
}

describe.skipIf(!hasRedis)('with Redis', () => {
  beforeAll(async () => {
    redis = await redisServer();
  });
  afterAll(() => redis.stop());

  onEach(['mariadb', 'postgres'], (database) => {
    let served: Served;
    let queue: Queue<Mail>;
    let events: QueueEvents;
    const stored = (): Promise<string[]> => texts(served.app.get(DataSource));
    const finished = async (job: Job<Mail>): Promise<unknown> => job.waitUntilFinished(events);

    beforeEach(async () => {
      gate = signal();
      [scopes, sessions, together, most] = [[], new Set(), 0, 0];
      const connection = { host: '127.0.0.1', port: redis.port };
      served = await serve(database, {
        imports: [
          TypeOrmModule.forRoot(withNotes(database)),
          TypeOrmModule.forFeature([Note]),
          ScopedSessionModule.forRoot(),
          BullModule.forRoot({ connection, prefix: database.user }),
          BullModule.registerQueue({ name: 'mail' }, { name: 'naked' }),
        ],
        controllers: [OrdersController],
        providers: [MailProcessor, NakedProcessor],
      });
      queue = served.app.get<Queue<Mail>>(getQueueToken('mail'));
      events = new QueueEvents('mail', { connection, prefix: database.user });
      await events.waitUntilReady();
    });
    afterEach(async () => {
      await events.close();
      await served.close();
    });

    it('F81: a job that succeeds is committed when its result is known', async () => {
      gate.resolve();
      const job = await queue.add('mail', { text: 'a' });
      expect(await finished(job)).toBe('a');
      expect([await stored(), scopes]).toEqual([['a'], ['MailProcessor.process']]);
      expect(served.liveScopes()).toBe(0);
    });

    it('an attempt that fails is rolled back, and the next one has a session of its own', async () => {
      gate.resolve();
      const job = await queue.add('mail', { text: 'a', failures: 2 }, { attempts: 3 });
      expect(await finished(job)).toBe('a');
      expect([await stored(), scopes.length, sessions.size]).toEqual([['a'], 3, 3]);
    });

    it('a job that fails for good leaves nothing', async () => {
      const job = await queue.add('mail', { text: 'a', failures: 9 }, { attempts: 2 });
      await expect(finished(job)).rejects.toThrow('attempt 1');
      expect([await stored(), scopes.length]).toEqual([[], 2]);
    });

    it('jobs that run together have a session each', async () => {
      const jobs = await queue.addBulk(
        Array.from({ length: 5 }, (_, index) => ({ name: 'mail', data: { text: `${index}` } })),
      );
      await waitUntil('all run together', () => most === 5);
      expect([served.liveScopes(), sessions.size, await stored()]).toEqual([5, 5, []]);
      gate.resolve();
      await Promise.all(jobs.map((job) => finished(job)));
      expect((await stored()).toSorted()).toEqual(['0', '1', '2', '3', '4']);
    });

    it('the shutdown waits for a job that runs, which commits before the connections are closed', async () => {
      const job = await queue.add('mail', { text: 'a' });
      await waitUntil('it runs', () => together === 1);
      const result = finished(job);
      const closing = served.close();
      gate.resolve();
      await closing;
      expect(await result).toBe('a');
      expect(await database.ask('SELECT text FROM note')).toEqual([{ text: 'a' }]);
    });

    it('a request puts a job into the queue when it was committed, which finds what it is about', async () => {
      gate.resolve();
      await served.http.post('/orders/a').expect(201);
      await waitUntil('the job is done', async () => (await stored()).length === 2);
      expect(await stored()).toEqual(['a', 'mail of a']);
      await served.http.post('/orders/a').expect(500);
      await served.app.get(BackgroundTasks).idle();
      expect(await queue.getJobCounts('waiting', 'active', 'completed')).toMatchObject({
        waiting: 0,
        active: 0,
      });
      expect(scopes).toHaveLength(1);
    });

    it('without @SessionScope() a processor has no session, and the error of the job names the cure', async () => {
      const naked = served.app.get<Queue>(getQueueToken('naked'));
      const job = await naked.add('any', {});
      await waitUntil('it has failed', async () => (await naked.getFailedCount()) === 1);
      const { failedReason } = (await naked.getJob(job.id!)) as Job;
      expect(failedReason).toBe(new NoActiveScopeError('A registry of scopes').message);
      expect(failedReason).toContain('@SessionScope()');
    });
  });
});
