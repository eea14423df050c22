/** Which values a statement may carry: what a driver would silently turn into something else is refused. */
import type { DatabaseFamily } from '../engine/index.js';
import { InvalidParameterError } from '../errors.js';

/**
 * A value as the driver binds it: text, finite numbers, bigints, booleans, null, dates and bytes.
 *
 * @throws {@link InvalidParameterError} `SS_ERR_INVALID_PARAMETER` for anything else; the value itself is not told
 */
export function bindable(value: unknown, name: string, family: DatabaseFamily): unknown {
  if (value === null || typeof value === 'string' || typeof value === 'boolean' || typeof value === 'bigint')
    return value;
  if (typeof value === 'number' && Number.isFinite(value)) return value;
  if (value instanceof Date && !Number.isNaN(value.getTime()))
    return family === 'sqlite' ? utcText(value) : value;
  if (value instanceof Uint8Array) return asBuffer(value);
  throw new InvalidParameterError(
    `The parameter ":${name}" is ${kindOf(value)}, which cannot be bound. Give a text, a finite number, a bigint, a ` +
      'boolean, a valid Date, a Buffer or null (JSON columns: JSON.stringify it).',
  );
}

function kindOf(value: unknown): string {
  if (value === undefined) return 'undefined (use null)';
  if (typeof value === 'number') return 'not a finite number';
  if (value instanceof Date) return 'an invalid Date';
  return Array.isArray(value) ? 'an array inside an array' : `a value of type ${typeof value}`;
}

/** mysql2 takes other byte arrays for lists of numbers. */
function asBuffer(value: Uint8Array): Buffer {
  return Buffer.isBuffer(value) ? value : Buffer.from(value.buffer, value.byteOffset, value.byteLength);
}

/** SQLite has no date type; this is the text that TypeORM stores for one. */
function utcText(value: Date): string {
  return value.toISOString().replace('T', ' ').replace('Z', '');
}
