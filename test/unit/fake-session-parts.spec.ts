/** Parts of the work and hooks on a fake session: what a unit test sees is what would happen. */
import { InvalidOptionError } from 'nestjs-scoped-session';
import { fakeSession } from 'nestjs-scoped-session/testing';
import { expect, it } from 'vitest';

const failing = async (): Promise<never> => {
  throw new Error('fails');
};

it('parts join, and have savepoints', async () => {
  const { scopedSession, events } = fakeSession();
  const result = await scopedSession.transactional(async () => {
    await scopedSession.execute('INSERT INTO note (text) VALUES (:text)', { text: 'a' });
    await scopedSession.transactional(() => 'joined', { isolation: 'SERIALIZABLE' });
    await scopedSession.transactional(failing, { propagation: 'NESTED' }).catch(() => undefined);
    return scopedSession.transactional(() => 'mandatory', { propagation: 'MANDATORY' });
  });
  expect(result).toBe('mandatory');
  expect(events).toEqual(['beginNested', 'commit']);
});

it('hooks behind a savepoint share its fate', async () => {
  const { session } = fakeSession();
  const calls: string[] = [];
  const watch = (name: string): void => {
    session.afterCommit(() => void calls.push(`${name} committed`));
    session.afterRollback(() => void calls.push(`${name} rolled back`));
  };
  await session.beginNested(async () => watch('kept'));
  const undone = session.beginNested(async () => {
    await session.beginNested(async () => watch('inner'));
    watch('undone');
    await failing();
  });
  await expect(undone).rejects.toThrow('fails');
  expect(calls).toEqual(['inner rolled back', 'undone rolled back']);
  await session.commit();
  expect(calls.slice(2)).toEqual(['kept committed']);
});

it('a hook is a function', () => {
  const { session } = fakeSession();
  expect(() => session.afterCommit('no' as never)).toThrow(InvalidOptionError);
});
