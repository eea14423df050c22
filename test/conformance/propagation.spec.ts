/** Parts of the work and the whole around them: failures, options, what outlives it, and what runs beside it. */
import { AsyncResource } from 'node:async_hooks';
import {
  ConflictingTransactionOptionsError,
  InvalidOptionError,
  type Propagation,
  PropagationError,
  SelfDeadlockError,
  SessionClosedError,
  UnexpectedRollbackError,
} from 'nestjs-scoped-session';
import { beforeEach, describe, expect, it } from 'vitest';
import { KINDS, onEach } from '../support/databases.js';
import { type Ours, ours, texts } from '../support/plain-and-ours.js';

onEach(KINDS, (database) => {
  let test: Ours;
  const add = (text: string): Promise<unknown> =>
    test.session.execute('INSERT INTO note (text) VALUES (:text)', { text });
  const failing = async (): Promise<never> => {
    throw new Error('fails');
  };

  beforeEach(async () => {
    test = await ours(database);
  });

  describe('a part that has joined and failed', () => {
    it('is the whole’s failure at commit() by hand, too; rollback() mends it', async () => {
      await test.session.run(async (session) => {
        await add('x');
        await test.session.transactional(failing).catch(() => undefined);
        await add('goes on');
        await expect(session.commit()).rejects.toBeInstanceOf(UnexpectedRollbackError);
        await session.rollback();
        await add('after');
      });
      expect(await texts(test.dataSource)).toEqual(['after']);
    });

    it('concerns the savepoint around it only, when that is rolled back', async () => {
      await test.session.run(async (session) => {
        await add('before');
        const nested = session.beginNested(async () => {
          await add('inside');
          await test.session.transactional(failing).catch(() => undefined);
          await add('inside, later');
        });
        // The block cannot be kept either: half of the part may be in it.
        await expect(nested).rejects.toBeInstanceOf(UnexpectedRollbackError);
        await add('after');
      });
      expect(await texts(test.dataSource)).toEqual(['before', 'after']);
    });

    it('tells its error as the cause', async () => {
      const work = test.session.run(() => test.session.transactional(failing).catch(() => undefined));
      await expect(work).rejects.toMatchObject({
        cause: expect.objectContaining({ message: 'fails' }) as Error,
      });
    });

    it('does not keep a savepoint beside it from being kept', async () => {
      const work = test.session.run(async (session) => {
        await test.session.transactional(failing).catch(() => undefined);
        await session.beginNested(() => add('inside'));
        session.setRollbackOnly();
      });
      // Decided by hand: it answers as it would.
      await work;
      expect(await texts(test.dataSource)).toEqual([]);
    });
  });

  describe('options', () => {
    it('of a part that opens are those of its unit of work', async () => {
      const work = test.session.transactional(
        async () => {
          await add('x');
          await test.session.transactional(() => add('y'), { isolation: 'READ UNCOMMITTED' });
        },
        { isolation: 'SERIALIZABLE' },
      );
      await expect(work).rejects.toThrow('READ UNCOMMITTED was asked for inside one with SERIALIZABLE');
    });

    it('of a part that joins are refused where the transaction runs with others', async () => {
      await test.session.run(
        async () => {
          await add('x');
          const other = test.session.transactional(() => add('never'), { isolation: 'READ UNCOMMITTED' });
          await expect(other).rejects.toBeInstanceOf(ConflictingTransactionOptionsError);
          await test.session.transactional(() => add('y'), { isolation: 'SERIALIZABLE' });
          await test.session.transactional(() => add('z'), {
            isolation: 'SERIALIZABLE',
            propagation: 'NESTED',
          });
        },
        { isolation: 'SERIALIZABLE' },
      );
      expect(await texts(test.dataSource)).toEqual(['x', 'y', 'z']);
    });

    it('that only read may join what writes; what writes may not join what only reads', async () => {
      await test.session.run(async () => {
        await add('x');
        await test.session.transactional(() => test.session.scalar('SELECT 1'), { readOnly: true });
      });
      const work = test.session.run(
        async (session) => {
          await session.scalar('SELECT 1');
          await test.session.transactional(() => add('never'), { readOnly: false });
        },
        { readOnly: true },
      );
      await expect(work).rejects.toBeInstanceOf(ConflictingTransactionOptionsError);
    });

    it('are read before anything is done', async () => {
      const refused = (options: object): Promise<unknown> =>
        test.session.transactional(() => add('never'), options);
      await expect(refused({ propagation: 'SOMETIMES' })).rejects.toBeInstanceOf(InvalidOptionError);
      await expect(refused({ isolation: 'SERIALIZABLE; DROP TABLE note' })).rejects.toBeInstanceOf(
        InvalidOptionError,
      );
      await expect(refused({ transaction: true })).rejects.toBeInstanceOf(InvalidOptionError);
      await expect(test.session.transactional(undefined as never)).rejects.toBeInstanceOf(InvalidOptionError);
    });
  });

  describe('retry', () => {
    it('runs a part again that has a unit of work of its own, and not one that has joined', async () => {
      const attempts: string[] = [];
      const once = (name: string, propagation: Propagation) => (): Promise<void> =>
        test.session.transactional(
          async () => {
            attempts.push(name);
            if (attempts.filter((one) => one === name).length === 1) throw new Error('once');
          },
          { propagation, retry: { times: 1, delayMs: 0, on: () => true } },
        );
      await once('alone', 'REQUIRED')();
      await expect(test.session.run(once('joined', 'REQUIRED'))).rejects.toThrow('once');
      expect(attempts).toEqual(['alone', 'alone', 'joined']);
    });
  });

  it.each(['REQUIRED', 'SUPPORTS', 'MANDATORY', 'NESTED'] as const)(
    'what outlived its unit of work cannot join it any more: %s',
    async (mode) => {
      const late = await test.session.run(async () => ({
        call: AsyncResource.bind(() => test.session.transactional(() => add('late'), { propagation: mode })),
      }));
      await expect(late.call()).rejects.toBeInstanceOf(SessionClosedError);
      expect(await texts(test.dataSource)).toEqual([]);
    },
  );

  it('a part that is MANDATORY, or NEVER, says what to do', async () => {
    const mandatory = test.session.transactional(failing, { propagation: 'MANDATORY', label: 'Bank.move' });
    await expect(mandatory).rejects.toThrow(/Bank\.move.*scopedSession\.run\(fn\)/);
    const never = test.session.run(() =>
      test.session.transactional(failing, { propagation: 'NEVER', label: 'Bank.mail' }),
    );
    await expect(never).rejects.toThrow(PropagationError);
  });

  it('parts beside each other have savepoints one after the other, and transactions of their own at once', async () => {
    const beside = (propagation: Propagation): Promise<PromiseSettledResult<unknown>[]> =>
      Promise.allSettled([
        test.session.transactional(() => add(`${propagation} fails`).then(failing), { propagation }),
        test.session.transactional(() => add(propagation), { propagation }),
      ]);
    await test.session.run(() => beside('NESTED'));
    await test.session.run(() => beside('REQUIRES_NEW'));
    expect(await texts(test.dataSource)).toEqual(['NESTED', 'REQUIRES_NEW']);
  });

  it('REQUIRES_NEW tells at once when it waits for the connection that the work around it holds', async () => {
    const small = await ours(database, { poolSize: 1 });
    const work = small.session.run(async (session) => {
      await session.execute("INSERT INTO note (text) VALUES ('x')");
      await small.session.transactional(() => small.session.scalar('SELECT 1'), {
        propagation: 'REQUIRES_NEW',
      });
    });
    await expect(work).rejects.toBeInstanceOf(SelfDeadlockError);
    expect(await texts(small.dataSource)).toEqual([]);
  });
});
