/** LIF-31: a session that is dropped without close() is noticed. */
import { expect, it } from 'vitest';
import { collectGarbageUntil } from '../support/collect-garbage.js';
import { ALL_KINDS, onEach } from '../support/databases.js';
import { INSERT_USER, type Users, users } from '../support/users.js';
import { waitUntil } from '../support/wait-until.js';

onEach(ALL_KINDS, (database) => {
  const warnings: string[] = [];

  async function drop(test: Users, label: string): Promise<void> {
    const session = test.factory.create({ label });
    await session.execute(INSERT_USER, { name: 'three', nick: null });
    expect(test.out).toBe(1);
    // The recorder keeps the runner of each statement, and that leads to the session.
    test.recorder.take();
  }

  it('LIF-31: its connection is closed, its transaction rolled back, and a warning names it', async () => {
    warnings.length = 0;
    const test = await users(database, {
      dataSource: { poolSize: 1 },
      factory: { warn: (message) => void warnings.push(message) },
    });
    await drop(test, 'the forgotten one');
    await collectGarbageUntil('the session was noticed', () => warnings.length > 0);
    expect(warnings).toEqual([
      'the forgotten one was forgotten while it held a connection; its transaction was rolled back. Close every session ' +
        '(await using, factory.begin(fn), or a scope).',
    ]);
    await waitUntil('nothing is checked out', () => test.out === 0);
    await test.factory.begin((session) => session.execute(INSERT_USER, { name: 'four', nick: null }));
    expect(await test.names()).toEqual(['one', 'two', 'four']);
  });

  it('LIF-31: one that was ended is forgotten in silence', async () => {
    warnings.length = 0;
    const test = await users(database, { factory: { warn: (message) => void warnings.push(message) } });
    const references: WeakRef<object>[] = [];
    await (async () => {
      for (const end of ['commit', 'rollback', 'close', 'invalidate'] as const) {
        const session = test.factory.create();
        await session.execute('SELECT 1');
        await session[end]();
        references.push(new WeakRef(session));
      }
    })();
    test.recorder.take();
    await collectGarbageUntil('they are gone', () => references.every((one) => one.deref() === undefined));
    // Finalizers run in a later task than the collection.
    await drop(test, 'the last one');
    await collectGarbageUntil('the last one was noticed', () => warnings.length > 0);
    expect(warnings).toHaveLength(1);
  });
});
