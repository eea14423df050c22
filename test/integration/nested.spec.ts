/** Savepoints: blocks with turns of their own, handles as a stack, and TypeORM's words for both. */
import { IllegalStateChangeError, SessionClosedError, TransactionClosedError } from 'nestjs-scoped-session';
import { beforeEach, describe, expect, it } from 'vitest';
import { ALL_KINDS, onEach } from '../support/databases.js';
import { Note } from '../support/note.js';
import { type Ours, ours, texts } from '../support/plain-and-ours.js';
import { StatementLog } from '../support/statement-log.js';
import { signal } from '../support/wait-until.js';

onEach(ALL_KINDS, (database) => {
  const log = new StatementLog();
  let test: Ours;
  const add = (text: string): Promise<unknown> =>
    test.session.execute('INSERT INTO note (text) VALUES (:text)', { text });
  const failing = (text: string) => async (): Promise<never> => {
    await add(text);
    throw new Error(`${text} fails`);
  };
  const savepoints = (): string[] =>
    log.take().flatMap(({ sql }) => (sql.includes('SAVEPOINT') ? [sql] : []));

  beforeEach(async () => {
    test = await ours(database, { logger: log });
    log.take();
  });

  describe('a block', () => {
    it('is undone when it fails, and the transaction goes on', async () => {
      await test.session.run(async () => {
        await add('before');
        await expect(test.session.beginNested(failing('inside'))).rejects.toThrow('inside fails');
        await add('after');
      });
      expect(await texts(test.dataSource)).toEqual(['before', 'after']);
    });

    it('returns what its function returns, and is kept', async () => {
      const value = await test.session.run(() =>
        test.session.beginNested(async () => {
          await add('inside');
          return 42;
        }),
      );
      expect(value).toBe(42);
      expect(await texts(test.dataSource)).toEqual(['inside']);
    });

    it('is undone with the whole transaction though it was kept before', async () => {
      const work = test.session.run(async () => {
        await test.session.beginNested(() => add('inside'));
        throw new Error('later');
      });
      await expect(work).rejects.toThrow('later');
      expect(await texts(test.dataSource)).toEqual([]);
    });

    it('nests', async () => {
      await test.session.run(async () => {
        await test.session.beginNested(async () => {
          await add('outer');
          await expect(test.session.beginNested(failing('inner'))).rejects.toThrow('inner fails');
          await test.session.beginNested(() => add('innermost, kept'));
        });
      });
      expect(await texts(test.dataSource)).toEqual(['outer', 'innermost, kept']);
    });

    it('runs parallel blocks one after the other, and undoes only the one that fails (typeorm#11404)', async () => {
      await test.session.run(async () => {
        const outcomes = await Promise.allSettled([
          test.session.beginNested(async () => {
            await add('a1');
            await add('a2');
          }),
          test.session.beginNested(failing('b')),
          test.session.beginNested(async () => {
            await add('c1');
            await add('c2');
          }),
        ]);
        expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
      });
      expect(await texts(test.dataSource)).toEqual(['a1', 'a2', 'c1', 'c2']);
      const names = savepoints().flatMap((sql) => /^SAVEPOINT (\w+)$/.exec(sql)?.[1] ?? []);
      expect(new Set(names).size).toBe(3);
    });

    it('makes calls from outside wait for its end, and calls from inside take turns', async () => {
      const inside = signal();
      await test.session.run(async () => {
        const block = test.session.beginNested(async () => {
          await inside.promise;
          await Promise.all([add('inside 1'), add('inside 2')]);
        });
        const outside = add('outside');
        inside.resolve();
        await Promise.all([block, outside]);
      });
      expect(await texts(test.dataSource)).toEqual(['inside 1', 'inside 2', 'outside']);
    });

    it('waits for what it did not await, and refuses what comes after its end', async () => {
      const late = signal();
      let refused: Promise<unknown> | undefined;
      await test.session.run(async () => {
        await test.session.beginNested(async () => {
          void add('not awaited');
          refused = late.promise.then(() => add('too late'));
        });
        late.resolve();
        await expect(refused).rejects.toThrow(TransactionClosedError);
      });
      expect(await texts(test.dataSource)).toEqual(['not awaited']);
    });

    it('does not let the whole transaction end inside it', async () => {
      await test.session.run(async () => {
        await test.session.beginNested(async () => {
          await add('inside');
          await expect(test.session.commit()).rejects.toThrow(IllegalStateChangeError);
          await expect(test.session.rollback()).rejects.toThrow('beginNested(fn) is already in progress');
          await expect(test.session.close()).rejects.toThrow(IllegalStateChangeError);
        });
      });
      expect(await texts(test.dataSource)).toEqual(['inside']);
    });

    it('tells whether the session is in one', async () => {
      await test.session.run(async () => {
        expect(test.session.inNestedTransaction()).toBe(false);
        await test.session.beginNested(async () => expect(test.session.inNestedTransaction()).toBe(true));
        expect(test.session.inNestedTransaction()).toBe(false);
      });
    });
  });

  describe('a handle', () => {
    it('commits and rolls back', async () => {
      await test.session.run(async () => {
        const first = await test.session.beginNested();
        await add('kept');
        await first.commit();
        const second = await test.session.beginNested();
        await add('undone');
        await second.rollback();
        expect([first.isActive, second.isActive]).toEqual([false, false]);
        await expect(second.commit()).rejects.toThrow(TransactionClosedError);
      });
      expect(await texts(test.dataSource)).toEqual(['kept']);
    });

    it('ends those that were opened after it', async () => {
      await test.session.run(async () => {
        const outer = await test.session.beginNested();
        await add('outer');
        const inner = await test.session.beginNested();
        await add('inner');
        await outer.rollback();
        expect(inner.isActive).toBe(false);
        await expect(inner.rollback()).rejects.toThrow(TransactionClosedError);
        await add('after');
      });
      expect(await texts(test.dataSource)).toEqual(['after']);
    });

    it('is ended by the commit of the whole', async () => {
      await test.session.run(async () => {
        const handle = await test.session.beginNested();
        await add('inside');
        await test.session.commit();
        expect(handle.isActive).toBe(false);
      });
      expect(await texts(test.dataSource)).toEqual(['inside']);
    });

    it('rolls back when it is disposed of without a commit', async () => {
      await test.session.run(async () => {
        const handle = await test.session.beginNested();
        await add('undone');
        await handle[Symbol.asyncDispose]();
        await add('kept');
      });
      expect(await texts(test.dataSource)).toEqual(['kept']);
    });

    it('cannot be ended from a block inside it', async () => {
      await test.session.run(async () => {
        const handle = await test.session.beginNested();
        await test.session.beginNested(async () => {
          await expect(handle.rollback()).rejects.toThrow(IllegalStateChangeError);
        });
        await handle.commit();
      });
    });
  });

  describe("TypeORM's own words", () => {
    it('manager.transaction is a block', async () => {
      await test.session.run(async () => {
        await add('before');
        const inner = test.session.manager.transaction(async (manager) => {
          expect(manager).toBe(test.session.manager);
          await manager.insert(Note, { text: 'inside' });
          throw new Error('no');
        });
        await expect(inner).rejects.toThrow('no');
      });
      expect(await texts(test.dataSource)).toEqual(['before']);
    });

    it('parallel manager.transaction do not meet', async () => {
      await test.session.run(async () => {
        const outcomes = await Promise.allSettled(
          ['a', 'b', 'c'].map((text) =>
            test.dataSource.transaction(async (manager) => {
              await manager.insert(Note, { text });
              if (text === 'b') throw new Error('b fails');
            }),
          ),
        );
        expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
      });
      expect(await texts(test.dataSource)).toEqual(['a', 'c']);
    });

    it('startTransaction, commitTransaction and rollbackTransaction of the runner are handles', async () => {
      await test.session.run(async () => {
        const { queryRunner } = test.session;
        await queryRunner.startTransaction();
        await add('kept');
        await queryRunner.startTransaction();
        await add('undone');
        expect((queryRunner as unknown as { transactionDepth: number }).transactionDepth).toBe(3);
        await queryRunner.rollbackTransaction();
        await queryRunner.commitTransaction();
        // Nobody but the session gives its connection back.
        await queryRunner.release();
        await add('also kept');
      });
      expect(await texts(test.dataSource)).toEqual(['kept', 'also kept']);
    });

    it('commitTransaction without a start commits the whole', async () => {
      await test.session.run(async () => {
        await add('kept');
        await test.session.queryRunner.commitTransaction();
        expect(test.session.inTransaction()).toBe(false);
        await add('undone');
        await test.session.queryRunner.rollbackTransaction();
      });
      expect(await texts(test.dataSource)).toEqual(['kept']);
    });
  });

  it('is refused when the unit of work has ended', async () => {
    const session = await test.session.run(async (own) => own);
    await expect(session.beginNested(async () => 1)).rejects.toThrow(SessionClosedError);
    await expect(session.queryRunner.startTransaction()).rejects.toThrow(SessionClosedError);
    await expect(session.queryRunner.commitTransaction()).rejects.toThrow(SessionClosedError);
  });
});
