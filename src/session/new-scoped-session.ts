/** Makes scoped sessions. */
import { InvalidOptionError, requireFunction } from '../errors.js';
import { ScopedSession } from './scoped-session.js';
import { SessionFactory } from './session-factory.js';
import { SessionsOfKeys, SessionsOfScopes } from './session-places.js';

/**
 * Makes a scoped session over `factory`, SQLAlchemy's `scoped_session`.
 *
 * @param scopeFunction - names the current scope; left out, scopes are those of `run`, `runInScope` and requests
 * @throws `SS_ERR_INVALID_OPTION` for anything else than a factory and a function
 *
 * @example
 * ```ts
 * import { scopedSession, sessionFactory } from 'nestjs-scoped-session';
 * export const session = scopedSession(sessionFactory());
 * ```
 */
export function scopedSession(factory: SessionFactory, scopeFunction?: () => unknown): ScopedSession {
  if (!(factory instanceof SessionFactory)) {
    throw new InvalidOptionError(
      'scopedSession takes a factory made by sessionFactory(…) as its first argument.',
    );
  }
  if (scopeFunction !== undefined) requireFunction(scopeFunction, 'The scope function of scopedSession');
  const place =
    scopeFunction === undefined ? new SessionsOfScopes(factory) : new SessionsOfKeys(factory, scopeFunction);
  return new ScopedSession(factory, place);
}
