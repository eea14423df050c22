/** A scoped session without a scope: what promises something rejects, everything else throws. */
import { NoActiveScopeError, runInScope, scopedSession, sessionFactory } from 'nestjs-scoped-session';
import { expect, it } from 'vitest';

class Thing {
  id!: number;
}

const session = scopedSession(sessionFactory());

it.each([
  ['execute', () => session.execute('SELECT 1')],
  ['scalar', () => session.scalar('SELECT 1')],
  ['query of a text', () => session.query('SELECT 1')],
  ['get', () => session.get(Thing, 1)],
  ['commit', () => session.commit()],
  ['beginNested', () => session.beginNested(async () => 1)],
  ['flush', () => session.flush()],
])('%s rejects', async (_name, call) => {
  let promise: Promise<unknown> | undefined;
  expect(() => (promise = call())).not.toThrow();
  await expect(promise).rejects.toBeInstanceOf(NoActiveScopeError);
});

it.each([
  ['query of a class', () => session.query(Thing)],
  ['add', () => session.add(new Thing())],
  ['inTransaction', () => session.inTransaction()],
  ['afterCommit', () => session.afterCommit(() => undefined)],
  ['info', () => session.info],
])('%s throws', (_name, call) => {
  expect(call).toThrow(NoActiveScopeError);
});

it('rejects after the end, too', async () => {
  const late = await runInScope(() => ({ call: () => session.execute('SELECT 1') }));
  await expect(late.call()).rejects.toBeInstanceOf(NoActiveScopeError);
});
