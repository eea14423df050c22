/** ScopedRegistry beyond SQLAlchemy's rows (those stand in test/conformance): tokens of every kind, and weak ones. */
import { InvalidScopeTokenError, ScopedRegistry, ScopedSessionError } from 'nestjs-scoped-session';
import { describe, expect, it, vi } from 'vitest';
import { collectGarbageUntil } from '../support/collect-garbage.js';

describe('a scoped registry', () => {
  it.each([
    ['a text', 'tenant'],
    ['an empty text', ''],
    ['a number', 7],
    ['zero', 0],
    ['false', false],
    ['a bigint', 7n],
    ['a symbol', Symbol('scope')],
    ['an object', {}],
    ['a function', () => undefined],
  ])('keeps one object under %s', (_name, token) => {
    const create = vi.fn<() => object>(() => ({}));
    const registry = new ScopedRegistry(create, () => token);
    expect(registry.has()).toBe(false);
    const made = registry.get();
    expect(registry.get()).toBe(made);
    expect(registry.has()).toBe(true);
    expect(create).toHaveBeenCalledTimes(1);
    registry.clear();
    expect(registry.has()).toBe(false);
    expect(registry.get()).not.toBe(made);
  });

  it('tells tokens apart by identity: 1 is not "1", and equal objects are two', () => {
    let token: unknown = 1;
    const registry = new ScopedRegistry(
      () => ({}),
      () => token,
    );
    const seen = [registry.get()];
    for (token of ['1', 1n, true, {}, {}]) seen.push(registry.get());
    expect(new Set(seen).size).toBe(6);
  });

  it.each([undefined, null, NaN])('refuses the token %s in every method, with the cure', (token) => {
    const create = vi.fn<() => object>(() => ({}));
    const registry = new ScopedRegistry(create, () => token);
    for (const use of [
      () => registry.get(),
      () => registry.has(),
      () => registry.set({}),
      () => registry.clear(),
    ]) {
      expect(use).toThrow(InvalidScopeTokenError);
      expect(use).toThrow(ScopedSessionError);
      expect(use).toThrow(`The scope function returned ${String(token)}; return an object or a primitive`);
    }
    expect(create).not.toHaveBeenCalled();
  });

  it('throws what the scope function throws', () => {
    const failure = new Error('no tenant here');
    const registry = new ScopedRegistry(
      () => ({}),
      () => {
        throw failure;
      },
    );
    expect(() => registry.get()).toThrow(failure);
  });

  it('keeps the object that was stored first when create asks for the same scope', () => {
    let isFirst = true;
    const registry: ScopedRegistry<string> = new ScopedRegistry(
      () => {
        if (!isFirst) return 'inner';
        isFirst = false;
        registry.get();
        return 'outer';
      },
      () => 'one scope',
    );
    expect(registry.get()).toBe('inner');
    expect(registry.get()).toBe('inner');
  });

  it('keeps a value that is undefined', () => {
    const create = vi.fn<() => undefined>(() => undefined);
    const registry = new ScopedRegistry<undefined>(create, () => 'a');
    registry.get();
    registry.get();
    expect(create).toHaveBeenCalledTimes(1);
    expect(registry.has()).toBe(true);
  });

  it('does not share its objects with another registry of the same tokens', () => {
    const [a, b] = [1, 2].map(
      () =>
        new ScopedRegistry(
          () => ({}),
          () => 'tenant',
        ),
    ) as [ScopedRegistry<object>, ScopedRegistry<object>];
    expect(a.get()).not.toBe(b.get());
    a.clear();
    expect(b.has()).toBe(true);
  });

  it('lets an object token, and what was kept under it, be collected when clear() was forgotten', async () => {
    let token: object | undefined = { request: 1 };
    const registry = new ScopedRegistry(
      () => ({ large: 'object' }),
      () => token,
    );
    const kept = [new WeakRef(token), new WeakRef(registry.get())];
    token = undefined;
    await collectGarbageUntil('the token and its object are gone', () =>
      kept.every((reference) => reference.deref() === undefined),
    );
  });

  it('keeps the object of a token that is still in use', async () => {
    const token = {};
    const registry = new ScopedRegistry(
      () => ({}),
      () => token,
    );
    const kept = new WeakRef(registry.get());
    const witness = new WeakRef({});
    await collectGarbageUntil('a collection has happened', () => witness.deref() === undefined);
    expect(kept.deref()).toBeDefined();
    expect(registry.get()).toBe(kept.deref());
  });
});
