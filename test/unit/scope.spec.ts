/** A scope: what it is called, what it keeps, how it ends, and which code is inside it. */
import { currentScope, runInScope, ScopedSessionError } from 'nestjs-scoped-session';
import { describe, expect, it, vi } from 'vitest';
import { runWithScope, Scope } from '../../src/scope/index.js';
import { signal } from '../support/wait-until.js';

describe('a scope', () => {
  it('has a random identifier that stays the same', () => {
    const scope = new Scope();
    expect(scope.id).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
    expect(scope.id).toBe(scope.id);
    expect(new Scope().id).not.toBe(scope.id);
  });

  it('is called by its label, by what its label function says, or by its identifier', () => {
    const label = vi.fn<() => string>(() => 'POST /transfers');
    const lazy = new Scope({ label });
    expect(label).not.toHaveBeenCalled();
    expect(lazy.label).toBe('POST /transfers');
    expect(new Scope({ label: 'nightly report' }).label).toBe('nightly report');
    const unnamed = new Scope();
    expect(unnamed.label).toBe(`scope ${unnamed.id}`);
  });

  it('takes a better name once one is known', () => {
    const scope = new Scope({ label: 'GET /notes/1' });
    scope.rename(() => 'GET /notes/:id');
    expect(scope.label).toBe('GET /notes/:id');
  });

  it('remembers its owner and when it was opened on the monotonic clock', () => {
    const owner = {};
    const before = performance.now();
    const scope = new Scope({ owner });
    expect(scope.owner).toBe(owner);
    expect(scope.openedAt).toBeGreaterThanOrEqual(before);
    expect(scope.openedAt).toBeLessThanOrEqual(performance.now());
  });

  it('knows no outcome before one is decided', () => {
    expect(new Scope().outcome).toBeUndefined();
  });

  it('is open and unused at first, used once something must be undone, closed when its end begins', async () => {
    const scope = new Scope();
    expect([scope.isOpen, scope.isUsed]).toEqual([true, false]);
    scope.atEnd(() => expect(scope.isOpen).toBe(false));
    expect([scope.isOpen, scope.isUsed]).toEqual([true, true]);
    const closing = scope.close();
    expect(scope.isOpen).toBe(false);
    await closing;
  });

  it('says when it is first used, once', () => {
    const scope = new Scope();
    const then = vi.fn<() => void>();
    scope.whenUsed(then);
    expect(then).not.toHaveBeenCalled();
    scope.atEnd(() => undefined);
    scope.atEnd(() => undefined);
    expect(then).toHaveBeenCalledTimes(1);
  });

  it('says at once that it is used when it is', () => {
    const scope = new Scope();
    scope.atEnd(() => undefined);
    const then = vi.fn<() => void>();
    scope.whenUsed(then);
    expect(then).toHaveBeenCalledTimes(1);
  });
});

describe('the end of a scope', () => {
  it('undoes what was registered, last first, each awaited before the next', async () => {
    const scope = new Scope();
    const order: string[] = [];
    const slow = signal();
    scope.atEnd(() => void order.push('first registered'));
    scope.atEnd(async () => {
      order.push('second registered, begun');
      await slow.promise;
      order.push('second registered, done');
    });
    scope.atEnd(() => void order.push('third registered'));
    const closing = scope.close();
    await Promise.resolve();
    await Promise.resolve();
    expect(order).toEqual(['third registered', 'second registered, begun']);
    slow.resolve();
    await closing;
    expect(order).toEqual([
      'third registered',
      'second registered, begun',
      'second registered, done',
      'first registered',
    ]);
  });

  it('also undoes what is registered while it ends', async () => {
    const scope = new Scope();
    const late = vi.fn<() => void>();
    scope.atEnd(() => scope.atEnd(late));
    await scope.close();
    expect(late).toHaveBeenCalledTimes(1);
  });

  it('forgets what registries kept, after everything was undone', async () => {
    const scope = new Scope();
    const registry = {};
    scope.entries.set(registry, 'kept');
    scope.atEnd(() => expect(scope.entries.get(registry)).toBe('kept'));
    await scope.close();
    expect(scope.entries.size).toBe(0);
  });

  it('forgets what registries kept also when nothing was to be undone', async () => {
    const scope = new Scope();
    scope.entries.set({}, 'kept');
    await scope.close();
    expect(scope.entries.size).toBe(0);
  });

  it('happens once: later calls wait for the first', async () => {
    const scope = new Scope();
    const undo = vi.fn<() => void>();
    scope.atEnd(undo);
    const first = scope.close();
    expect(scope.close()).toBe(first);
    await first;
    expect(scope.close()).toBe(first);
    expect(undo).toHaveBeenCalledTimes(1);
  });

  it('undoes the rest when one thing fails, and throws its error as it is', async () => {
    const scope = new Scope();
    const failure = new Error('cannot be undone');
    const undo = vi.fn<() => void>();
    scope.atEnd(undo);
    scope.atEnd(() => {
      throw failure;
    });
    await expect(scope.close()).rejects.toBe(failure);
    expect(undo).toHaveBeenCalledTimes(1);
    expect(scope.entries.size).toBe(0);
  });

  it('throws all errors together, named after the scope, when several things fail', async () => {
    const scope = new Scope({ label: 'GET /notes' });
    const [first, second] = [new Error('first'), new Error('second')];
    scope.atEnd(() => Promise.reject(second));
    scope.atEnd(() => Promise.reject(first));
    const error = await scope.close().catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(AggregateError);
    expect((error as AggregateError).errors).toEqual([first, second]);
    expect((error as AggregateError).message).toBe('GET /notes: 2 errors at its end');
  });
});

