/** MKR: sessionFactory behaves as SQLAlchemy's sessionmaker. */
import { sessionFactory, UnboundSessionError } from 'nestjs-scoped-session';
import { beforeEach, expect, it } from 'vitest';
import { ALL_KINDS, onEach } from '../support/databases.js';
import { INSERT_USER, type Users, users } from '../support/users.js';

onEach(ALL_KINDS, (database) => {
  let test: Users;

  beforeEach(async () => {
    test = await users(database);
  });

  it('MKR-01: options of the call go before those of the factory, for that session alone', () => {
    const factory = sessionFactory(test.engine, { autobegin: false });
    const refused = (session: { execute(sql: string): Promise<unknown> }): Promise<boolean> =>
      session.execute('SELECT 1').then(
        () => false,
        () => true,
      );
    return (async () => {
      expect(await refused(factory.create())).toBe(true);
      await using own = factory.create({ autobegin: true });
      expect(await refused(own)).toBe(false);
      expect(await refused(factory.create())).toBe(true);
    })();
  });

  it('MKR-02: info is a merged copy for each session', () => {
    const factory = sessionFactory(test.engine, { info: { g: 1, s: 5 } });
    const session = factory.create({ info: { s: 6 } });
    expect(session.info).toEqual({ g: 1, s: 6 });
    session.info['g'] = 'changed';
    session.info['more'] = true;
    expect(factory.create().info).toEqual({ g: 1, s: 5 });
  });

  it('MKR-03: a factory can be bound after it was made', async () => {
    const factory = sessionFactory();
    const before = factory.create();
    factory.configure({ dataSource: test.dataSource });
    expect(factory.create().getBind()).toBe(test.dataSource);
    await using session = factory.create();
    expect(Number(await session.scalar('SELECT COUNT(*) FROM users'))).toBe(2);
    expect(() => before.getBind()).toThrow(UnboundSessionError);
  });

  it('MKR-05: begin(fn) rolls back when fn throws after an INSERT, and throws the same error', async () => {
    const failure = new Error('of the body');
    const body = test.factory.begin(async (session) => {
      await session.execute(INSERT_USER, { name: 'three', nick: null });
      throw failure;
    });
    await expect(body).rejects.toBe(failure);
    expect(test.recorder.transactionControl).toEqual(['BEGIN', 'ROLLBACK']);
    expect(test.out).toBe(0);
    expect(await test.names()).toEqual(['one', 'two']);
  });

  it('MKR-05: begin(fn) commits when fn returns, and returns the same', async () => {
    const result = await test.factory.begin(async (session) => {
      await session.execute(INSERT_USER, { name: 'three', nick: null });
      return 'answer';
    });
    expect(result).toBe('answer');
    expect(test.recorder.transactionControl).toEqual(['BEGIN', 'COMMIT']);
    expect(test.out).toBe(0);
    expect(await test.names()).toEqual(['one', 'two', 'three']);
  });
});
