/** The scoped session passes everything on that a session has, found at the moment of the use. */
import { inspect } from 'node:util';
import {
  NoActiveScopeError,
  ScopedSession,
  scopedSession,
  SessionBase,
  sessionFactory,
} from 'nestjs-scoped-session';
import { describe, expect, it, vi } from 'vitest';
import { passOn } from '../../src/session/pass-on.js';

describe('passOn', () => {
  class Source {
    text = 'own field';
    #value = 1;
    get value(): number {
      return this.#value;
    }
    set value(value: number) {
      this.#value = value;
    }
    get readonly(): string {
      return 'read';
    }
    add(...numbers: number[]): number {
      return numbers.reduce((sum, number) => sum + number, this.#value);
    }
    own(): string {
      return 'of the source';
    }
    toJSON(): string {
      return 'of the source';
    }
  }
  class Target {
    source = new Source();
    own(): string {
      return 'of the target';
    }
  }
  passOn(Source.prototype, Target.prototype, (target) => (target as Target).source);
  const make = (): Target & Source => new Target() as Target & Source;

  it('passes methods on, with all arguments, called on the source', () => {
    expect(make().add(2, 3)).toBe(6);
  });

  it('reads and writes accessors on the source', () => {
    const target = make();
    expect(target.value).toBe(1);
    target.value = 5;
    expect(target.source.value).toBe(5);
    expect(target.readonly).toBe('read');
    expect(() => {
      (target as { readonly: string }).readonly = 'write';
    }).toThrow(TypeError);
  });

  it('finds the source, and the method on it, at each call', () => {
    const target = make();
    target.source.add = () => 42;
    expect(target.add()).toBe(42);
    target.source = new Source();
    expect(target.add()).toBe(1);
  });

  it('leaves what the target has itself, its constructor, and what conversion touches', () => {
    const target = make();
    expect(target.own()).toBe('of the target');
    expect(target.constructor).toBe(Target);
    expect('toJSON' in target).toBe(false);
  });

  it('adds members that can be mocked and are not enumerable', () => {
    expect(Object.keys(Target.prototype)).toEqual([]);
    const target = make();
    const spy = vi.spyOn(target, 'add').mockReturnValue(0);
    expect(target.add(1)).toBe(0);
    spy.mockRestore();
    expect(target.add(1)).toBe(2);
  });
});

describe('the scoped session', () => {
  const isPassedOn = (name: string): boolean => name !== 'constructor' && name !== 'toJSON';
  const members = Object.getOwnPropertyNames(SessionBase.prototype).filter(isPassedOn);

  it('has every member of the session', () => {
    expect(members).toContain('execute');
    expect(Object.getOwnPropertyNames(ScopedSession.prototype)).toEqual(expect.arrayContaining(members));
  });

  it('has a getter where the session has one, a method where it has one', () => {
    for (const name of members) {
      const own = Object.getOwnPropertyDescriptor(SessionBase.prototype, name)!;
      const passed = Object.getOwnPropertyDescriptor(ScopedSession.prototype, name)!;
      expect([name, typeof passed.get, typeof passed.set, typeof passed.value]).toEqual([
        name,
        typeof own.get,
        typeof own.set,
        typeof own.value,
      ]);
      expect(passed.enumerable).toBe(false);
    }
  });

  it('passes every member on to the session of the scope, and refuses every one outside', async () => {
    const calls: string[] = [];
    class Recording extends SessionBase {}
    for (const name of members) {
      const { get, set } = Object.getOwnPropertyDescriptor(SessionBase.prototype, name)!;
      Object.defineProperty(
        Recording.prototype,
        name,
        get === undefined
          ? { value: (...given: unknown[]) => calls.push(`${name}(${given.join()})`), configurable: true }
          : { get: () => calls.push(name), set, configurable: true },
      );
    }
    const scoped = scopedSession(sessionFactory(undefined, { sessionClass: Recording }), () => 'one scope');
    const use = (target: object, name: string): unknown => {
      const value = (target as Record<string, unknown>)[name];
      return typeof value === 'function' ? (value.call(target, 1, 2) as unknown) : value;
    };
    for (const name of members) use(scoped, name);
    const isMethod = (name: string): boolean =>
      typeof Object.getOwnPropertyDescriptor(SessionBase.prototype, name)?.value === 'function';
    expect(calls).toEqual(members.map((name) => (isMethod(name) ? `${name}(1,2)` : name)));

    const outside = scopedSession(sessionFactory());
    // What promises something rejects.
    const refused = members.map(async (name) => use(outside, name));
    for (const one of refused) await expect(one).rejects.toBeInstanceOf(NoActiveScopeError);
  });

  it('can be looked at, compared, awaited and put into JSON without a scope', async () => {
    const scoped = scopedSession(sessionFactory());
    expect(inspect(scoped)).toContain('ScopedSession');
    expect(JSON.stringify({ scoped })).toBe('{"scoped":{}}');
    expect(await Promise.resolve(scoped)).toBe(scoped);
    expect(scoped).toBeInstanceOf(ScopedSession);
    expect('then' in scoped).toBe(false);
    expect(Object.keys(scoped)).toEqual([]);
    expect(Object.assign({}, scoped)).toEqual({});
  });
});
