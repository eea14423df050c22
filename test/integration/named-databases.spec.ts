/** Several databases in one unit of work: each has its session, and they end together. */
import { ConflictException, Controller, Injectable, Param, Post } from '@nestjs/common';
import { getDataSourceToken, InjectRepository, TypeOrmModule } from '@nestjs/typeorm';
import {
  getScopedSessionToken,
  InjectScopedSession,
  ScopedSession,
  ScopedSessionModule,
  Session,
  SessionOptions,
} from 'nestjs-scoped-session';
import { withSession } from 'nestjs-scoped-session/testing';
import { DataSource, Repository } from 'typeorm';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { serve, type Served, withNotes } from '../support/boot.js';
import { type Kind, type TestDatabase, useDatabase } from '../support/databases.js';
import { Note } from '../support/note.js';

@Injectable()
class NotesService {
  constructor(
    @InjectRepository(Note) readonly first: Repository<Note>,
    @InjectRepository(Note, 'ledger') readonly second: Repository<Note>,
    readonly session: ScopedSession,
    @InjectScopedSession('ledger') readonly ledger: ScopedSession,
  ) {}
}

@Controller()
class BothController {
  /** What happens to the ledger's connection behind the handler's back. */
  static loseLedger: (session: Session) => Promise<unknown> = async () => undefined;

  constructor(private readonly notes: NotesService) {}

  @Post('both/:text')
  async both(@Param('text') text: string): Promise<object> {
    await this.notes.first.insert({ text });
    await this.notes.second.insert({ text });
    return { first: await this.notes.first.count(), second: await this.notes.second.count() };
  }

  @Post('reversed/:text')
  async reversed(@Param('text') text: string, @Session('ledger') ledger: Session): Promise<string> {
    await ledger.execute('INSERT INTO note (text) VALUES (:text)', { text });
    await this.notes.session.execute('INSERT INTO note (text) VALUES (:text)', { text });
    return 'done';
  }

  @Post('throws/:text')
  async throws(@Param('text') text: string): Promise<void> {
    await this.both(text);
    throw new ConflictException();
  }

  @Post('unseen/:text')
  async unseen(@Param('text') text: string, @Session('ledger') ledger: Session): Promise<string> {
    await this.both(text);
    // Breaks the unique key, and nobody awaits it.
    void ledger.execute('INSERT INTO note (text) VALUES (:text)', { text });
    return 'fine, I think';
  }

  @Post('lost/:text')
  async lost(@Param('text') text: string, @Session('ledger') ledger: Session): Promise<string> {
    await this.both(text);
    await BothController.loseLedger(ledger);
    await ledger.scalar('SELECT 1').catch(() => undefined);
    return 'fine, I think';
  }

  @Post('marked/:text')
  async marked(@Param('text') text: string, @Session('ledger') ledger: Session): Promise<string> {
    await this.both(text);
    ledger.setRollbackOnly('only the first one is meant');
    return 'done';
  }

  @Post('manual/:text')
  @SessionOptions({ commit: 'manual' })
  async manual(@Param('text') text: string, @Session('ledger') ledger: Session): Promise<string> {
    await this.both(text);
    await ledger.commit();
    return 'done';
  }

  @Post('independently/:text')
  async independently(@Param('text') text: string): Promise<void> {
    await this.notes.ledger.independently(() => this.both(text));
    throw new ConflictException();
  }

  @Post('first-only/:text')
  async firstOnly(@Param('text') text: string): Promise<string> {
    await this.notes.first.insert({ text });
    return 'done';
  }
}

const PAIRS: readonly (readonly [Kind, Kind])[] = [
  ['sqljs', 'sqljs'],
  ['mariadb', 'mariadb'],
  ['mariadb', 'sqljs'],
  ['sqljs', 'mariadb'],
];

