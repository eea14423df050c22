/** `useSession`: lets the decorated methods of an object run in a unit test, without an application. */
import { own } from '../nest/index.js';
import type { ScopedSession } from '../session/index.js';

/**
 * Lets methods with `@Transactional()` and its kin on `object` use `scopedSession`, for tests that make the object by hand.
 *
 * @param object - the object under test
 * @param scopedSession - for every database; that of `fakeSession()`, or a real one
 * @returns `object`
 *
 * @example
 * ```ts
 * import { fakeSession, useSession } from 'nestjs-scoped-session/testing';
 * class Bank {}
 * const { scopedSession } = fakeSession();
 * export const bank = useSession(new Bank(), scopedSession);
 * ```
 */
export function useSession<T extends object>(object: T, scopedSession: ScopedSession): T {
  const database = { scoped: scopedSession };
  own(object, { main: database, get: () => database });
  return object;
}
