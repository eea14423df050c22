/** Hooks of a unit of work with two databases: they may use both, and none is kept when one of them refuses. */
import { TypeOrmModule } from '@nestjs/typeorm';
import {
  getScopedSessionToken,
  ScopedSession,
  ScopedSessionModule,
  UnexpectedRollbackError,
} from 'nestjs-scoped-session';
import { beforeEach, describe, expect, it } from 'vitest';
import { boot, withNotes } from '../support/boot.js';
import { type Kind, useDatabase } from '../support/databases.js';
import { Note } from '../support/note.js';
import { texts } from '../support/plain-and-ours.js';

const PAIRS: readonly (readonly [Kind, Kind])[] = [
  ['sqljs', 'sqljs'],
  ['mariadb', 'postgres'],
];

describe.each(PAIRS)('%s and %s', (firstKind, secondKind) => {
  const first = useDatabase(firstKind);
  const second = useDatabase(secondKind);
  let main: ScopedSession;
  let ledger: ScopedSession;
  let calls: string[];
  const add = (to: ScopedSession, text: string): Promise<unknown> =>
    to.execute('INSERT INTO note (text) VALUES (:text)', { text });
  const stored = (): Promise<string[][]> =>
    Promise.all([main, ledger].map((one) => texts(one.sessionFactory.engine!.dataSource)));
  const failing = async (): Promise<never> => {
    throw new Error('fails');
  };

  beforeEach(async () => {
    calls = [];
    const { app } = await boot(first, {
      imports: [
        TypeOrmModule.forRoot(withNotes(first, { poolSize: 1 })),
        TypeOrmModule.forRoot(withNotes(second, { name: 'ledger', poolSize: 1 })),
        ScopedSessionModule.forRoot(),
        ScopedSessionModule.forRoot({ name: 'ledger' }),
      ],
    });
    main = app.get(ScopedSession);
    ledger = app.get<ScopedSession>(getScopedSessionToken('ledger'));
    second.watch({ dataSource: ledger.sessionFactory.engine!.dataSource });
  });

  it('a hook of one may write in the other, used before or not', async () => {
    await main.run(async () => {
      main.beforeCommit(() => add(ledger, 'first used by the hook').then(() => undefined));
      ledger.beforeCommit(() => undefined);
      await add(main, 'a');
    });
    await main.run(async () => {
      await add(main, 'b');
      main.beforeCommit(() => add(ledger, 'by the hook').then(() => undefined));
    });
    await main.run(async () => {
      await add(main, 'c');
      main.beforeCommit(() => ledger.add(Object.assign(new Note(), { text: 'added by the hook' })));
    });
    await main.run(async () => {
      await add(ledger, 'd');
      ledger.beforeCommit(() => add(main, 'by the ledger').then(() => undefined));
    });
    expect(await stored()).toEqual([
      ['a', 'b', 'c', 'by the ledger'],
      ['first used by the hook', 'by the hook', 'added by the hook', 'd'],
    ]);
  });

  it('a part that fails in a hook of the second, and is caught, keeps the first from being committed', async () => {
    const work = main.run(async () => {
      await add(main, 'a');
      await add(ledger, 'b');
      ledger.beforeCommit(() => ledger.transactional(failing).catch(() => undefined));
    });
    await expect(work).rejects.toBeInstanceOf(UnexpectedRollbackError);
    expect(await stored()).toEqual([[], []]);
  });

  it.each(['commits', 'rolls back'] as const)(
    'hooks after the decision find the connections of both given back: %s',
    async (end) => {
      const store = async (to: ScopedSession, text: string): Promise<void> => {
        calls.push(text);
        await to.run(() => add(to, text));
      };
      const work = main.run(async () => {
        await add(main, 'a');
        await add(ledger, 'b');
        main.afterCompletion(() => store(ledger, 'by main'));
        ledger.afterCompletion(() => store(main, 'by the ledger'));
        if (end === 'rolls back') await failing();
      });
      await work.catch(() => undefined);
      expect(calls).toEqual(['by main', 'by the ledger']);
      const kept = end === 'commits';
      expect(await stored()).toEqual([
        [...(kept ? ['a'] : []), 'by the ledger'],
        [...(kept ? ['b'] : []), 'by main'],
      ]);
    },
  );
});
