/** AsyncLocalRegistry: one object per scope, none outside, none after the end. */
import {
  AsyncLocalRegistry,
  currentScope,
  NoActiveScopeError,
  runInScope,
  SessionClosedError,
} from 'nestjs-scoped-session';
import { describe, expect, it, vi } from 'vitest';
import { runWithScope, Scope } from '../../src/scope/index.js';

describe('a registry of scopes', () => {
  it('makes one object for each scope, at its first get', async () => {
    const create = vi.fn<() => object>(() => ({}));
    const registry = new AsyncLocalRegistry(create);
    const one = (): Promise<object> =>
      runInScope(async () => {
        expect(registry.has()).toBe(false);
        const made = registry.get();
        expect(registry.has()).toBe(true);
        await new Promise((resolve) => setImmediate(resolve));
        expect(registry.get()).toBe(made);
        return made;
      });
    const [a, b] = await Promise.all([one(), one()]);
    expect(a).not.toBe(b);
    expect(create).toHaveBeenCalledTimes(2);
  });

  it('keeps the objects of nested scopes apart', async () => {
    const registry = new AsyncLocalRegistry(() => ({}));
    await runInScope(async () => {
      const outer = registry.get();
      await runInScope(() => {
        expect(registry.has()).toBe(false);
        expect(registry.get()).not.toBe(outer);
        registry.clear();
      });
      expect(registry.get()).toBe(outer);
    });
  });

  it('refuses everything but has() outside a scope, with the cure', () => {
    const create = vi.fn<() => object>(() => ({}));
    const registry = new AsyncLocalRegistry(create);
    expect(registry.has()).toBe(false);
    for (const use of [() => registry.get(), () => registry.set({}), () => registry.clear()]) {
      expect(use).toThrow(NoActiveScopeError);
      expect(use).toThrow(/scopedSession\.run\(fn\)/);
    }
    expect(create).not.toHaveBeenCalled();
  });

  it('makes nothing in code that outlived its scope', async () => {
    const create = vi.fn<() => object>(() => ({}));
    const registry = new AsyncLocalRegistry(create);
    const scope = new Scope({ label: 'GET /notes' });
    await runWithScope(scope, 'inner', async () => {
      registry.set({});
      await scope.close();
      expect(registry.has()).toBe(false);
      expect(() => registry.get()).toThrow(SessionClosedError);
      expect(() => registry.get()).toThrow('The session of GET /notes has ended');
      expect(() => registry.set({})).toThrow(SessionClosedError);
      expect(() => registry.clear()).not.toThrow();
    });
    expect(create).not.toHaveBeenCalled();
  });

  it('is outside again for the code around the work once the scope has ended', async () => {
    const registry = new AsyncLocalRegistry(() => ({}));
    const scope = new Scope();
    await runWithScope(scope, 'outer', async () => {
      registry.get();
      await scope.close();
      expect(() => registry.get()).toThrow(NoActiveScopeError);
    });
  });

  it('does not share its objects with another registry in the same scope', async () => {
    const [a, b] = [1, 2].map(() => new AsyncLocalRegistry(() => ({}))) as [
      AsyncLocalRegistry<object>,
      AsyncLocalRegistry<object>,
    ];
    await runInScope(() => {
      expect(a.get()).not.toBe(b.get());
      a.clear();
      expect([a.has(), b.has()]).toEqual([false, true]);
    });
  });

  it('keeps the object that was stored first when create asks for the same scope', async () => {
    let isFirst = true;
    const registry: AsyncLocalRegistry<string> = new AsyncLocalRegistry(() => {
      if (!isFirst) return 'inner';
      isFirst = false;
      registry.get();
      return 'outer';
    });
    await runInScope(() => {
      expect(registry.get()).toBe('inner');
      expect(registry.get()).toBe('inner');
    });
  });

  it('takes a value that is put there, in place of its own', async () => {
    const create = vi.fn<() => string>(() => 'made');
    const registry = new AsyncLocalRegistry(create);
    await runInScope(() => {
      registry.set('put');
      expect(registry.get()).toBe('put');
      registry.clear();
      registry.clear();
      expect(registry.get()).toBe('made');
    });
    expect(create).toHaveBeenCalledTimes(1);
  });

  it('holds nothing of a scope that has ended', async () => {
    const registry = new AsyncLocalRegistry(() => ({}));
    const scope = await runInScope(() => {
      registry.get();
      return currentScope()!;
    });
    expect(scope.entries.size).toBe(0);
  });
});
