/** The error of what is not there where an answer of 404 is meant. */
import { NotFoundError } from '../errors.js';

/**
 * Makes the error that `getOr404` and its kin throw.
 *
 * @param description - what the caller gave for it
 * @param cause - what was not found, in a session's words
 */
export type NotFound = (description: string | undefined, cause: Error) => Error;

/** Where no framework has an error of its own for it. */
export const notFoundError: NotFound = (description, cause) =>
  new NotFoundError(description ?? cause.message, { cause });
