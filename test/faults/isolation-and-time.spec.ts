/** What servers do not promise at their isolation levels, and clocks that jump. */
import { ScopeTimeoutError } from 'nestjs-scoped-session';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { engineOf } from '../../src/engine/index.js';
import { onEach, SERVERS } from '../support/databases.js';
import { ours, type Ours } from '../support/plain-and-ours.js';
import { signal } from '../support/wait-until.js';

onEach(SERVERS, (database) => {
  const read = 'SELECT LENGTH(text) FROM note WHERE id = 1';
  const grow = 'UPDATE note SET text = :longer WHERE id = 1';

  /** Two units of work read a text at the same time, and each stores it longer by one letter. */
  async function bothGrow(test: Ours, select: string): Promise<string[]> {
    await test.session.run(() => test.session.execute("INSERT INTO note (text) VALUES ('x')"));
    const [firstHasRead, secondMayWrite] = [signal(), signal()];
    const unit = (reading: () => void, writing: Promise<void>): Promise<unknown> =>
      test.session.run(
        async () => {
          const longer = 'x'.repeat(Number(await test.session.scalar(select)) + 1);
          reading();
          await writing;
          await test.session.execute(grow, { longer });
        },
        { isolation: 'REPEATABLE READ' },
      );
    const locks = select.includes('FOR UPDATE');
    const first = unit(firstHasRead.resolve, locks ? Promise.resolve() : secondMayWrite.promise);
    await firstHasRead.promise;
    const second = unit(
      secondMayWrite.resolve,
      first.then(() => undefined),
    );
    return (await Promise.allSettled([first, second])).map(({ status }) => status);
  }

  const length = async (): Promise<number> => {
    const rows = await database.ask<{ length: number }>('SELECT LENGTH(text) AS length FROM note');
    return rows[0]!.length;
  };

  it('F132: of two that read and write at once one is lost on MySQL, and told so on PostgreSQL', async () => {
    const test = await ours(database, { poolSize: 2 });
    const outcome = await bothGrow(test, read);
    expect(outcome).toEqual(['fulfilled', database.kind === 'mariadb' ? 'fulfilled' : 'rejected']);
    expect(await length(), 'the server’s doing').toBe(2);
  });

  it('F132: with FOR UPDATE none is lost unheard', async () => {
    const test = await ours(database, { poolSize: 2 });
    const outcome = await bothGrow(test, `${read} FOR UPDATE`);
    expect(await length()).toBe(1 + outcome.filter((one) => one === 'fulfilled').length);
  });

  describe('a clock that jumps', () => {
    afterEach(() => vi.restoreAllMocks());

    const jump = (milliseconds: number): void => {
      const now = Date.now.bind(Date);
      vi.spyOn(Date, 'now').mockImplementation(() => now() + milliseconds);
    };

    it.each([3_600_000, -3_600_000])(
      'by %s ms ends no unit of work, and lets none wait for ever',
      async (by) => {
        const { session } = await ours(database, { poolSize: 2 });
        await session.run(
          async () => {
            await session.scalar('SELECT 1');
            jump(by);
            expect(Number(await session.scalar('SELECT 2'))).toBe(2);
          },
          { timeoutMs: 5_000 },
        );
        const work = session.run(() => new Promise(() => void session.scalar('SELECT 3')), { timeoutMs: 50 });
        await expect(work).rejects.toThrow(ScopeTimeoutError);
      },
    );

    it('leaves the pool whole', async () => {
      const { session, dataSource } = await ours(database, { poolSize: 3 });
      await Promise.all([1, 2, 3].map(() => session.run(() => session.scalar('SELECT 1'))));
      jump(3_600_000);
      await Promise.all([1, 2, 3].map(() => session.run(() => session.scalar('SELECT 1'))));
      expect(engineOf(dataSource).status()).toMatchObject({ active: 0, waiting: 0 });
    });
  });
});
