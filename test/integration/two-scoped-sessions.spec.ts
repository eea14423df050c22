/** Two scoped sessions without an application that knows both: each unit of work is that of the one that opened it. */
import { expect, it } from 'vitest';
import { onEach, useDatabase } from '../support/databases.js';
import { ours, texts } from '../support/plain-and-ours.js';

const INSERT = "INSERT INTO note (text) VALUES ('x')";

onEach(['sqljs', 'mariadb'], (database) => {
  const other = useDatabase('sqljs');

  it('what the other one has written is rolled back, and somebody is told', async () => {
    const [one, two] = [await ours(database), await ours(other)];
    await one.session.run(async () => {
      await one.session.execute(INSERT);
      await two.session.execute(INSERT);
    });
    expect([await texts(one.dataSource), await texts(two.dataSource)]).toEqual([['x'], []]);
    expect(two.warnings).toEqual([expect.stringContaining('was opened by another scoped session')]);
  });

  it('nobody is told where it was only read, committed by hand, or undone together', async () => {
    const [one, two] = [await ours(database), await ours(other)];
    await one.session.run(() => two.session.scalar('SELECT 1'));
    await one.session.run(async () => {
      await two.session.execute(INSERT);
      await two.session.commit();
    });
    const failing = one.session.run(async () => {
      await two.session.execute("INSERT INTO note (text) VALUES ('y')");
      throw new Error('fails');
    });
    await expect(failing).rejects.toThrow('fails');
    expect(two.warnings).toEqual([]);
    expect(await texts(two.dataSource)).toEqual(['x']);
  });
});
