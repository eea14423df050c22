/** Code that outlives its request: nothing of it is kept behind an error, and nothing is lost without a word. */
import { ConflictException, Controller, type INestApplication, Post, Query, Res } from '@nestjs/common';
import { InjectRepository, TypeOrmModule } from '@nestjs/typeorm';
import {
  BackgroundTasks,
  currentScope,
  ScopedSession,
  ScopedSessionModule,
  SessionClosedError,
  SessionOptions,
} from 'nestjs-scoped-session';
import { DataSource, Repository } from 'typeorm';
import { beforeEach, describe, expect, it } from 'vitest';
import { serve, type Served, withNotes } from '../support/boot.js';
import { onEach } from '../support/databases.js';
import { Note } from '../support/note.js';
import { signal } from '../support/wait-until.js';

let gate = signal();
/** What became of the work that nobody awaited. */
let outcome = signal<unknown>();

@Controller()
class WorkController {
  constructor(
    @InjectRepository(Note) private readonly notes: Repository<Note>,
    private readonly session: ScopedSession,
    private readonly tasks: BackgroundTasks,
  ) {}

  @Post('succeeds')
  async succeeds(@Query('first') first?: string): Promise<string> {
    if (first === 'write') await this.notes.insert({ text: 'in time' });
    this.#later(async () => this.notes.insert({ text: 'late' }));
    return 'done';
  }

  @Post('fails')
  async fails(@Query('first') first?: string): Promise<string> {
    if (first === 'write') await this.notes.insert({ text: 'in time' });
    if (first === 'read') await this.notes.count();
    this.#later(async () => this.notes.insert({ text: 'late' }));
    throw new ConflictException();
  }

  @Post('status')
  async status(@Res({ passthrough: true }) response: { status(code: number): unknown }): Promise<string> {
    this.#later(async () => this.notes.insert({ text: 'late' }));
    response.status(422);
    return 'no';
  }

  @Post('half')
  async half(): Promise<unknown> {
    const refused = Promise.reject(new ConflictException());
    const slow = gate.promise.then(async () => this.notes.save({ text: 'late' }));
    slow.then(outcome.resolve, outcome.resolve);
    return Promise.all([refused, slow]);
  }

  @Post('via-session')
  async viaSession(@Query('first') first?: string): Promise<string> {
    if (first === 'write') await this.notes.insert({ text: 'in time' });
    this.#later(async () => this.session.execute('INSERT INTO note (text) VALUES (:text)', { text: 'late' }));
    return 'done';
  }

  @Post('independently')
  async independently(): Promise<string> {
    this.#later(async () =>
      this.session.independently(async () => {
        await this.notes.insert({ text: 'late' });
        await this.notes.insert({ text: 'late, again' });
        return 'kept';
      }),
    );
    return 'done';
  }

  @Post('background')
  async background(): Promise<string> {
    await this.notes.insert({ text: 'in time' });
    this.#later(async () => {
      const { done } = this.tasks.run(async () => {
        await this.notes.insert({ text: 'late' });
        await this.notes.insert({ text: 'late, again' });
        return currentScope()?.label;
      });
      return done;
    });
    return 'done';
  }

  @Post('leaves')
  @SessionOptions({ repositories: 'leave' })
  async leaves(): Promise<string> {
    await this.session.execute('SELECT 1');
    this.#later(async () => this.notes.insert({ text: 'late' }));
    throw new ConflictException();
  }

  #later(work: () => Promise<unknown>): void {
    gate.promise.then(work).then(outcome.resolve, outcome.resolve);
  }
}

