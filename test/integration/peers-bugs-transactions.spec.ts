/** Bugs of other libraries' transactions, none of which happens here; docs/recipes.md has their numbers. */
import {
  PropagationError,
  ScopedSession,
  Transactional,
  UnexpectedRollbackError,
} from 'nestjs-scoped-session';
import { useSession } from 'nestjs-scoped-session/testing';
import { defer, lastValueFrom, Observable } from 'rxjs';
import { beforeEach, describe, expect, it } from 'vitest';
import { onEach, SERVERS } from '../support/databases.js';
import { Note } from '../support/note.js';
import { type Ours, ours, texts } from '../support/plain-and-ours.js';
import { signal } from '../support/wait-until.js';

/** Has two functions meet: each goes on when the other one has come. */
function meeting(): [() => Promise<void>, () => Promise<void>] {
  const [one, other] = [signal(), signal()];
  const meet = (mine: typeof one, theirs: typeof one) => async () => {
    mine.resolve();
    await theirs.promise;
  };
  return [meet(one, other), meet(other, one)];
}

/** What returns an Observable needs a class: its declared type is read. */
class Streams {
  constructor(readonly add: (text: string) => Promise<unknown>) {}

  @Transactional()
  stream(text: string, failing = false): Observable<string> {
    return defer(async () => {
      await this.add(text);
      if (failing) throw new Error('The stream has failed.');
      return text;
    });
  }
}

