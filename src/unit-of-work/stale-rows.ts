/** A statement found fewer rows than it was to: somebody else was faster. */
import { StaleDataError } from '../errors.js';

/** @param wanted - what was to be done, with the table and the number of its rows */
export function staleRows(wanted: string, found: number | undefined): StaleDataError {
  return new StaleDataError(
    `${wanted} and found ${found ?? 'none'}: the rest were changed or deleted by somebody else since they were loaded. Load ` +
      'them again.',
  );
}
