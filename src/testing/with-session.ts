/** `withSession`: one unit of work of an application, from a test. */
import type { INestApplicationContext } from '@nestjs/common';
import { getScopedSessionToken, type Session } from '../nest/index.js';
import type { ScopedSession } from '../session/index.js';

/**
 * Runs `fn` in a scope of `app`, with its session: services called inside find it as they do in a request. Commits when it
 * returns, rolls back when it throws.
 *
 * @param app - an application, application context or testing module with `ScopedSessionModule.forRoot()`
 * @param fn - the work
 * @param name - the database; left out, the default one
 * @returns what `fn` returns
 *
 * @example
 * ```ts
 * import type { INestApplicationContext } from '@nestjs/common';
 * import { withSession } from 'nestjs-scoped-session/testing';
 * export const countNotes = (app: INestApplicationContext) =>
 *   withSession(app, (session) => session.scalar('SELECT COUNT(*) FROM note'));
 * ```
 */
export async function withSession<T>(
  app: INestApplicationContext,
  fn: (session: Session) => Promise<T> | T,
  name?: string,
): Promise<T> {
  const scoped = app.get<ScopedSession>(getScopedSessionToken(name), { strict: false });
  return scoped.run(fn, { label: 'withSession' });
}
