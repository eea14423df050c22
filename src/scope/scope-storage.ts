/** Which unit of work, and which part of it, the running code belongs to: the one AsyncLocalStorage of the library. */
import { AsyncLocalStorage } from 'node:async_hooks';
import type { Scope } from './scope.js';

/**
 * How code came into a scope. `outer`: around the work (middleware, guards, filters); it is outside again when the scope
 * ends. `inner`: the work itself; it is dead when the scope ends.
 */
export type ScopeRole = 'outer' | 'inner';

/** A part of its own in some owner's work, such as a savepoint's block; code inside finds the innermost one. */
class Frame {
  constructor(
    readonly owner: object,
    readonly value: object,
    readonly around: Frame | undefined,
  ) {}
}

/** What travels with the asynchronous calls; never changed, only replaced for the calls below. */
export class ScopeContext {
  constructor(
    readonly scope: Scope | undefined,
    readonly role: ScopeRole,
    readonly frame: Frame | undefined,
  ) {}
}

// Only ever entered by run(): enterWith leaks into the next request of a kept-alive socket.
const storage = new AsyncLocalStorage<ScopeContext>();

export function currentContext(): ScopeContext | undefined {
  return storage.getStore();
}

/** Runs `fn` inside `scope`, or outside every scope when it is undefined. Frames of the caller stay in force. */
export function runWithScope<T>(scope: Scope | undefined, role: ScopeRole, fn: () => T): T {
  return storage.run(new ScopeContext(scope, role, storage.getStore()?.frame), fn);
}

/** Runs `fn` as the part `value` of what `owner` is doing. */
export function runInFrame<T>(owner: object, value: object, fn: () => T): T {
  const context = storage.getStore();
  const frame = new Frame(owner, value, context?.frame);
  return storage.run(new ScopeContext(context?.scope, context?.role ?? 'inner', frame), fn);
}

/** The innermost part of `owner`'s work that the running code belongs to. */
export function currentFrame(owner: object): object | undefined {
  let frame = storage.getStore()?.frame;
  while (frame !== undefined && frame.owner !== owner) frame = frame.around;
  return frame?.value;
}
