/** Sets what a handler asks for its unit of work, where that can still be had. */
import type { Scope } from '../scope/index.js';
import { configureScope, type ScopeOptions, startedTransactionOf } from '../session/index.js';
import type { Databases } from './databases.js';

export function setScopeOptions(scope: Scope, options: ScopeOptions, databases: Databases): void {
  for (const scoped of databases.scoped) {
    // A guard may have begun already: what it began cannot be changed under it.
    const session = scoped.sessionOf(scope);
    if (session !== undefined) startedTransactionOf(session)?.refuseOther(options);
  }
  configureScope(scope, options);
}
