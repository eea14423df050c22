/** AsyncLocalRegistry: one object per scope, found through the asynchronous context; SQLAlchemy's ThreadLocalRegistry. */
import { NoActiveScopeError, requireFunction, SessionClosedError } from '../errors.js';
import { currentScope } from './run-in-scope.js';
import type { Scope } from './scope.js';
import type { Registry } from './scoped-registry.js';

/**
 * Keeps one object for each scope that `runInScope`, `scopedSession.run` or a request has opened. Outside every scope it
 * refuses: there is no object that all the world would share.
 *
 * @param create - makes the object of a scope at its first `get()`; when it throws, nothing is kept
 * @throws {@link NoActiveScopeError} `SS_ERR_NO_ACTIVE_SCOPE` from every method but `has()` outside a scope
 * @throws {@link SessionClosedError} `SS_ERR_SESSION_CLOSED` from `get()` and `set()` in code that outlived its scope
 *
 * @example
 * ```ts
 * import { AsyncLocalRegistry, runInScope } from 'nestjs-scoped-session';
 * const notes = new AsyncLocalRegistry<string[]>(() => []);
 * await runInScope(() => notes.get().push('only here'));
 * ```
 */
export class AsyncLocalRegistry<T> implements Registry<T> {
  constructor(private readonly create: () => T) {
    requireFunction(create, 'The argument of AsyncLocalRegistry');
  }

  get(): T {
    const { entries } = this.#openScope();
    if (entries.has(this)) return entries.get(this) as T;
    const made = this.create();
    if (!entries.has(this)) entries.set(this, made);
    return entries.get(this) as T;
  }

  has(): boolean {
    return currentScope()?.entries.has(this) ?? false;
  }

  set(value: T): void {
    this.#openScope().entries.set(this, value);
  }

  clear(): void {
    this.#scope().entries.delete(this);
  }

  #scope(): Scope {
    const scope = currentScope();
    if (scope === undefined) throw new NoActiveScopeError('A registry of scopes');
    return scope;
  }

  #openScope(): Scope {
    const scope = this.#scope();
    if (!scope.isOpen) throw new SessionClosedError(scope.label);
    return scope;
  }
}
