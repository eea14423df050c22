/** TRX: what becomes of the objects when a flush or a COMMIT fails, and when somebody else was there first. */
import { PendingRollbackError, type SessionBase, StaleDataError } from 'nestjs-scoped-session';
import { QueryFailedError } from 'typeorm';
import { expect, it } from 'vitest';
import { ALL_KINDS, onEach, SERVERS } from '../support/databases.js';
import { loseAtCommit } from '../support/plain-and-ours.js';
import { Address, User } from '../support/users.js';
import { user, usersSession } from '../support/users-session.js';
import { Ticket } from '../support/versioned.js';

const failureOf = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => undefined,
    (error: unknown) => error,
  );

onEach(ALL_KINDS, (database) => {
  const test = usersSession(database, { dataSource: { entities: [User, Address, Ticket] } });

  it('TRX-01: the error of a flush is the driver’s, with statement and parameters; ROLLBACK goes out at once', async () => {
    const { session } = test;
    session.add(user({ name: 'again', nick: 'x' }));
    const error = (await failureOf(session.flush())) as QueryFailedError;
    expect(error).toBeInstanceOf(QueryFailedError);
    expect(error.driverError).toBeInstanceOf(Error);
    expect(error.query).toMatch(/^INSERT INTO .users./);
    expect(error.parameters).toEqual(expect.arrayContaining(['again', 'x']));
    expect(test.recorder.transactionControl).toEqual(['BEGIN', 'ROLLBACK']);
    expect([session.isActive, test.out]).toEqual([false, 0]);
    for (const use of [() => session.flush(), () => session.count(User), () => session.commit()])
      expect(await failureOf(use())).toMatchObject({ code: 'SS_ERR_PENDING_ROLLBACK', cause: error });
    await session.close();
    expect(session.isActive).toBe(true);
  });

  it('TRX-04: rollback() after it sends nothing, and the next query works', async () => {
    const { session } = test;
    session.add(user({ name: 'again', nick: 'x' }));
    await failureOf(session.flush());
    test.take();
    await session.rollback();
    expect(test.recorder.take()).toEqual([]);
    expect([session.isActive, session.inTransaction()]).toEqual([true, false]);
    expect(await session.count(User)).toBe(2);
    await session.close();
  });

  it('TRX-07: after a key violation at commit() the others are as they are stored; done again, it succeeds', async () => {
    const { session } = test;
    const two = await session.getOrFail(User, 2);
    const change = (): void => {
      two.name = 'zwei';
      two.nick = null;
    };
    change();
    const taken = user({ id: 1, name: 'taken' });
    session.add(taken);
    expect(await failureOf(session.commit())).toBeInstanceOf(QueryFailedError);
    await session.rollback();
    expect([test.state(taken), taken.name]).toEqual(['transient', 'taken']);
    await session.refresh(two);
    expect([two.name, two.nick]).toEqual(['two', 'y']);
    change();
    session.add(user({ name: 'three' }));
    await session.commit();
    const names = await test.names();
    expect(names).toEqual(['one', 'zwei', 'three']);
  });

  it('what a failed flush has written into objects is taken back: no key is left in what is not stored', async () => {
    const { session } = test;
    const [three, again] = [user({ name: 'three' }), user({ name: 'again', nick: 'x' })];
    session.addAll([three, again]);
    await failureOf(session.flush());
    expect([three.id, again.id, test.state(three)]).toEqual([undefined, undefined, 'transient']);
    await session.rollback();
    session.add(three);
    await session.commit();
    expect(await test.names()).toEqual(['one', 'two', 'three']);
  });

  it('TRX-31: a savepoint that cannot be rolled back leaves nothing of its objects', async () => {
    const { session } = test;
    const one = await session.getOrFail(User, 1);
    const nested = await session.beginNested();
    one.name = 'inside';
    const three = user({ name: 'three' });
    session.add(three);
    await session.flush();
    await session.execute('RELEASE SAVEPOINT ss_1');
    expect(await failureOf(nested.rollback())).toBeInstanceOf(QueryFailedError);
    expect(session.isActive).toBe(false);
    expect(await failureOf(session.commit())).toBeInstanceOf(PendingRollbackError);
    await session.rollback();
    expect([session.isActive, test.state(three)]).toEqual([true, 'transient']);
    await session.refresh(one);
    expect(one.name).toBe('one');
    await session.close();
    expect(await test.names()).toEqual(['one', 'two']);
  });

  it('TRX-36: who changes a version that somebody else has changed gets StaleDataError', async () => {
    await test.dataSource.manager.insert(Ticket, { title: 'old' });
    const [a, b] = [test.create(), test.create()];
    const load = async (session: SessionBase): Promise<Ticket> => {
      const ticket = await session.getOrFail(Ticket, 1);
      await session.commit();
      return ticket;
    };
    const [ofA, ofB] = [await load(a), await load(b)];
    ofA.title = 'of a';
    test.take();
    await a.commit();
    expect(test.recorder.rowStatements[0]).toMatch(
      /^UPDATE .ticket. SET .*version.*WHERE .*id.* = .* AND .*version.* = /,
    );
    expect(ofA.version).toBe(2);
    ofB.title = 'of b';
    await expect(b.flush()).rejects.toThrow(StaleDataError);
    expect(b.isActive).toBe(false);
    await b.rollback();
    await b.refresh(ofB);
    expect([ofB.title, ofB.version]).toEqual(['of a', 2]);
    ofB.title = 'of b, again';
    await b.commit();
    expect(ofB.version).toBe(3);
  });

  it('TRX-38: a row that was deleted elsewhere is only warned of', async () => {
    const warnings: string[] = [];
    test.factory.configure({ warn: (message) => void warnings.push(message) });
    const session = test.create();
    const one = await session.getOrFail(User, 1);
    await session.commit();
    await test.dataSource.query("DELETE FROM users WHERE name = 'one'");
    session.delete(one);
    await session.flush();
    expect(session.isActive).toBe(true);
    expect(warnings).toEqual([expect.stringContaining('DELETE from table users was to find 1 row(s)')]);
    await session.commit();
    expect(test.state(one)).toBe('detached');
    expect(await test.names()).toEqual(['two']);
  });
});

onEach(SERVERS, (database) => {
  const test = usersSession(database);

  it('TRX-29: after a COMMIT whose connection was lost new objects are transient, all others expired', async () => {
    const { session } = test;
    const one = await session.getOrFail(User, 1);
    one.name = 'uno';
    const three = user({ name: 'three' });
    session.add(three);
    await session.flush();
    await loseAtCommit(session);
    await expect(session.commit()).rejects.toMatchObject({ outcome: 'unknown' });
    expect([session.isActive, session.inTransaction()]).toEqual([false, true]);
    expect(() => session.add(user({ name: 'four' }))).toThrow(PendingRollbackError);
    await session.rollback();
    expect([session.isActive, test.state(three), three.name]).toEqual([true, 'transient', 'three']);
    await session.refresh(one);
    expect(one.name).toBe('one');
    await session.close();
  });
});

onEach(['mariadb'], (database) => {
  const test = usersSession(database);

  it('TRX-35: what is expired is read again as the transaction saw it first; the next one sees the new value', async () => {
    const { session } = test;
    const one = await session.getOrFail(User, 1);
    await database.ask("UPDATE users SET name = 'outside' WHERE id = 1");
    session.expire(one);
    expect(() => one.name).toThrow('User.name was expired');
    await session.refresh(one);
    expect(one.name).toBe('one');
    await session.commit();
    expect(one.name).toBe('one');
    await session.refresh(one);
    expect(one.name).toBe('outside');
    await session.close();
  });
});
