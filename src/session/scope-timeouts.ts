/** The errors of a unit of work that took too long, and of an end that the database does not answer to. */
import { ScopeTimeoutError } from '../errors.js';

export function scopeTimeout(label: string, timeoutMs: number): ScopeTimeoutError {
  return new ScopeTimeoutError(
    `${label} used its session for longer than its ${timeoutMs} ms (scopeTimeoutMs); it was rolled back. Commit before ` +
      'slow calls to the outside, or raise timeoutMs in @SessionOptions.',
    { outcome: 'rolledBack' },
  );
}

/** What became of the transaction says the error that this one is the cause of. */
export function endTimeout(label: string, timeoutMs: number): ScopeTimeoutError {
  return new ScopeTimeoutError(
    `The database did not answer within ${timeoutMs} ms when ${label} was to end; its connection was closed.`,
  );
}
