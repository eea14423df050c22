/** An application with two databases, and handlers that write to both. */
import { Controller, Post } from '@nestjs/common';
import { getDataSourceToken, InjectRepository, TypeOrmModule } from '@nestjs/typeorm';
import {
  InjectScopedSession,
  ScopedSession,
  ScopedSessionModule,
  type ScopedSessionModuleOptions,
} from 'nestjs-scoped-session';
import { DataSource, Repository } from 'typeorm';
import { serve, type Served, withNotes } from './boot.js';
import type { TestDatabase } from './databases.js';
import { Note } from './note.js';
import { loseAtCommit } from './plain-and-ours.js';
import { StatementLog } from './statement-log.js';

@Controller()
export class BothController {
  constructor(
    @InjectRepository(Note) readonly first: Repository<Note>,
    @InjectRepository(Note, 'ledger') readonly second: Repository<Note>,
    readonly session: ScopedSession,
    @InjectScopedSession('ledger') readonly ledger: ScopedSession,
  ) {}

  /** What is told to whom, in order. */
  static told: string[] = [];

  /** The ledger is used first; it is committed second all the same. */
  @Post('fine')
  async fine(): Promise<string> {
    this.#watch('ledger', this.ledger);
    this.#watch('default', this.session);
    await this.second.insert({ text: 'a' });
    await this.first.insert({ text: 'a' });
    return 'fine';
  }

  @Post('lost')
  async lost(): Promise<string> {
    await this.fine();
    await loseAtCommit(this.ledger);
    return 'the handler is content';
  }

  @Post('lost-first')
  async lostFirst(): Promise<string> {
    await this.fine();
    await loseAtCommit(this.session);
    return 'the handler is content';
  }

  @Post('refused')
  async refused(): Promise<string> {
    await this.fine();
    await this.ledger.execute('INSERT INTO child VALUES (4711)');
    return 'the handler is content';
  }

  @Post('lost-prepare')
  async lostBeforePrepare(): Promise<void> {
    this.#watch('ledger', this.ledger);
    this.#watch('default', this.session);
    await this.first.insert({ text: 'b' });
    await this.second.insert({ text: 'b' });
    await loseAtCommit(this.ledger, /^XA END/);
  }

  /** Nothing of the first could be stored: it was only looked at. */
  @Post('refused-alone')
  async refusedAlone(): Promise<string> {
    this.session.inTransaction();
    await this.session.rollback();
    await this.ledger.execute('INSERT INTO child VALUES (4711)');
    return 'the handler is content';
  }

  @Post('hook')
  async hook(): Promise<string> {
    await this.fine();
    this.ledger.beforeCommit(() => {
      throw new Error('not like this');
    });
    return 'the handler is content';
  }

  #watch(name: string, session: ScopedSession): void {
    const tell = (what: string): void => void BothController.told.push(`${name}: ${what}`);
    session.beforeCommit(() => tell('before'));
    session.afterCommit(() => tell('after commit'));
    session.afterRollback(() => tell('after rollback'));
    session.afterCompletion((outcome) => tell(outcome));
  }
}

export interface Pair {
  readonly served: Served;
  /** The databases that were sent a COMMIT, in order. */
  readonly commits: number[];
  readonly dataSources: readonly [DataSource, DataSource];
}

class CommitLog extends StatementLog {
  constructor(private readonly committed: () => void) {
    super();
  }

  override logQuery(sql: string): void {
    if (sql === 'COMMIT') this.committed();
  }
}

export async function bothServed(
  first: TestDatabase,
  second: TestDatabase,
  ofBoth: ScopedSessionModuleOptions = {},
): Promise<Pair> {
  const commits: number[] = [];
  const optionsOf = (database: TestDatabase, name?: string): ReturnType<typeof withNotes> => {
    const logger = new CommitLog(() => void commits.push(name === undefined ? 0 : 1));
    return withNotes(database, { name, poolSize: 3, logger });
  };
  const served = await serve(first, {
    imports: [
      TypeOrmModule.forRoot(optionsOf(first)),
      TypeOrmModule.forRoot(optionsOf(second, 'ledger')),
      TypeOrmModule.forFeature([Note]),
      TypeOrmModule.forFeature([Note], 'ledger'),
      ScopedSessionModule.forRoot(ofBoth),
      ScopedSessionModule.forRoot({ ...ofBoth, name: 'ledger' }),
    ],
    controllers: [BothController],
  });
  const dataSources = [
    served.app.get(DataSource),
    served.app.get<DataSource>(getDataSourceToken('ledger')),
  ] as const;
  second.watch({ dataSource: dataSources[1] });
  BothController.told = [];
  commits.length = 0;
  return { served, commits, dataSources };
}