describe.each(PAIRS)('%s and %s', (firstKind, secondKind) => {
  const first = useDatabase(firstKind);
  const second = useDatabase(secondKind);
  let served: Served;
  let dataSources: DataSource[];

  const optionsOf = (database: TestDatabase, name?: string): ReturnType<typeof withNotes> =>
    withNotes(database, { name, poolSize: 3 });

  beforeEach(async () => {
    served = await serve(first, {
      imports: [
        TypeOrmModule.forRoot(optionsOf(first)),
        TypeOrmModule.forRoot(optionsOf(second, 'ledger')),
        TypeOrmModule.forFeature([Note]),
        TypeOrmModule.forFeature([Note], 'ledger'),
        ScopedSessionModule.forRoot(),
        ScopedSessionModule.forRoot({ name: 'ledger' }),
      ],
      controllers: [BothController],
      providers: [NotesService],
    });
    const { app } = served;
    dataSources = [app.get(DataSource), app.get<DataSource>(getDataSourceToken('ledger'))];
    second.watch({ dataSource: dataSources[1] });
    BothController.loseLedger = async () => undefined;
  });
  afterEach(() => vi.restoreAllMocks());

  const stored = (): Promise<string[][]> =>
    Promise.all(
      dataSources.map(async (dataSource) => {
        const rows = await dataSource.getRepository(Note).find({ order: { id: 'ASC' } });
        return rows.map(({ text }) => text);
      }),
    );

  it('are both committed before the answer', async () => {
    await served.http.post('/both/a').expect(201, { first: 1, second: 1 });
    await served.http.post('/reversed/b').expect(201);
    expect(await stored()).toEqual([
      ['a', 'b'],
      ['a', 'b'],
    ]);
  });

  it('are both rolled back when the handler throws', async () => {
    await served.http.post('/throws/a').expect(409);
    expect(await stored()).toEqual([[], []]);
  });

  it('are both rolled back when something failed unseen in the second', async () => {
    await served.http.post('/unseen/a').expect(500);
    expect(await stored()).toEqual([[], []]);
  });

  if (secondKind !== 'sqljs') {
    it('are both rolled back when the second has lost its transaction', async () => {
      BothController.loseLedger = async (session) => {
        const id = Number(await session.scalar('SELECT CONNECTION_ID()'));
        await second.ask(`KILL ${id}`);
      };
      await served.http.post('/lost/a').expect(500);
      expect(await stored()).toEqual([[], []]);
    });
  }

  it('can be decided one by one, where the program says so', async () => {
    await served.http.post('/marked/a').expect(201);
    expect(await stored()).toEqual([['a'], []]);
    await served.http.post('/manual/b').expect(201);
    expect(await stored()).toEqual([['a'], ['b']]);
  });

  it('are both committed by a unit of work that one of them has opened, whatever becomes of the one around it', async () => {
    await served.http.post('/independently/a').expect(409);
    expect(await stored()).toEqual([['a'], ['a']]);
    const notes = served.app.get(NotesService);
    await notes.session.run(async () => {
      await notes.first.insert({ text: 'b' });
      await notes.second.insert({ text: 'b' });
    });
    const failing = notes.ledger.run(async () => {
      await notes.first.insert({ text: 'c' });
      throw new Error('fails');
    });
    await expect(failing).rejects.toThrow('fails');
    expect(await stored()).toEqual([
      ['a', 'b'],
      ['a', 'b'],
    ]);
  });

  it('take no connection that is not used', async () => {
    const { app } = served;
    const ledger = app.get<ScopedSession>(getScopedSessionToken('ledger'));
    const acquired = vi.spyOn(ledger.sessionFactory.engine!, 'acquire');
    await served.http.post('/first-only/a').expect(201);
    expect(acquired).not.toHaveBeenCalled();
    expect(await stored()).toEqual([['a'], []]);
  });

  it('serve many requests at a time', async () => {
    const answers = await Promise.all(
      Array.from({ length: 12 }, async (_, index) =>
        served.http
          .post(index % 3 === 0 ? `/throws/n${index}` : `/both/n${index}`)
          .then(({ status }) => status),
      ),
    );
    expect(answers.filter((status) => status === 201)).toHaveLength(8);
    const [inFirst, inSecond] = await stored();
    expect(inFirst).toHaveLength(8);
    expect(inSecond!.toSorted()).toEqual(inFirst!.toSorted());
  });

  it('withSession gives a test the session of either', async () => {
    const { app } = served;
    await withSession(app, (session) =>
      session.execute('INSERT INTO note (text) VALUES (:text)', { text: 'a' }),
    );
    const ledger = withSession(
      app,
      async (session) => {
        await session.execute('INSERT INTO note (text) VALUES (:text)', { text: 'b' });
        throw new Error('undo');
      },
      'ledger',
    );
    await expect(ledger).rejects.toThrow('undo');
    expect(await stored()).toEqual([['a'], []]);
  });
});