onEach(['mariadb', 'sqljs'], (database) => {
  let served: Served;

  const stored = async (): Promise<string[]> => {
    const rows = await served.app
      .get(DataSource)
      .getRepository(Note)
      .find({ order: { id: 'ASC' } });
    return rows.map(({ text }) => text);
  };
  const afterwards = async (path: string, status: number): Promise<unknown> => {
    await served.http.post(path).expect(status);
    gate.resolve();
    return outcome.promise;
  };
  const warnings = (): string[] => served.heard.of('warn', 'has ended, and code that it did not await');
  const start = async (configure?: (app: INestApplication) => void): Promise<void> => {
    served = await serve(
      database,
      {
        imports: [
          TypeOrmModule.forRoot(withNotes(database)),
          TypeOrmModule.forFeature([Note]),
          ScopedSessionModule.forRoot(),
        ],
        controllers: [WorkController],
      },
      'express',
      configure,
    );
  };

  beforeEach(async () => {
    gate = signal();
    outcome = signal();
    await start();
  });

  describe('after a request that has committed', () => {
    it.each(['/succeeds?first=write', '/succeeds'])(
      'repositories are plain, with one warning (%s)',
      async (path) => {
        expect(await afterwards(path, 201)).not.toBeInstanceOf(Error);
        expect(await stored()).toContain('late');
        expect(warnings()).toHaveLength(1);
        expect(warnings()[0]).toContain('WorkController.succeeds has ended');
        expect(warnings()[0]).toContain('BackgroundTasks.run(fn), scopedSession.independently(fn)');
      },
    );

    it('the warning comes once for a route', async () => {
      await afterwards('/succeeds', 201);
      await served.app.get(DataSource).getRepository(Note).clear();
      outcome = signal();
      await afterwards('/succeeds', 201);
      expect(warnings()).toHaveLength(1);
    });

    it.each(['/via-session?first=write', '/via-session'])(
      'F86, BGT-07: the session refuses, and names the request and the cure (%s)',
      async (path) => {
        const error = (await afterwards(path, 201)) as Error;
        expect(error).toBeInstanceOf(SessionClosedError);
        expect(error.message).toContain('The session of WorkController.viaSession has ended');
        expect(error.message).toContain('BackgroundTasks.run(fn), or afterCommit(fn)');
        expect(error.message).toContain('scopedSession.independently(fn)');
        expect(await stored()).not.toContain('late');
      },
    );

    it('a unit of work of its own is kept, as one', async () => {
      expect(await afterwards('/independently', 201)).toBe('kept');
      expect(await stored()).toEqual(['late', 'late, again']);
      expect(warnings()).toEqual([]);
    });
  });

  it('F87: the cure that the error names: a background task is kept, as one', async () => {
    expect(await afterwards('/background', 201)).toEqual({
      outcome: 'succeeded',
      value: 'background task of WorkController.background',
    });
    expect(await stored()).toEqual(['in time', 'late', 'late, again']);
    expect(warnings()).toEqual([]);
  });

  describe('after a request that has failed', () => {
    it.each(['/fails?first=write', '/fails?first=read', '/fails'])(
      'repositories refuse (%s)',
      async (path) => {
        expect(await afterwards(path, 409)).toBeInstanceOf(SessionClosedError);
        expect(await stored()).toEqual([]);
      },
    );

    it('repositories refuse what Promise.all has left behind', async () => {
      expect(await afterwards('/half', 409)).toBeInstanceOf(SessionClosedError);
      expect(await stored()).toEqual([]);
    });

    it('by its status alone, repositories refuse as well', async () => {
      expect(await afterwards('/status', 422)).toBeInstanceOf(SessionClosedError);
      expect(await stored()).toEqual([]);
    });

    it("repositories that were to stay plain ('leave') stay so, without a warning", async () => {
      expect(await afterwards('/leaves', 409)).not.toBeInstanceOf(Error);
      expect(await stored()).toEqual(['late']);
      expect(warnings()).toEqual([]);
    });
  });

  it('code around the request, such as an access log, is outside again and plain', async () => {
    const seen: unknown[] = [];
    await served.close();
    await start((app) =>
      app.use(
        (
          _request: unknown,
          response: { once(event: string, listener: () => void): void },
          next: () => void,
        ) => {
          response.once('close', () => {
            seen.push(currentScope());
            app
              .get(DataSource)
              .getRepository(Note)
              .insert({ text: 'logged' })
              .then(outcome.resolve, outcome.resolve);
          });
          next();
        },
      ),
    );
    await served.http.post('/fails?first=write').expect(409);
    expect(await outcome.promise).not.toBeInstanceOf(Error);
    expect(seen).toEqual([undefined]);
    expect(await stored()).toEqual(['logged']);
  });
});
