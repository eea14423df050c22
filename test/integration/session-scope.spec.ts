/** `@SessionScope()`: a unit of work for each call, whatever is around it, and what it keeps of the method. */
import { Injectable, Scope, SetMetadata } from '@nestjs/common';
import { getRepositoryToken, InjectRepository, TypeOrmModule } from '@nestjs/typeorm';
import {
  currentScope,
  getScopedSessionToken,
  InvalidOptionError,
  NoActiveScopeError,
  ScopedSession,
  ScopedSessionModule,
  SessionScope,
  UnboundSessionError,
} from 'nestjs-scoped-session';
import { fakeSession, useSession } from 'nestjs-scoped-session/testing';
import { concat, concatMap, defer, lastValueFrom, Observable, toArray } from 'rxjs';
import { Repository } from 'typeorm';
import { beforeEach, describe, expect, it } from 'vitest';
import { boot, type Booted, withNotes } from '../support/boot.js';
import { onEach, useDatabase } from '../support/databases.js';
import { Note } from '../support/note.js';
import { texts } from '../support/plain-and-ours.js';

const INSERT = 'INSERT INTO note (text) VALUES (:text)';
const Marked = (value: string): MethodDecorator => SetMetadata('marked', value);

@Injectable()
class Jobs {
  attempts = 0;
  readonly sessions = new Set<unknown>();

  constructor(
    @InjectRepository(Note) protected readonly notes: Repository<Note>,
    protected readonly session: ScopedSession,
  ) {}

  @SessionScope()
  async add(text: string, fails = false): Promise<string> {
    this.sessions.add(this.session.current());
    await this.notes.insert({ text });
    if (fails) throw new Error(text);
    return `${currentScope()?.label}: ${await this.session.count(Note)}`;
  }

  @Marked('below')
  @SessionScope({ label: 'nightly' })
  async below(_first: string, _second: string): Promise<string | undefined> {
    return currentScope()?.label;
  }

  @SessionScope({ timeoutMs: 20 })
  @Marked('above')
  async hangs(): Promise<void> {
    await this.notes.insert({ text: 'never' });
    await new Promise(() => undefined);
  }

  @SessionScope({ retry: { times: 3, delayMs: 0, on: () => true } })
  async again(): Promise<number> {
    this.sessions.add(this.session.current());
    await this.notes.insert({ text: 'once' });
    this.attempts += 1;
    if (this.attempts < 3) throw new Error('once more');
    return this.attempts;
  }

  @SessionScope({ readOnly: true })
  async reads(): Promise<void> {
    await this.session.execute(INSERT, { text: 'never' });
  }

  @SessionScope()
  observe(...all: string[]): Observable<string> {
    return concat(...all.map((text) => defer(async () => (await this.notes.insert({ text }), text))));
  }

  async naked(): Promise<void> {
    await this.session.execute(INSERT, { text: 'never' });
  }
}

@Injectable({ scope: Scope.TRANSIENT })
class TransientJobs extends Jobs {}

