/** The response of an operation that was rolled back, in GraphQL's own words. */
import { ScopedSessionError } from '../errors.js';
import type { Undone } from './graphql-operation.js';
import type { GraphQLFailure, GraphQLResult } from './graphql-shapes.js';

/** What Apollo Server calls an error that says nothing of itself. */
const UNKNOWN_CODE = 'INTERNAL_SERVER_ERROR';

export function plainFailure(error: unknown): GraphQLFailure & { extensions: { code: string } } {
  const message = error instanceof Error ? error.message : String(error);
  return { message, extensions: { code: error instanceof ScopedSessionError ? error.code : UNKNOWN_CODE } };
}

export function plainUndone({ path, error }: Undone): GraphQLFailure {
  return { ...plainFailure(error), path };
}

/** Nothing of the data is true, so that there is none; a client must find out from the errors why. */
export function answerOf(result: GraphQLResult, more: readonly GraphQLFailure[]): GraphQLResult {
  return { ...result, data: null, errors: [...(result.errors ?? []), ...more] };
}

type ErrorClass = new (
  message: string,
  options: Pick<GraphQLFailure, 'path' | 'extensions' | 'originalError'>,
) => GraphQLFailure;

/** The class `GraphQLError` that the server itself uses: another copy of the package would not be known to it. */
export function errorClassOf([first]: readonly GraphQLFailure[]): ErrorClass {
  let prototype: object | null = first === undefined ? null : (Object.getPrototypeOf(first) as object);
  while (prototype !== null && prototype.constructor.name !== 'GraphQLError') {
    prototype = Object.getPrototypeOf(prototype) as object | null;
  }
  return (prototype?.constructor ?? PlainError) as ErrorClass;
}

/** For errors that are of no copy of the package. */
class PlainError extends Error {
  readonly path;
  readonly extensions;

  constructor(message: string, options: Pick<GraphQLFailure, 'path' | 'extensions' | 'originalError'>) {
    super(message, { cause: options.originalError });
    this.path = options.path;
    this.extensions = options.extensions;
  }
}

/** For servers that format what is thrown: they look for the extensions there. */
export function thrownFailure(failure: unknown): Error {
  const { message, extensions } = plainFailure(failure);
  return new PlainError(message, { extensions, originalError: failure });
}
