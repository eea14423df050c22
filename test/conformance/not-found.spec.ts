/** FLK-20: what is not there is a 404, without Nest as the session's own error. */
import {
  MultipleResultsFoundError,
  NoResultFoundError,
  type NotFound,
  NotFoundError,
  scopedSession,
} from 'nestjs-scoped-session';
import { fakeSession } from 'nestjs-scoped-session/testing';
import { describe, expect, it } from 'vitest';
import { ALL_KINDS, isSqlite, onEach } from '../support/databases.js';
import { User } from '../support/users.js';
import { usersSession } from '../support/users-session.js';

onEach(ALL_KINDS, (database) => {
  const test = usersSession(database);
  const named = (name: string) => test.session.query(User, 'user').where({ name });

  it('FLK-20: getOr404, firstOr404 and oneOr404 pass the description on, and know the cause', async () => {
    const description = 'no such user';
    for (const [asked, cause] of [
      [test.session.getOr404(User, 99, { description }), NoResultFoundError],
      [test.session.firstOr404(named('three'), { description }), NoResultFoundError],
      [test.session.oneOr404(named('three'), { description }), NoResultFoundError],
      [test.session.oneOr404(User, { description }), MultipleResultsFoundError],
    ] as const) {
      const error = await asked.catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(NotFoundError);
      expect(error).toMatchObject({ code: 'SS_ERR_NOT_FOUND', message: description });
      expect((error as Error).cause).toBeInstanceOf(cause);
    }
  });

  it('FLK-20: without a description the error says what was wanted', async () => {
    await expect(test.session.getOr404(User, 99)).rejects.toThrow('No row was found');
    await expect(test.session.oneOr404(User)).rejects.toThrow('Multiple rows were found');
  });

  it('gives the objects that are there, tracked, and takes the options of get', async () => {
    const one = await test.session.getOr404(User, 1, { relations: { addresses: true } });
    expect([one.name, one.addresses]).toEqual(['one', []]);
    expect(await test.session.oneOr404(named('one'))).toBe(one);
    expect(await test.session.firstOr404(test.session.query(User, 'user').orderBy('user.id'))).toBe(one);
    expect(await test.session.firstOr404(User)).toBeInstanceOf(User);
  });

  it.skipIf(isSqlite(database.kind))('takes the lock of get', async () => {
    const one = await test.session.getOr404(User, 1, { lock: 'pessimistic_write' });
    expect(one.name).toBe('one');
  });

  it('asks for no more rows than it needs, and leaves the builder as it was', async () => {
    const query = test.session.query(User, 'user').orderBy('user.id');
    await test.session.firstOr404(query);
    await test.session.oneOr404(query).catch(() => undefined);
    expect(test.recorder.rowStatements.map((sql) => /LIMIT \d/.exec(sql)?.[0])).toEqual([
      'LIMIT 1',
      'LIMIT 2',
    ]);
    expect(query.expressionMap.take).toBeUndefined();
    expect(await test.session.oneOr404(query.clone().take(1))).toMatchObject({ id: 1 });
  });

  it('throws what the factory’s notFound makes of it', async () => {
    class Gone extends Error {}
    const notFound: NotFound = (description, cause) => new Gone(`${description}: ${cause.name}`);
    const session = test.create();
    test.factory.configure({ notFound });
    const other = test.factory.create();
    await expect(other.getOr404(User, 99, { description: 'x' })).rejects.toEqual(
      new Gone('x: NoResultFoundError'),
    );
    await expect(other.paginate(User, { page: 9 })).rejects.toBeInstanceOf(Gone);
    for (const one of [session, other]) await one.close();
  });

  it('refuses options and queries that it does not know', async () => {
    for (const asked of [
      test.session.getOr404(User, 1, { message: 'x' } as never),
      test.session.firstOr404(User, { description: 1 } as never),
      test.session.oneOr404(User, { description: '' }),
    ])
      await expect(asked).rejects.toMatchObject({ code: 'SS_ERR_INVALID_OPTION' });
    await expect(test.session.oneOr404('users' as never)).rejects.toMatchObject({
      code: 'SS_ERR_INVALID_PARAMETER',
    });
  });

  it('is passed on by the scoped session', async () => {
    const scoped = scopedSession(test.factory);
    await scoped.run(async () => {
      expect(await scoped.getOr404(User, 1)).toMatchObject({ name: 'one' });
      expect(await scoped.paginate(User)).toMatchObject({ total: 2 });
    });
    await expect(scoped.run(() => scoped.getOr404(User, 99))).rejects.toBeInstanceOf(NotFoundError);
  });
});

describe('without a database', () => {
  it('a fake session streams what it answers, and records nothing', async () => {
    const { session, scopedSession: scoped, statements } = fakeSession(() => [{ n: 1 }, { n: 2 }]);
    const rows: unknown[] = [];
    for await (const row of scoped.stream('SELECT n FROM t WHERE n > :n', { n: 0 })) rows.push(row);
    expect([rows, statements.length]).toEqual([[{ n: 1 }, { n: 2 }], 1]);
    expect(session.getRecordedQueries()).toEqual([]);
    expect(() => scoped.modelsCommitted(() => undefined)).not.toThrow();
  });

  it('a fake session has getOr404', async () => {
    class Account {
      constructor(readonly id: number) {}
    }
    const { session } = fakeSession(undefined, { objects: [new Account(1)] });
    expect(await session.getOr404(Account, 1)).toEqual(new Account(1));
    for (const asked of [session.paginate(Account), session.oneOr404(Account), session.firstOr404(Account)])
      await expect(asked).rejects.toMatchObject({ code: 'SS_ERR_INVALID_OPTION' });
    await expect(session.getOr404(Account, 2, { description: 'x' })).rejects.toMatchObject({
      code: 'SS_ERR_NOT_FOUND',
      message: 'x',
    });
  });
});