describe('currentScope', () => {
  it('is nothing outside every scope', () => {
    expect(currentScope()).toBeUndefined();
  });

  it('is the scope of the work, also in what it calls, awaits and starts', async () => {
    await runInScope(async () => {
      const scope = currentScope();
      expect(scope).toBeInstanceOf(Scope);
      const seen = await Promise.all([
        Promise.resolve().then(currentScope),
        new Promise((resolve) => setImmediate(() => resolve(currentScope()))),
        new Promise((resolve) => setTimeout(() => resolve(currentScope()), 0)),
        new Promise((resolve) => process.nextTick(() => resolve(currentScope()))),
      ]);
      expect(seen).toEqual([scope, scope, scope, scope]);
      expect(currentScope()).toBe(scope);
    });
    expect(currentScope()).toBeUndefined();
  });

  it('is the innermost of nested scopes, and the outer one again after it', async () => {
    await runInScope(async () => {
      const outer = currentScope();
      const inner = await runInScope(() => currentScope());
      expect(inner).not.toBe(outer);
      expect(inner?.isOpen).toBe(false);
      expect(outer?.isOpen).toBe(true);
      expect(currentScope()).toBe(outer);
    });
  });

  it('differs between scopes that run at the same time', async () => {
    const both = signal();
    let inside = 0;
    const one = (): Promise<Scope> =>
      runInScope(async () => {
        const before = currentScope()!;
        if ((inside += 1) === 2) both.resolve();
        await both.promise;
        expect(currentScope()).toBe(before);
        return before;
      });
    const [a, b] = await Promise.all([one(), one()]);
    expect(a).not.toBe(b);
  });

  it('is still the ended scope for the work itself, which is dead, and nothing for the code around the work', async () => {
    const scope = new Scope();
    const seen = async (): Promise<unknown[]> => {
      const before = currentScope();
      await scope.close();
      return [before, currentScope()];
    };
    expect(await runWithScope(scope, 'outer', seen)).toEqual([scope, undefined]);
    expect(await runWithScope(scope, 'inner', seen)).toEqual([scope, scope]);
  });

  it('is nothing for code that is put outside every scope', async () => {
    await runInScope(() => runWithScope(undefined, 'inner', () => expect(currentScope()).toBeUndefined()));
  });
});

describe('runInScope', () => {
  it('returns what the work returns, awaited or not', async () => {
    expect(await runInScope(() => 42)).toBe(42);
    expect(await runInScope(async () => 'later')).toBe('later');
  });

  it('gives the scope its label', async () => {
    const scope = await runInScope(() => currentScope()!, { label: 'a job' });
    expect(scope.label).toBe('a job');
  });

  it('has ended the scope when it returns', async () => {
    const undo = vi.fn<() => void>();
    const scope = await runInScope(() => {
      currentScope()!.atEnd(undo);
      return currentScope()!;
    });
    expect(undo).toHaveBeenCalledTimes(1);
    expect(scope.isOpen).toBe(false);
  });

  it('ends the scope of work that throws, and throws the same error', async () => {
    const failure = new Error('of the work');
    const undo = vi.fn<() => void>();
    const work = runInScope(() => {
      currentScope()!.atEnd(undo);
      throw failure;
    });
    await expect(work).rejects.toBe(failure);
    expect(undo).toHaveBeenCalledTimes(1);
  });

  it('throws an error of the end only when the work did not throw', async () => {
    const ofTheEnd = new Error('of the end');
    const failAtEnd = (): void => currentScope()!.atEnd(() => Promise.reject(ofTheEnd));
    await expect(runInScope(failAtEnd)).rejects.toBe(ofTheEnd);

    const ofTheWork: Error & { suppressed?: unknown[] } = new Error('of the work');
    const work = runInScope(() => {
      failAtEnd();
      throw ofTheWork;
    });
    await expect(work).rejects.toBe(ofTheWork);
    expect(ofTheWork.suppressed).toEqual([ofTheEnd]);
    expect(ofTheWork).not.toBeInstanceOf(ScopedSessionError);
  });
});
