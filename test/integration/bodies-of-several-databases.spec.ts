/** Bodies that are read after their handler has returned, in a unit of work of several databases, with hooks and tasks. */
import { Readable } from 'node:stream';
import { Controller, Get, Param, Post, StreamableFile } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import {
  BackgroundTasks,
  InjectScopedSession,
  ScopedSession,
  ScopedSessionModule,
  type ScopedSessionModuleOptions,
  getScopedSessionToken,
} from 'nestjs-scoped-session';
import { describe, expect, it } from 'vitest';
import { serve, type Served, withNotes } from '../support/boot.js';
import { type Kind, useDatabase } from '../support/databases.js';
import { Note } from '../support/note.js';
import { loseAtCommit, texts } from '../support/plain-and-ours.js';

const INSERT = 'INSERT INTO note (text) VALUES (:text)';
let told: string[] = [];
let fails = false;

@Controller()
class BothController {
  constructor(
    readonly session: ScopedSession,
    @InjectScopedSession('ledger') readonly ledger: ScopedSession,
    readonly tasks: BackgroundTasks,
  ) {}

  /** The task is asked for when only one of the databases was used. */
  @Post('lost')
  async lost(): Promise<StreamableFile> {
    await this.session.execute(INSERT, { text: 'x' });
    this.tasks.afterCommit(() => void told.push('task'));
    this.session.afterCommit(() => void told.push('default committed'));
    await this.ledger.execute(INSERT, { text: 'x' });
    this.ledger.afterCompletion((outcome) => void told.push(`ledger ${outcome}`));
    await loseAtCommit(this.ledger);
    return this.#body();
  }

  @Post('fine')
  async fine(): Promise<StreamableFile> {
    await this.session.execute(INSERT, { text: 'x' });
    this.#watch('handler');
    await this.ledger.execute(INSERT, { text: 'x' });
    return this.#body();
  }

  @Post('hook/:way')
  async hook(@Param('way') way: string): Promise<StreamableFile> {
    await this.session.execute(INSERT, { text: 'x' });
    this.session.afterCommit(async () => {
      const used = way === 'own' ? this.session : this.ledger;
      await used.execute(INSERT, { text: 'by the hook' });
    });
    return this.#body();
  }

  @Get('masked')
  async masked(): Promise<string> {
    for (const session of [this.session, this.ledger])
      for (const one of await session.find(Note)) one.text = '***';
    return 'shown';
  }

  #watch(part: string): void {
    for (const [name, session] of Object.entries({ default: this.session, ledger: this.ledger }))
      session.afterCompletion((outcome) => void told.push(`${part}: ${name} ${outcome}`));
    const { done } = this.tasks.afterCommit(() => undefined);
    void done.then(({ outcome }) => told.push(`${part}: task ${outcome}`));
  }

  #body(): StreamableFile {
    return new StreamableFile(Readable.from(this.#pieces(), { objectMode: false }));
  }

  async *#pieces(): AsyncGenerator<Buffer> {
    yield Buffer.from('first, ');
    await this.session.execute(INSERT, { text: 'by the body' });
    await this.ledger.execute(INSERT, { text: 'by the body' });
    this.#watch('body');
    if (fails) throw new Error('The body has failed.');
    yield Buffer.from('last');
  }
}

const PAIRS: readonly (readonly [Kind, Kind])[] = [
  ['sqljs', 'mariadb'],
  ['mariadb', 'mariadb'],
];

describe.each(PAIRS)('%s and %s', (firstKind, secondKind) => {
  const first = useDatabase(firstKind);
  const second = useDatabase(secondKind);

  const start = async (options: ScopedSessionModuleOptions = {}): Promise<Served> => {
    told = [];
    fails = false;
    const served = await serve(first, {
      imports: [
        TypeOrmModule.forRoot(withNotes(first)),
        TypeOrmModule.forRoot(withNotes(second, { name: 'ledger' })),
        ScopedSessionModule.forRoot(options),
        ScopedSessionModule.forRoot({ ...options, name: 'ledger' }),
      ],
      controllers: [BothController],
    });
    second.watch({ dataSource: ledgerOf(served).sessionFactory.engine!.dataSource });
    return served;
  };
  const ledgerOf = ({ app }: Served): ScopedSession =>
    app.get<ScopedSession>(getScopedSessionToken('ledger'));
  const stored = async (served: Served): Promise<string[][]> =>
    Promise.all(
      [served.app.get(ScopedSession), ledgerOf(served)].map(({ sessionFactory }) =>
        texts(sessionFactory.engine!.dataSource),
      ),
    );
  const idle = ({ app }: Served): Promise<void> => app.get(BackgroundTasks).idle();

  it('hooks and tasks of the handler are told of its COMMIT, those of the body of the end', async () => {
    const served = await start();
    const { body } = await served.http.post('/fine').expect(201);
    expect(String(body)).toBe('first, last');
    await idle(served);
    const ofHandler = told.filter((one) => one.startsWith('handler') && !one.includes('task'));
    expect(ofHandler).toEqual(['handler: default committed', 'handler: ledger committed']);
    expect(told.toSorted()).toEqual([
      'body: default committed',
      'body: ledger committed',
      'body: task succeeded',
      'handler: default committed',
      'handler: ledger committed',
      'handler: task succeeded',
    ]);
    expect(await stored(served)).toEqual([
      ['x', 'by the body'],
      ['x', 'by the body'],
    ]);
  });

  it('of a body that fails, the handler’s part stays in both, and each is told of its own', async () => {
    const served = await start();
    fails = true;
    await expect(served.http.post('/fine')).rejects.toThrow(/aborted|hang up/);
    await idle(served);
    expect(told.toSorted()).toEqual([
      'body: default rolledBack',
      'body: ledger rolledBack',
      'body: task dropped',
      'handler: default committed',
      'handler: ledger committed',
      'handler: task succeeded',
    ]);
    expect(await stored(served)).toEqual([['x'], ['x']]);
  });

  it('where the handler’s part is committed in part, hooks are told when the last COMMIT was tried, and no task starts', async () => {
    const served = await start();
    await served.http.post('/lost').expect(500);
    await idle(served);
    expect(told.toSorted()).toEqual(['default committed', 'ledger unknown']);
  });

  it.each(['own', 'other'])(
    'what a hook of the handler stores is committed with the body: %s',
    async (way) => {
      const served = await start();
      await served.http.post(`/hook/${way}`).expect(201);
      const texts = ['x', 'by the hook', 'by the body'];
      expect(await stored(served)).toEqual(
        way === 'own'
          ? [texts, ['by the body']]
          : [
              ['x', 'by the body'],
              ['by the hook', 'by the body'],
            ],
      );
    },
  );

  it.runIf(firstKind === 'mariadb')(
    'with two phases too, a GET stores nothing of what it shows',
    async () => {
      const served = await start({ twoPhase: true });
      await served.app.get(ScopedSession).run((session) => session.execute(INSERT, { text: 'x' }));
      await ledgerOf(served).run((session) => session.execute(INSERT, { text: 'x' }));
      await served.http.get('/masked').expect(200);
      expect(await stored(served)).toEqual([['x'], ['x']]);
    },
  );
});
