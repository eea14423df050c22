/** REG: ScopedRegistry and AsyncLocalRegistry behave as SQLAlchemy's registries. */
import {
  AsyncLocalRegistry,
  currentScope,
  runInScope,
  ScopedRegistry,
  scopedSession,
  sessionFactory,
} from 'nestjs-scoped-session';
import { describe, expect, it, vi } from 'vitest';
import { runWithScope, Scope } from '../../src/scope/index.js';

interface Visited {
  readonly registry: ScopedRegistry<object> | AsyncLocalRegistry<object>;
  readonly create: ReturnType<typeof vi.fn<() => object>>;
  /** Runs `fn` in scope a or b, which stay open between the visits. */
  visit<T>(scope: 'a' | 'b', fn: () => T): T;
}

function keyed(keys: { a: unknown; b: unknown }): Visited {
  let key: unknown;
  const create = vi.fn<() => object>(() => ({}));
  return {
    create,
    registry: new ScopedRegistry(create, () => key),
    visit: (scope, fn) => {
      key = keys[scope];
      return fn();
    },
  };
}

function contextLocal(): Visited {
  const create = vi.fn<() => object>(() => ({}));
  const scopes = { a: new Scope(), b: new Scope() };
  return {
    create,
    registry: new AsyncLocalRegistry(create),
    visit: (scope, fn) => runWithScope(scopes[scope], 'inner', fn),
  };
}

describe.each([
  ['a registry keyed by text', () => keyed({ a: 'a', b: 'b' })],
  ['a registry keyed by object', () => keyed({ a: {}, b: {} })],
  ['a context-local registry', contextLocal],
])('%s', (_name, make) => {
  it('REG-03: two scopes have two objects, and each finds its own again', () => {
    const { registry, visit } = make();
    const a = visit('a', () => registry.get());
    const b = visit('b', () => registry.get());
    expect(a).not.toBe(b);
    expect(visit('a', () => registry.get())).toBe(a);
  });

  it('REG-04: clear() forgets the object of this scope alone', () => {
    const { registry, visit } = make();
    const a = visit('a', () => registry.get());
    const b = visit('b', () => registry.get());
    visit('a', () => registry.clear());
    expect(visit('a', () => registry.has())).toBe(false);
    expect(visit('a', () => registry.get())).not.toBe(a);
    expect(visit('b', () => registry.get())).toBe(b);
  });

  it('REG-05: clear() of nothing, twice, is no error', () => {
    const { registry, visit, create } = make();
    visit('a', () => {
      registry.clear();
      registry.clear();
      expect(registry.has()).toBe(false);
    });
    expect(create).not.toHaveBeenCalled();
  });

  it('REG-06: set() puts an object there without create', () => {
    const { registry, visit, create } = make();
    const value = { put: true };
    visit('a', () => {
      registry.set(value);
      expect(registry.has()).toBe(true);
      expect(registry.get()).toBe(value);
    });
    expect(create).not.toHaveBeenCalled();
  });

  it('REG-07: when create throws, its error is thrown and nothing is kept; the next call makes the object', () => {
    const { registry, visit, create } = make();
    const failure = new Error('not yet');
    create.mockImplementationOnce(() => {
      throw failure;
    });
    visit('a', () => {
      expect(() => registry.get()).toThrow(failure);
      expect(registry.has()).toBe(false);
      const made = registry.get();
      expect(registry.get()).toBe(made);
    });
    expect(create).toHaveBeenCalledTimes(2);
  });
});

describe('REG-13: five scopes that are visited and not cleared', () => {
  it.each([
    ['texts', ['a', 'b', 'c', 'd', 'e']],
    [
      'objects that are in use (deviation: held weakly, so an object that is in use nowhere is forgotten)',
      [{}, {}, {}, {}, {}],
    ],
  ])('keep their five objects: %s', (_name, tokens: readonly unknown[]) => {
    const create = vi.fn<() => object>(() => ({}));
    let token: unknown;
    const registry = new ScopedRegistry(create, () => token);
    const made = tokens.map((each) => {
      token = each;
      return registry.get();
    });
    expect(new Set(made).size).toBe(5);
    tokens.forEach((each, place) => {
      token = each;
      expect(registry.has()).toBe(true);
      expect(registry.get()).toBe(made[place]);
    });
    expect(create).toHaveBeenCalledTimes(5);
  });
});

describe('REG-12: a token that names no scope', () => {
  it.each([undefined, null, NaN])(
    '%s is a TypeError, and create is not called (deviation: None is a key there)',
    (key) => {
      const { registry, create, visit } = keyed({ a: key, b: key });
      expect(() => visit('a', () => registry.get())).toThrow(TypeError);
      expect(create).not.toHaveBeenCalled();
    },
  );
});

describe('REG-16: the registry of a scoped session', () => {
  it('is context-local without a scope function', async () => {
    const scoped = scopedSession(sessionFactory());
    expect(scoped.registry).toBeInstanceOf(AsyncLocalRegistry);
    const seen = await Promise.all([1, 2].map(() => runInScope(() => [scoped.current(), currentScope()])));
    expect(new Set(seen.flat()).size).toBe(4);
  });

  it('is keyed with one', () => {
    let key = 'a';
    const scoped = scopedSession(sessionFactory(), () => key);
    expect(scoped.registry).toBeInstanceOf(ScopedRegistry);
    const a = scoped.current();
    key = 'b';
    expect(scoped.current()).not.toBe(a);
    key = 'a';
    expect(scoped.current()).toBe(a);
  });
});
