/** The base of every error class: a code, whether the work may be run again, and what became of it. */

/** Marks our errors, so that `instanceof` also holds between two installed copies of the package. */
export const BRAND = Symbol.for('nestjs-scoped-session.error');

/** What is known of the transaction when an error leaves: `unknown` means that the COMMIT's answer was lost. */
export const OUTCOMES = ['committed', 'rolledBack', 'unknown'] as const;
/** One of `OUTCOMES`. */
export type Outcome = (typeof OUTCOMES)[number];

/** What an error knows besides its message. */
export interface ErrorDetails {
  /** The error of which this one tells. */
  cause?: unknown;
  outcome?: Outcome;
}

/**
 * The base of every error that this library throws itself; a failed statement stays TypeORM's `QueryFailedError`.
 *
 * @example
 * ```ts
 * import { ScopedSessionError } from 'nestjs-scoped-session';
 * export const mayRunAgain = (error: unknown) => error instanceof ScopedSessionError && error.retryable;
 * ```
 */
export abstract class ScopedSessionError extends Error {
  /** A stable name for programs: `SS_ERR_…`. */
  abstract readonly code: string;
  /** True when the same unit of work may be run again as it is. */
  readonly retryable: boolean = false;
  readonly outcome: Outcome | undefined;
  /** Errors of the clean-up that followed, which never replace the first one, and of earlier attempts. */
  readonly suppressed: unknown[] = [];

  constructor(message: string, details: ErrorDetails = {}) {
    super(message, 'cause' in details ? { cause: details.cause } : undefined);
    this.outcome = details.outcome;
    this.name = new.target.name;
    Object.defineProperty(this, BRAND, { value: true });
  }

  static override [Symbol.hasInstance](value: unknown): boolean {
    if (this !== ScopedSessionError) return Function.prototype[Symbol.hasInstance].call(this, value);
    return typeof value === 'object' && value !== null && BRAND in value;
  }
}
