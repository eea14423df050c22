/** `@Transactional()`: a method as a part of the work, with the propagation of Spring. */
import { readOptions, text } from '../engine/index.js';
import { TRANSACTIONAL_RULES, type TransactionalOptions } from '../session/index.js';
import { aroundMethod, type SessionMethodDecorator } from './decorated-method.js';
import { ownerOf } from './method-owners.js';
import { DEFAULT_NAME } from './tokens.js';

/** Options of `@Transactional`. */
export interface TransactionalMethodOptions extends TransactionalOptions {
  /** The database whose session takes part, as in `forRoot({ name })`. Default the default one. */
  readonly dataSource?: string;
}

const RULES = { ...TRANSACTIONAL_RULES, dataSource: text };

/**
 * Makes a method a part of the unit of work around it, or a unit of work of its own where there is none.
 *
 * The method returns a promise or an Observable. An Observable is made and subscribed anew for each subscription, and its last
 * value leaves when the work was kept; the method has to declare `Observable` as its return type.
 *
 * @param options - `propagation` (default `REQUIRED`; see `PROPAGATIONS`), `isolation`, `readOnly`, `dataSource` (a name),
 *   `timeoutMs` and `retry` (where the method opens a unit of work), `label` (default `Class.method`)
 * @throws `SS_ERR_INVALID_OPTION` when the class is loaded; the method's calls throw as `scopedSession.transactional`, and
 *   `SS_ERR_UNBOUND_SESSION` on an object that no application has made
 *
 * @example
 * ```ts
 * import { Injectable } from '@nestjs/common';
 * import { ScopedSession, Transactional } from 'nestjs-scoped-session';
 * @Injectable()
 * export class BankService {
 *   constructor(private readonly session: ScopedSession) {}
 *
 *   @Transactional({ isolation: 'SERIALIZABLE', retry: { times: 3 } })
 *   async transfer(from: number, to: number, cents: number): Promise<void> {
 *     const sql = 'UPDATE account SET cents = cents + :cents WHERE id = :id';
 *     await this.session.execute(sql, { id: from, cents: -cents });
 *     await this.session.execute(sql, { id: to, cents });
 *   }
 * }
 * ```
 */
export function Transactional(options?: TransactionalMethodOptions): SessionMethodDecorator {
  const { dataSource = DEFAULT_NAME, ...own } = readOptions('@Transactional', options, RULES);
  return aroundMethod({
    name: '@Transactional()',
    runsAgain: own.retry !== undefined,
    run: async ({ self, label }, work) =>
      ownerOf(self, label)
        .get(dataSource)
        .scoped.transactional(work, { label, ...own }),
  });
}
