/** Bugs of other libraries' hooks of transactions, none of which happens here; docs/recipes.md has their numbers. */
import { beforeEach, expect, it } from 'vitest';
import { onEach } from '../support/databases.js';
import { type Ours, ours, texts } from '../support/plain-and-ours.js';

onEach(['mariadb', 'sqljs'], (database) => {
  let test: Ours;
  let calls: string[];
  beforeEach(async () => {
    test = await ours(database);
    calls = [];
  });

  const note = (text: string) => async (): Promise<void> => {
    await new Promise(setImmediate);
    calls.push(text);
  };

  it('5.B.5: one that throws, or rejects, ends nobody’s process: it is reported, and the work has succeeded', async () => {
    const { session, warnings } = test;
    await session.run(async () => {
      session.afterCommit(() => {
        throw new Error('The mail server is down.');
      });
      session.afterCommit(() => Promise.reject(new Error('The index is down.')));
      await session.execute("INSERT INTO note (text) VALUES ('kept')");
    });
    expect(await texts(test.dataSource)).toEqual(['kept']);
    expect(warnings.filter((warning) => warning.includes('is down'))).toHaveLength(2);
  });

  it('5.B.5: they are awaited', async () => {
    await test.session.run(() => test.session.afterCommit(note('awaited')));
    expect(calls).toEqual(['awaited']);
  });

  it('5.B.5: where there is no transaction they are refused, not called at once', async () => {
    const { session } = test;
    const outside = session.transactional(() => session.afterCommit(note('never')), {
      propagation: 'SUPPORTS',
    });
    await expect(outside).rejects.toMatchObject({ code: 'SS_ERR_NO_ACTIVE_SCOPE' });
    expect(calls).toEqual([]);
  });

  it('5.B.5: those of a NESTED part wait for the whole, and are not called when it fails', async () => {
    const { session } = test;
    const work = session.run(async () => {
      await session.transactional(() => session.afterCommit(note('too early')), { propagation: 'NESTED' });
      expect(calls).toEqual([]);
      throw new Error('no');
    });
    await expect(work).rejects.toThrow('no');
    expect(calls).toEqual([]);
  });
});