onEach(SERVERS, (database) => {
  let test: Ours;
  let session: ScopedSession;
  beforeEach(async () => {
    test = await ours(database, { poolSize: 4 });
    ({ session } = test);
  });

  const add = (text: string): Promise<unknown> =>
    session.execute('INSERT INTO note (text) VALUES (:text)', { text });
  const fail = (): never => {
    throw new Error('no');
  };
  const stored = async (): Promise<string[]> => (await texts(test.dataSource)).toSorted();

  describe('parts beside each other', () => {
    it('5.B.1: of two transactions of their own the one that fails leaves nothing, the other one is whole', async () => {
      const [a, b] = meeting();
      const [a2, b2] = meeting();
      const part = (name: string, first: () => Promise<void>, second: () => Promise<void>, end: () => void) =>
        session.transactional(
          async () => {
            await add(`${name}1`);
            await first();
            await add(`${name}2`);
            await second();
            end();
          },
          { propagation: 'REQUIRES_NEW' },
        );
      const whole = session.run(async () => {
        await add('parent');
        await Promise.allSettled([part('A', a, a2, fail), part('B', b, b2, () => undefined)]);
        fail();
      });
      await expect(whole).rejects.toThrow('no');
      expect(await stored()).toEqual(['B1', 'B2']);
    });

    it('5.C.1, 5.D.2: of two savepoints the one that fails is undone, the other one and the whole are kept', async () => {
      await session.run(async () => {
        const part = (text: string, end: () => void) =>
          session.transactional(() => add(text).then(end), { propagation: 'NESTED' });
        const parts = await Promise.allSettled([
          part('A', fail),
          part('B', () => undefined),
          part('C', fail),
        ]);
        expect(parts.map(({ status }) => status)).toEqual(['rejected', 'fulfilled', 'rejected']);
        await add('after');
      });
      // The connection is clean: plain TypeORM works on it next.
      expect(await stored()).toEqual(['B', 'after']);
    });

    it.each(['REQUIRES_NEW', 'NOT_SUPPORTED'] as const)(
      '5.D.1: what stands beside a part that is %s stays in the transaction of the whole',
      async (propagation) => {
        const [part, whole] = meeting();
        const work = session.run(async () => {
          await add('before');
          await Promise.all([
            session.transactional(part, { propagation }),
            whole().then(() => test.dataSource.getRepository(Note).insert({ text: 'beside' })),
          ]);
          fail();
        });
        await expect(work).rejects.toThrow('no');
        expect(await stored()).toEqual([]);
      },
    );
  });

  describe('a part that fails, or the whole after it', () => {
    it('5.B.2, 5.G.1: a NESTED part that was kept is lost with the whole', async () => {
      const work = session.run(async () => {
        await session.transactional(() => add('nested'), { propagation: 'NESTED' });
        await test.dataSource.transaction((manager) => manager.insert(Note, { text: 'nested by TypeORM' }));
        fail();
      });
      await expect(work).rejects.toThrow('no');
      expect(await stored()).toEqual([]);
    });

    it('5.B.10, 5.C.7: a joined part whose error is swallowed takes the whole with it', async () => {
      const work = session.run(async () => {
        await add('outer');
        await session.transactional(() => add('inner').then(fail)).catch(() => undefined);
        await add('goes on');
      });
      await expect(work).rejects.toBeInstanceOf(UnexpectedRollbackError);
      expect(await stored()).toEqual([]);
    });

    it('5.B.3, 5.B.4, 5.C.5: managers, builders, repositories and dataSource.transaction() are undone', async () => {
      const { manager } = test.dataSource;
      const notes = test.dataSource.getRepository(Note);
      const work = session.transactional(async () => {
        await manager.save(Note, { text: 'manager.save' } as Note);
        await manager.createQueryBuilder().insert().into(Note).values({ text: 'query builder' }).execute();
        await notes.save({ text: 'repository' });
        await test.dataSource.transaction((inner) => inner.save(Note, { text: 'transaction' } as Note));
        fail();
      });
      await expect(work).rejects.toThrow('no');
      expect(await stored()).toEqual([]);
    });

    it('5.B.8, 5.C.4: work that nobody awaited is refused after the end, and its own unit of work is one', async () => {
      const gate = signal();
      let late: Promise<unknown> | undefined;
      let own: Promise<unknown> | undefined;
      const work = session.run(async () => {
        late = gate.promise.then(() => test.dataSource.getRepository(Note).insert({ text: 'late' }));
        own = gate.promise.then(() => session.run(() => add('on its own')));
        late.catch(() => undefined);
        await add('undone');
        fail();
      });
      await expect(work).rejects.toThrow('no');
      gate.resolve();
      await expect(late).rejects.toMatchObject({ code: 'SS_ERR_SESSION_CLOSED' });
      await own;
      expect(await stored()).toEqual(['on its own']);
    });
  });

  it('5.B.7, 5.C.6, 5.D.4: two that hold the pool and each want another connection are told, and nobody hangs', async () => {
    const small = await ours(database, { poolSize: 2 });
    small.session.sessionFactory.engine!.configure({ poolTimeoutMs: 200 });
    const [one, other] = meeting();
    const work = (meet: () => Promise<void>) =>
      small.session.run(async (own) => {
        await own.execute('SELECT 1');
        await meet();
        await small.session.transactional(() => small.session.execute('SELECT 1'), {
          propagation: 'REQUIRES_NEW',
        });
      });
    const results = await Promise.allSettled([work(one), work(other)]);
    const failed = results.filter((result) => result.status === 'rejected');
    expect(failed.length).toBeGreaterThan(0);
    for (const { reason } of failed) expect(reason).toMatchObject({ code: 'SS_ERR_POOL_TIMEOUT' });
    expect(await small.session.run(() => small.session.scalar('SELECT 1'))).toBeTruthy();
  });

  it('5.B.9, 5.C.8: an Observable is committed when it has ended, and undone when it fails', async () => {
    const streams = useSession(new Streams(add), session);
    await expect(lastValueFrom(streams.stream('failing', true))).rejects.toThrow('has failed');
    expect(await stored()).toEqual([]);
    const seen = lastValueFrom(streams.stream('kept')).then(stored);
    expect(await seen).toEqual(['kept']);
  });

  it('5.C.9: a function without a promise is taken, and what is refused is refused by a rejection', async () => {
    expect(await session.transactional(() => 1, { propagation: 'NOT_SUPPORTED' })).toBe(1);
    const mandatory = session.transactional(() => 1, { propagation: 'MANDATORY' });
    await expect(mandatory).rejects.toBeInstanceOf(PropagationError);
    await session.run(async () => {
      const never = session.transactional(() => 1, { propagation: 'NEVER' });
      await expect(never).rejects.toBeInstanceOf(PropagationError);
    });
  });

  it('5.D.5: what was changed and not flushed is stored at the end', async () => {
    await session.run(() => add('old'));
    await session.run(async (own) => {
      const [note] = await own.find(Note);
      note!.text = 'new';
      own.add(Object.assign(new Note(), { text: 'added' }));
    });
    expect(await stored()).toEqual(['added', 'new']);
  });

  it('5.G.2: a transaction of another database hides nobody’s', async () => {
    const other = await ours(database, { dropSchema: false });
    const work = session.run(async () => {
      await add('of the first');
      await other.session.run(async () => {
        await other.session.execute("INSERT INTO note (text) VALUES ('of the second')");
        await add('of the first, inside');
        await test.dataSource.getRepository(Note).insert({ text: 'of the first, by a repository' });
      });
      fail();
    });
    await expect(work).rejects.toThrow('no');
    expect(await stored()).toEqual(['of the second']);
  });
});
