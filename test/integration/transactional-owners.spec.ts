/** Whose a decorated method is: of an application's provider, of one of several applications, or of nobody. */
import { Inject, Injectable, type OnModuleInit, Scope } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import {
  getScopedSessionToken,
  InvalidOptionError,
  ScopedSession,
  ScopedSessionModule,
  Transactional,
  UnboundSessionError,
} from 'nestjs-scoped-session';
import { fakeSession, useSession } from 'nestjs-scoped-session/testing';
import { beforeEach, describe, expect, it } from 'vitest';
import { boot, type Booted, withNotes } from '../support/boot.js';
import { type TestDatabase, useDatabase } from '../support/databases.js';
import { texts } from '../support/plain-and-ours.js';

const INSERT = 'INSERT INTO note (text) VALUES (:text)';

@Injectable()
class Notes {
  constructor(protected readonly session: ScopedSession) {}

  @Transactional({ propagation: 'REQUIRES_NEW' })
  async add(text: string): Promise<void> {
    await this.session.execute(INSERT, { text });
  }
}

@Injectable()
class EagerNotes extends Notes implements OnModuleInit {
  async onModuleInit(): Promise<void> {
    await this.add('at boot');
  }
}

@Injectable({ scope: Scope.TRANSIENT })
class TransientNotes extends Notes {}

@Injectable()
class LedgerNotes {
  constructor(@Inject(getScopedSessionToken('ledger')) private readonly session: ScopedSession) {}

  @Transactional({ dataSource: 'ledger' })
  async add(text: string): Promise<void> {
    await this.session.execute(INSERT, { text });
  }

  @Transactional({ dataSource: 'nobody' })
  async addNowhere(): Promise<void> {
    await this.session.execute(INSERT, { text: 'never' });
  }
}

describe('a decorated method', () => {
  const first = useDatabase('sqljs');
  const second = useDatabase('sqljs');
  let app: Booted;
  const start = (database: TestDatabase, providers: object[] = [Notes]): Promise<Booted> =>
    boot(database, {
      imports: [
        TypeOrmModule.forRoot(withNotes(database)),
        TypeOrmModule.forRoot(withNotes(database, { name: 'ledger' })),
        ScopedSessionModule.forRoot(),
        ScopedSessionModule.forRoot({ name: 'ledger' }),
      ],
      providers: providers as [],
    });
  const stored = ({ app: of }: Booted, name?: string): Promise<string[]> =>
    texts(of.get<ScopedSession>(getScopedSessionToken(name)).sessionFactory.engine!.dataSource);

  beforeEach(async () => {
    app = await start(first, [Notes, EagerNotes, TransientNotes, LedgerNotes]);
  });

  it('of a provider is its application’s, from the first hook on', async () => {
    await app.app.get(Notes).add('later');
    expect(await stored(app)).toEqual(['at boot', 'later']);
  });

  it('of a transient provider is its class’s', async () => {
    const transient = await app.app.resolve(TransientNotes);
    await transient.add('transient');
    expect(await stored(app)).toContain('transient');
  });

  it('takes part in the database that is named', async () => {
    await app.app.get(LedgerNotes).add('named');
    expect(await stored(app, 'ledger')).toEqual(['named']);
    await expect(app.app.get(LedgerNotes).addNowhere()).rejects.toThrow(
      'No forRoot() has set up a database named "nobody"; there are: default, ledger.',
    );
  });

  it('of a class that two applications provide is that of the one which made the object', async () => {
    const other = await start(second);
    await other.app.get(Notes).add('second');
    await app.app.get(Notes).add('first');
    expect(await stored(app)).toEqual(['at boot', 'first']);
    expect(await stored(other)).toEqual(['second']);
    // Made by hand, it may be either's; inside a unit of work it is that one's.
    const byHand = new Notes(other.app.get(ScopedSession));
    await expect(byHand.add('whose?')).rejects.toBeInstanceOf(UnboundSessionError);
    await other.app.get(ScopedSession).run(() => byHand.add('second, by hand').catch(() => undefined));
    await other.close();
    await app.app.get(ScopedSession).run(() => new Notes(app.app.get(ScopedSession)).add('first, by hand'));
    expect(await stored(app)).toEqual(['at boot', 'first', 'first, by hand']);
  });

  it('of nobody says so', async () => {
    class Stray extends Notes {}
    const stray = new Stray(app.app.get(ScopedSession));
    await expect(stray.add('x')).rejects.toThrow(
      /Stray\.add was called on an object of which no application/,
    );
  });

  it('runs in a unit test, on a fake session', async () => {
    const fake = fakeSession();
    class Tested extends Notes {}
    const tested = useSession(new Tested(fake.scopedSession), fake.scopedSession);
    await tested.add('x');
    expect(fake.events).toEqual(['commit']);
    expect(fake.statements).toEqual([{ sql: INSERT, parameters: { text: 'x' } }]);
  });

  it('is refused with options that cannot be, when its class is loaded', () => {
    expect(() => Transactional({ propagation: 'ALWAYS' as never })).toThrow(InvalidOptionError);
    expect(() => Transactional({ rollbackFor: Error } as never)).toThrow(InvalidOptionError);
    const onProperty = Transactional() as unknown as PropertyDecorator;
    expect(() => onProperty({}, 'name')).toThrow(InvalidOptionError);
  });
});
