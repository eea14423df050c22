/** Opens a scope around some work, and finds the one that the running code is in. */
import { InvalidOptionError, requireFunction, suppress } from '../errors.js';
import { currentContext, runWithScope } from './scope-storage.js';
import { Scope, type ScopeSettings } from './scope.js';

/** The scope that the running code belongs to, or undefined outside (also after the end, for code around the work). */
export function currentScope(): Scope | undefined {
  const context = currentContext();
  const scope = context?.scope;
  return scope !== undefined && (scope.isOpen || context?.role !== 'outer') ? scope : undefined;
}

/** Options of `runInScope`. */
export type RunInScopeOptions = Pick<ScopeSettings, 'label'>;

/**
 * Opens a scope around `fn` and tears it down afterwards, and nothing more: an open transaction is rolled back. Use
 * `scopedSession.run(fn)` to commit.
 *
 * @param fn - the work; everything it calls and awaits belongs to the scope
 * @param settings - `label` for messages
 * @returns what `fn` returns
 * @throws what `fn` throws; an error of the tear-down only when `fn` did not throw
 *
 * @example
 * ```ts
 * import { runInScope } from 'nestjs-scoped-session';
 * const answer = await runInScope(async () => 42, { label: 'nightly report' });
 * ```
 */
export async function runInScope<T>(fn: () => Promise<T> | T, settings: RunInScopeOptions = {}): Promise<T> {
  requireFunction(fn, 'The first argument of runInScope');
  const scope = new Scope(readSettings(settings));
  let result: T;
  try {
    result = await runWithScope(scope, 'inner', fn);
  } catch (error) {
    await scope.close().catch((later: unknown) => suppress(error, later));
    throw error;
  }
  await scope.close();
  return result;
}

function readSettings(settings: unknown): RunInScopeOptions {
  if (typeof settings !== 'object' || settings === null) {
    throw new InvalidOptionError('The options of runInScope must be an object such as { label }.');
  }
  const { label, ...unknown } = settings as { label?: unknown };
  const [name] = Object.keys(unknown);
  if (name !== undefined)
    throw new InvalidOptionError(`runInScope knows no option "${name}". It knows: label.`);
  if (label !== undefined && typeof label !== 'string' && typeof label !== 'function') {
    throw new InvalidOptionError(
      'The option label of runInScope must be a text, or a function that returns one.',
    );
  }
  return { label: label as ScopeSettings['label'] };
}
