/** Values as they were loaded: what was changed in place, as a Date or an object can be, is seen by comparing with them. */

/** `undefined`: not loaded. Dates are their milliseconds, bytes and objects are texts. */
export type FrozenValue = string | number | bigint | boolean | null | undefined;

const BYTES = 'bytes:';

export function freeze(value: unknown): FrozenValue {
  if (typeof value !== 'object' || value === null) return value as FrozenValue;
  if (value instanceof Date) return value.getTime();
  if (value instanceof Uint8Array) return BYTES + Buffer.from(value).toString('base64');
  return JSON.stringify(value);
}

/** Two frozen values of one column; NaN, the time of an invalid date, is the same as itself. */
export function isSame(one: FrozenValue, other: FrozenValue): boolean {
  return Object.is(one, other) || one === other;
}

/** The value that was frozen, in the form that `like`, a value of the same column, has. */
export function thaw(frozen: FrozenValue, like: unknown): unknown {
  if (like instanceof Date && typeof frozen === 'number') return new Date(frozen);
  if (typeof frozen !== 'string') return frozen;
  if (like instanceof Uint8Array) return Buffer.from(frozen.slice(BYTES.length), 'base64');
  return typeof like === 'object' && like !== null ? (JSON.parse(frozen) as unknown) : frozen;
}
