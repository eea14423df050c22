/** `@InjectSession()`: the REQUEST-scoped provider, a thin handle on whatever scope it is used in. */
import { Inject } from '@nestjs/common';
import { getSessionToken } from './tokens.js';

/**
 * Injects a session handle into a REQUEST-scoped provider. It opens nothing and holds nothing: the scope is looked up when
 * it is used. A singleton with `ScopedSession` does the same and costs less.
 *
 * @param name - the database, as in `forRoot({ name })`; left out, the default one
 *
 * @example
 * ```ts
 * import { Injectable } from '@nestjs/common';
 * import { InjectSession, type Session } from 'nestjs-scoped-session';
 * @Injectable()
 * export class Prices {
 *   constructor(@InjectSession() private readonly session: Session) {}
 *   all() {
 *     return this.session.execute('SELECT * FROM price');
 *   }
 * }
 * ```
 */
export function InjectSession(name?: string): ParameterDecorator & PropertyDecorator {
  return Inject(getSessionToken(name));
}
