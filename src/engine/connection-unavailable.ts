/** A database that has no connection for a unit of work is told as one error, whatever driver and server call it. */
import { ConnectionUnavailableError, ScopedSessionError } from '../errors.js';
import { classifyFailure, reasonFor } from './failures.js';

/**
 * What is thrown where a transaction could not begin because of `error`: another attempt may find a server that is there. An
 * error that would come again, such as a wrong password, stays the driver's.
 */
export function couldNotBegin(label: string, error: unknown): unknown {
  if (error instanceof ScopedSessionError) return error;
  const { kind, retryable } = classifyFailure(error);
  if (!retryable || (kind !== 'connectionRefused' && kind !== 'connectionLost')) return error;
  return new ConnectionUnavailableError(
    `${label} could not begin its transaction: ${reasonFor(kind, error)}. Nothing was done in it; it may be run again ` +
      'once the database answers.',
    { cause: error },
  );
}
