/** Reads option objects key by key: unknown keys are refused, every value is checked before any I/O. */
import { InvalidOptionError } from '../errors.js';

/** Checks one value and returns it; throws an InvalidOptionError that names the cure. */
export type Rule<T> = (value: unknown, name: string) => T;
export type Rules<T> = { [K in keyof T]-?: Rule<T[K]> };

function refuse(name: string, value: unknown, wanted: string): never {
  throw new InvalidOptionError(`${name} must be ${wanted}, not ${describe(value)}.`);
}

/** A value's kind and, where it cannot be a secret, the value. */
export function describe(value: unknown): string {
  if (value === null || typeof value === 'boolean' || typeof value === 'number') return String(value);
  if (typeof value === 'bigint') return `${value}n`;
  if (Array.isArray(value)) return 'an array';
  return value === undefined ? 'undefined' : `a value of type ${typeof value}`;
}

/** A whole number from `least` to `most`; durations are whole milliseconds. */
export function integer(least: number, most = 2 ** 31 - 1): Rule<number> {
  return (value, name) => {
    if (!Number.isInteger(value) || (value as number) < least || (value as number) > most) {
      refuse(name, value, `a whole number from ${least} to ${most}`);
    }
    return value as number;
  };
}

/** One of a closed set. */
export function oneOf<const V extends readonly (string | boolean | number)[]>(values: V): Rule<V[number]> {
  return (value, name) => {
    if (!values.includes(value as V[number])) {
      refuse(name, value, `one of ${values.map((known) => JSON.stringify(known)).join(', ')}`);
    }
    return value as V[number];
  };
}

export const flag: Rule<boolean> = (value, name) =>
  typeof value === 'boolean' ? value : refuse(name, value, 'true or false');

export const text: Rule<string> = (value, name) =>
  typeof value === 'string' && value !== '' ? value : refuse(name, value, 'a text that is not empty');

export function callable<F>(): Rule<F> {
  return (value, name) => (typeof value === 'function' ? (value as F) : refuse(name, value, 'a function'));
}

export function listOf<T>(rule: Rule<T>): Rule<readonly T[]> {
  return (value, name) => {
    if (!Array.isArray(value)) refuse(name, value, 'an array');
    return Object.freeze(value.map((item: unknown, index) => rule(item, `${name}[${index}]`)));
  };
}

/** A value that is checked where it is used. */
export function anything<T>(): Rule<T> {
  return (value) => value as T;
}

export function isPlainObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

/**
 * Copies the known keys of `given` (own ones only; undefined means "not given") and freezes the copy.
 *
 * @throws {@link InvalidOptionError} `SS_ERR_INVALID_OPTION` for an unknown key or a value out of range
 */
export function readOptions<T extends object>(
  what: string,
  given: unknown,
  rules: Rules<T>,
): Readonly<Partial<T>> {
  if (given === undefined) return Object.freeze({});
  if (!isPlainObject(given)) refuse(`The options of ${what}`, given, 'a plain object');
  const known = Object.keys(rules);
  const read: Record<string, unknown> = {};
  for (const key of Object.keys(given)) {
    if (!Object.hasOwn(rules, key)) {
      throw new InvalidOptionError(`${what} knows no option "${key}". It knows: ${known.join(', ')}.`);
    }
    const rule = rules[key as keyof T] as Rule<unknown>;
    if (given[key] !== undefined) read[key] = rule(given[key], `The option ${key} of ${what}`);
  }
  return Object.freeze(read) as Readonly<Partial<T>>;
}