onEach(['mariadb', 'sqljs'], (database) => {
  let booted: Booted;
  let jobs: Jobs;
  const stored = (): Promise<string[]> =>
    texts(booted.app.get(ScopedSession).sessionFactory.engine!.dataSource);

  beforeEach(async () => {
    booted = await boot(database, {
      imports: [
        TypeOrmModule.forRoot(withNotes(database)),
        TypeOrmModule.forFeature([Note]),
        ScopedSessionModule.forRoot(),
      ],
      providers: [Jobs, TransientJobs],
    });
    jobs = booted.app.get(Jobs);
  });

  it('commits when the method returns, with its name for a label, and a session for each call', async () => {
    expect(await jobs.add('a')).toBe('Jobs.add: 1');
    expect(await jobs.add('b')).toBe('Jobs.add: 2');
    expect(jobs.sessions.size).toBe(2);
    expect(await stored()).toEqual(['a', 'b']);
    expect([currentScope(), booted.liveScopes()]).toEqual([undefined, 0]);
  });

  it('rolls back when it throws, and throws the same', async () => {
    await expect(jobs.add('a', true)).rejects.toThrow('a');
    expect(await stored()).toEqual([]);
  });

  it('concurrent calls share nothing', async () => {
    const results = await Promise.allSettled([jobs.add('a'), jobs.add('b', true), jobs.add('c')]);
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect(jobs.sessions.size).toBe(3);
    expect((await stored()).toSorted()).toEqual(['a', 'c']);
  });

  it('takes the options of run: label, time limit, retry, read only', async () => {
    expect(await jobs.below('x', 'y')).toBe('nightly');
    await expect(jobs.hangs()).rejects.toMatchObject({ code: 'SS_ERR_SCOPE_TIMEOUT' });
    expect([await jobs.again(), jobs.sessions.size]).toEqual([3, 3]);
    await expect(jobs.reads()).rejects.toThrow(/read.?only/i);
    expect(await stored()).toEqual(['once']);
  });

  it('of an Observable is a call for each subscription, whose last value leaves after the COMMIT', async () => {
    const observed = jobs.observe('a', 'b');
    expect(await stored()).toEqual([]);
    const seen = observed.pipe(concatMap(async (text) => (text === 'b' ? stored() : text)));
    expect(await lastValueFrom(seen.pipe(toArray()))).toEqual(['a', ['a', 'b']]);
    await expect(lastValueFrom(observed)).rejects.toThrow(/unique|duplicate/i);
    expect(await stored()).toEqual(['a', 'b']);
  });

  it('keeps what other decorators have said, above and below, and name, length and this', () => {
    const { below, hangs } = Jobs.prototype;
    expect([below.name, below.length, hangs.name]).toEqual(['below', 2, 'hangs']);
    expect(Reflect.getMetadata('marked', below)).toBe('below');
    expect(Reflect.getMetadata('marked', hangs)).toBe('above');
  });

  it('works on transient providers', async () => {
    const transient = await booted.app.resolve(TransientJobs);
    expect(await transient.add('t')).toBe('TransientJobs.add: 1');
  });

  it('without it the session is refused, and the error names both cures', async () => {
    const work = jobs.naked();
    await expect(work).rejects.toBeInstanceOf(NoActiveScopeError);
    await expect(work).rejects.toThrow(/scopedSession\.run\(fn\), or put @SessionScope\(\) on the method/);
  });
});

onEach(['mariadb', 'postgres'], (database) => {
  it('inside another unit of work it is one of its own: it sees nothing of it, and is kept without it', async () => {
    const booted = await boot(database, {
      imports: [
        TypeOrmModule.forRoot(withNotes(database)),
        TypeOrmModule.forFeature([Note]),
        ScopedSessionModule.forRoot(),
      ],
      providers: [Jobs],
    });
    const session = booted.app.get(ScopedSession);
    const work = session.run(async () => {
      await session.execute(INSERT, { text: 'around' });
      expect(await booted.app.get(Jobs).add('inside')).toBe('Jobs.add: 1');
      throw new Error('of the work around');
    });
    await expect(work).rejects.toThrow('of the work around');
    expect(await texts(session.sessionFactory.engine!.dataSource)).toEqual(['inside']);
  });
});

describe('@SessionScope()', () => {
  const database = useDatabase('sqljs');

  it('needs no database of the name default', async () => {
    const booted = await boot(database, {
      imports: [
        TypeOrmModule.forRoot(withNotes(database, { name: 'ledger' })),
        TypeOrmModule.forFeature([Note], 'ledger'),
        ScopedSessionModule.forRoot({ name: 'ledger' }),
      ],
      providers: [
        {
          provide: Jobs,
          inject: [getRepositoryToken(Note, 'ledger'), getScopedSessionToken('ledger')],
          useFactory: (notes: Repository<Note>, session: ScopedSession) => new Jobs(notes, session),
        },
      ],
    });
    expect(await booted.app.get(Jobs).add('a')).toBe('Jobs.add: 1');
  });

  it('runs in a unit test, on a fake session', async () => {
    const fake = fakeSession();
    class Tested extends Jobs {
      @SessionScope()
      async work(): Promise<void> {
        await this.session.execute(INSERT, { text: 'x' });
      }
    }
    const tested = useSession(new Tested({} as Repository<Note>, fake.scopedSession), fake.scopedSession);
    await tested.work();
    expect(fake.events).toEqual(['commit']);
  });

  it('is refused with options that cannot be, and on what is no method, when the class is loaded', () => {
    expect(() => SessionScope({ propagation: 'REQUIRED' } as never)).toThrow(InvalidOptionError);
    const onProperty = SessionScope() as unknown as PropertyDecorator;
    expect(() => onProperty({}, 'name')).toThrow('@SessionScope() is for methods; name is none.');
  });

  it('on an object that no application has made says so', async () => {
    class Stray extends Jobs {}
    const stray = new Stray({} as Repository<Note>, fakeSession().scopedSession);
    await expect(stray.add('x')).rejects.toBeInstanceOf(UnboundSessionError);
  });
});
