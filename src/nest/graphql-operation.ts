/** One GraphQL operation as a unit of work: all its resolvers run inside it, and it ends before its response is sent. */
import {
  ConflictingTransactionOptionsError,
  RolledBackError,
  ScopeAbortedError,
  suppress,
} from '../errors.js';
import { currentContext, runWithScope, type Scope } from '../scope/index.js';
import { type Completion, type Ending, keepUnstored } from '../session/index.js';
import type { Databases } from './databases.js';
import type { GraphQLFailure, GraphQLInfo, GraphQLPath } from './graphql-shapes.js';
import type { HandlerPlan } from './handler-plan.js';
import { setScopeOptions } from './set-scope-options.js';
import { gravestOf } from './status-of-error.js';

/** What the response of an operation that has ended must say besides. */
export interface OperationEnd {
  /** Nothing of its data is true any more: it is null in the response. */
  readonly isUndone: boolean;
  readonly errors: readonly Undone[];
  /** Why the end itself failed; then it is the only error. */
  readonly failure?: unknown;
}

/** A part that came out well, and was rolled back with the others. */
export interface Undone {
  readonly path: readonly string[];
  readonly error: RolledBackError;
}

const KEPT: OperationEnd = Object.freeze({ isUndone: false, errors: [] });

export class GraphQLOperation {
  readonly #waiting = new Set<(error: Error) => void>();
  /** What resolvers have thrown, by the path of the field: servers give it in their own words, or in none. */
  readonly #thrown = new Map<string, unknown>();
  /** Root fields that came out well, by the names that the response has for them. */
  readonly #done: string[] = [];
  #asked: Record<string, unknown> | undefined;
  #timeoutMs: number | undefined;
  /** Known when its first resolver runs: a document may have several, and only one is chosen. */
  #type: string | undefined;
  #ended: Promise<OperationEnd> | undefined;

