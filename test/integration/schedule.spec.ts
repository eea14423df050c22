/** `@Cron`, `@Interval` and `@Timeout` of @nestjs/schedule: a unit of work for each call, by `@SessionScope()` or `run(fn)`. */
import { Injectable } from '@nestjs/common';
import { Cron, Interval, ScheduleModule, SchedulerRegistry, Timeout } from '@nestjs/schedule';
import { InjectRepository, TypeOrmModule } from '@nestjs/typeorm';
import {
  currentScope,
  NoActiveScopeError,
  ScopedSession,
  ScopedSessionModule,
  SessionScope,
} from 'nestjs-scoped-session';
import { Repository } from 'typeorm';
import { beforeEach, expect, it } from 'vitest';
import { boot, type Booted, withNotes } from '../support/boot.js';
import { onEach } from '../support/databases.js';
import { Note } from '../support/note.js';
import { texts } from '../support/plain-and-ours.js';
import { signal, waitUntil } from '../support/wait-until.js';

/** Of no day that comes soon: tests fire the jobs themselves. */
const NEVER = '0 0 29 2 *';

let gate = signal();
let arrived = signal();
let failed = signal<unknown>();
let labels: unknown[] = [];

@Injectable()
class Jobs {
  runs = 0;

  constructor(
    @InjectRepository(Note) private readonly notes: Repository<Note>,
    private readonly session: ScopedSession,
  ) {}

  @Cron(NEVER, { name: 'above' })
  @SessionScope()
  async above(): Promise<void> {
    await this.#work();
  }

  @SessionScope()
  @Cron(NEVER, { name: 'below' })
  async below(): Promise<void> {
    await this.#work();
  }

  @Cron(NEVER, { name: 'run' })
  async run(): Promise<void> {
    await this.session.run(() => this.#work(), { label: 'by run' });
  }

  @Cron(NEVER, { name: 'fails' })
  @SessionScope()
  async fails(): Promise<void> {
    await this.#work();
    throw new Error('of the job');
  }

  @Cron(NEVER, { name: 'slow' })
  @SessionScope()
  async slow(): Promise<void> {
    await this.#work();
    arrived.resolve();
    await gate.promise;
    await this.#work();
  }

  @Cron(NEVER, { name: 'naked' })
  async naked(): Promise<void> {
    try {
      await this.session.execute('SELECT 1');
    } catch (error) {
      failed.resolve(error);
    }
  }

  @Interval('often', 1)
  @SessionScope()
  async often(): Promise<void> {
    if (this.runs < 2) await this.#work();
  }

  @Timeout('once', 1)
  @SessionScope()
  async once(): Promise<void> {
    await this.notes.insert({ text: 'once' });
  }

  async #work(): Promise<void> {
    this.runs += 1;
    await this.notes.insert({ text: `run ${this.runs}` });
    await this.session.execute('SELECT 1');
    labels.push(currentScope()?.label);
  }
}

onEach(['mariadb', 'sqljs'], (database) => {
  let booted: Booted;
  const start = async (timers: boolean): Promise<void> => {
    booted = await boot(database, {
      imports: [
        TypeOrmModule.forRoot(withNotes(database)),
        TypeOrmModule.forFeature([Note]),
        ScopedSessionModule.forRoot(),
        ScheduleModule.forRoot({ intervals: timers, timeouts: timers }),
      ],
      providers: [Jobs],
    });
  };
  const fire = (name: string): Promise<void> =>
    booted.app.get(SchedulerRegistry).getCronJob(name).fireOnTick();
  const stored = (): Promise<string[]> =>
    texts(booted.app.get(ScopedSession).sessionFactory.engine!.dataSource);

  beforeEach(() => {
    [gate, arrived, failed] = [signal(), signal(), signal()];
    labels = [];
  });

  it('F81: a job is a unit of work, whichever decorator stands above, or by run(fn)', async () => {
    await start(false);
    for (const [index, name] of ['above', 'below', 'run'].entries()) {
      await fire(name);
      await waitUntil('the job is done', async () => (await stored()).length > index);
    }
    expect(labels).toEqual(['Jobs.above', 'Jobs.below', 'by run']);
    expect(await stored()).toEqual(['run 1', 'run 2', 'run 3']);
  });

  it('a job that fails is rolled back, and Nest logs its error', async () => {
    await start(false);
    await fire('fails');
    await waitUntil('its error is logged', () => booted.heard.of('error', 'of the job').length === 1);
    expect([labels, await stored()]).toEqual([['Jobs.fails'], []]);
  });

  it('without either the session is refused, and the error names both', async () => {
    await start(false);
    await fire('naked');
    const error = (await failed.promise) as Error;
    expect(error).toBeInstanceOf(NoActiveScopeError);
    expect(error.message).toMatch(/scopedSession\.run\(fn\).*@SessionScope\(\)/);
  });

  it('the shutdown waits for a job that runs', async () => {
    await start(false);
    await fire('slow');
    await arrived.promise;
    expect(booted.liveScopes()).toBe(1);
    const closing = booted.close();
    gate.resolve();
    await closing;
    expect(labels).toEqual(['Jobs.slow', 'Jobs.slow']);
    expect(booted.heard.of('error')).toEqual([]);
  });

  it('intervals and timeouts too', async () => {
    await start(true);
    await waitUntil('all have run', async () => (await stored()).length >= 3);
    expect((await stored()).toSorted()).toEqual(['once', 'run 1', 'run 2']);
    // The interval goes on and opens a scope each time; a check that there is none must not meet one.
    await booted.close();
  });
});
