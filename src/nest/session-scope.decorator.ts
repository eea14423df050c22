/** `@SessionScope()`: a method with a unit of work of its own, for code that Nest calls without interceptors. */
import { readRunOptions, type RunOptions } from '../session/index.js';
import { aroundMethod, type SessionMethodDecorator } from './decorated-method.js';
import { ownerOf } from './method-owners.js';

/**
 * Gives each call of a method a scope with a session of its own, in all databases: committed when the method has returned,
 * rolled back when it throws. Where `@Transactional()` joins the unit of work around it, this one never does. For `@Cron`,
 * `@OnEvent`, processors of queues and commands, for which Nest calls no interceptor.
 *
 * The method returns a promise or an Observable; each subscription of an Observable is a call.
 *
 * @param options - those of `scopedSession.run`: `isolation`, `readOnly`, `timeoutMs` (of one attempt; no limit when left out),
 *   `retry`, `label` (default `Class.method`)
 * @throws `SS_ERR_INVALID_OPTION` when the class is loaded; the method's calls throw as `scopedSession.run`, and
 *   `SS_ERR_UNBOUND_SESSION` on an object that no application has made
 *
 * @example
 * ```ts
 * import { Injectable } from '@nestjs/common';
 * import { ScopedSession, SessionScope } from 'nestjs-scoped-session';
 * @Injectable()
 * export class Invoices {
 *   constructor(private readonly session: ScopedSession) {}
 *
 *   // @Cron('0 3 * * *') of @nestjs/schedule, above or below.
 *   @SessionScope({ retry: { times: 3 } })
 *   async closeMonth(): Promise<void> {
 *     await this.session.execute('UPDATE invoice SET closed = TRUE WHERE month < :month', { month: '2027-01' });
 *   }
 * }
 * ```
 */
export function SessionScope(options?: RunOptions): SessionMethodDecorator {
  const own = readRunOptions('@SessionScope', options);
  return aroundMethod({
    name: '@SessionScope()',
    runsAgain: own.retry !== undefined,
    run: async ({ self, label }, work) => ownerOf(self, label).main.scoped.run(work, { label, ...own }),
  });
}