  constructor(
    private readonly ending: Ending,
    private readonly databases: Databases,
  ) {
    ending.onCutShort((error) => this.#waiting.forEach((fail) => fail(error)));
  }

  /** Runs one resolver inside; it fails when the operation is cut short, for nobody else would end its waiting. */
  resolve({ path, operation }: GraphQLInfo, work: () => unknown): unknown {
    if (this.#type === undefined) this.#chosen(operation.operation);
    let result: unknown;
    try {
      result = this.#inside(work);
    } catch (error) {
      this.#thrown.set(textOf(path), error);
      throw error;
    }
    if (isPromise(result)) return this.#waitFor(result, path);
    this.#note(path, result);
    return result;
  }

  /** What a handler sets holds for the whole operation, so that two cannot set different things. */
  configure({ label, timeoutMs, scopeOptions }: HandlerPlan, nameClient: (scope: Scope) => void): void {
    const { ending } = this;
    if (this.#asked === undefined) {
      // Also after one that could not tell: that field fails, and so does this one.
      nameClient(ending.scope);
      ending.scope.rename(label);
    }
    this.#asked ??= {};
    if (timeoutMs !== undefined && timeoutMs > (this.#timeoutMs ?? 0)) {
      this.#timeoutMs = timeoutMs;
      ending.limit(timeoutMs);
    }
    if (scopeOptions === undefined) return;
    for (const [option, value] of Object.entries(scopeOptions))
      refuseOther(label, option, value, this.#asked);
    setScopeOptions(ending.scope, scopeOptions, this.databases);
    Object.assign(this.#asked, scopeOptions);
  }

  /** Ends the unit of work, once; `errors` are those of the response. */
  end(errors: readonly GraphQLFailure[] = []): Promise<OperationEnd> {
    return (this.#ended ??= this.#end(errors));
  }

  /** The response is closed: where nobody works any more, nobody will come to the end. */
  closed(): void {
    if (this.ending.hasBegun || this.#waiting.size > 0) return;
    this.abandon();
  }

  /** Rolls back what has not ended yet. */
  abandon(): void {
    const message = `${this.ending.scope.label}: its response was closed before the operation came to its end.`;
    const error = new ScopeAbortedError(message, { outcome: 'rolledBack' });
    void this.ending.end({ kind: 'abandoned', error }).catch((later: unknown) => suppress(error, later));
  }

  #chosen(type: string): void {
    this.#type = type;
    // What a query changes on its way out is not meant to be stored, as in a GET.
    if (type !== 'mutation') keepUnstored(this.ending.scope);
  }

  #inside(work: () => unknown): unknown {
    const { scope } = this.ending;
    const context = currentContext();
    return context?.scope === scope && context.role === 'inner' ? work() : runWithScope(scope, 'inner', work);
  }

  #waitFor(result: PromiseLike<unknown>, path: GraphQLPath): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const fail = (error: unknown): void => {
        if (this.#waiting.delete(fail)) this.#thrown.set(textOf(path), error);
        // oxlint-disable-next-line prefer-promise-reject-errors -- it is the resolver's own
        reject(error);
      };
      this.#waiting.add(fail);
      result.then((value) => {
        if (this.#waiting.delete(fail)) this.#note(path, value);
        resolve(value);
      }, fail);
    });
  }

  #note(path: GraphQLPath, value: unknown): void {
    const { key, prev } = path;
    // Exception filters return errors, which the server takes for thrown.
    if (value instanceof Error) this.#thrown.set(textOf(path), value);
    else if (prev === undefined) this.#done.push(String(key));
  }

  async #end(errors: readonly GraphQLFailure[]): Promise<OperationEnd> {
    const { scope } = this.ending;
    const { isUsed } = scope;
    const others = errors.filter(({ path = [] }) => !this.#thrown.has(path.join('.')));
    const thrown = others.map((failure) => failure.originalError ?? failure);
    const completion = completionOf([...this.#thrown.values(), ...thrown]);
    try {
      await this.ending.end(completion);
    } catch (failure) {
      if (completion.kind === 'value') return { isUndone: true, errors: [], failure };
      suppress(completion.error, failure);
    }
    if (completion.kind === 'value') {
      // Cut short after the last resolver: nobody was told yet.
      return scope.endedBy === undefined ? KEPT : { isUndone: true, errors: [], failure: scope.endedBy };
    }
    // What a query has read was so; a mutation must not look like a success for the half that was rolled back.
    if (this.#type !== 'mutation' || !isUsed || scope.outcome === 'committed') return KEPT;
    const failed = new Set(errors.map(({ path }) => path?.[0]));
    const done = this.#done.filter((key) => !failed.has(key));
    return { isUndone: true, errors: done.map((key) => undone(key, scope.commits > 0)) };
  }
}

function completionOf(thrown: readonly unknown[]): Completion {
  if (thrown.length === 0) return { kind: 'value', status: 200 };
  return { kind: 'error', ...gravestOf(thrown) };
}

function undone(key: string, hasCommitted: boolean): Undone {
  const but = hasCommitted ? ', but for what was committed by hand before' : '';
  const error = new RolledBackError(
    `"${key}" was rolled back${but}: another field of the mutation failed, and its fields are stored together or not at all.`,
    { outcome: 'rolledBack' },
  );
  return { path: [key], error };
}

function refuseOther(label: string, option: string, value: unknown, asked: Record<string, unknown>): void {
  if (!Object.hasOwn(asked, option) || asked[option] === value) return;
  throw new ConflictingTransactionOptionsError(
    `${label} asks for ${option} ${String(value)}, and another field of the same operation for ${String(asked[option])}. ` +
      'An operation is one unit of work: send two operations, or set the same for both.',
  );
}

/** As the paths of a response's errors are, when they are joined. */
function textOf({ key, prev }: GraphQLPath): string {
  return prev === undefined ? String(key) : `${textOf(prev)}.${key}`;
}

function isPromise(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as PromiseLike<unknown> | null | undefined)?.then === 'function';
}
