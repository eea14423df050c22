/** ScopedRegistry: one object per scope token, made at the first call; SQLAlchemy's class of that name. */
import { InvalidScopeTokenError, requireFunction } from '../errors.js';

/** What a scoped session needs of a registry. */
export interface Registry<T> {
  /** The current scope's object, made by `create` when there is none yet. */
  get(): T;
  /** Whether the current scope has an object; never makes one. */
  has(): boolean;
  /** Puts `value` in the place of the current scope's object. */
  set(value: T): void;
  /** Forgets the current scope's object; without one nothing happens. */
  clear(): void;
}

/**
 * Keeps one object for each token that `scopeFunction` returns. Object tokens are held weakly, so that a forgotten
 * `clear()` does not keep a request alive; primitive tokens stay until `clear()`.
 *
 * @param create - makes the object of a scope at its first `get()`; when it throws, nothing is kept
 * @param scopeFunction - names the current scope; called once or twice an operation, so keep it cheap
 * @throws {@link InvalidScopeTokenError} `SS_ERR_INVALID_SCOPE_TOKEN` when the token is `undefined`, `null` or `NaN`
 *
 * @example
 * ```ts
 * import { ScopedRegistry } from 'nestjs-scoped-session';
 * let tenant = 'a';
 * const caches = new ScopedRegistry(() => new Map<string, string>(), () => tenant);
 * caches.get().set('greeting', 'hello');
 * ```
 */
export class ScopedRegistry<T> implements Registry<T> {
  readonly #objects = new WeakMap<object, { value: T }>();
  readonly #primitives = new Map<unknown, { value: T }>();

  constructor(
    private readonly create: () => T,
    private readonly scopeFunction: () => unknown,
  ) {
    requireFunction(create, 'The first argument of ScopedRegistry');
    requireFunction(scopeFunction, 'The scope function');
  }

  get(): T {
    const token = this.#token();
    const kept = this.#place(token).get(token);
    if (kept !== undefined) return kept.value;
    const made = { value: this.create() };
    // `create` may have asked for this very scope: the object that was stored first wins, as dict.setdefault does.
    const winner = this.#place(token).get(token) ?? made;
    this.#place(token).set(token, winner);
    return winner.value;
  }

  has(): boolean {
    const token = this.#token();
    return this.#place(token).has(token);
  }

  set(value: T): void {
    const token = this.#token();
    this.#place(token).set(token, { value });
  }

  clear(): void {
    const token = this.#token();
    this.#place(token).delete(token);
  }

  #token(): unknown {
    const token = this.scopeFunction();
    if (token === undefined || token === null || Number.isNaN(token)) throw new InvalidScopeTokenError(token);
    return token;
  }

  #place(token: unknown): Pick<Map<unknown, { value: T }>, 'get' | 'has' | 'set' | 'delete'> {
    return typeof token === 'object' || typeof token === 'function'
      ? (this.#objects as unknown as Map<unknown, { value: T }>)
      : this.#primitives;
  }
}
