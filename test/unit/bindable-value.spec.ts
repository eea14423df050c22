/** Values that can be bound, as each driver takes them, and those that are refused. */
import { DATABASE_FAMILIES, InvalidParameterError } from 'nestjs-scoped-session';
import { describe, expect, it } from 'vitest';
import { bindable } from '../../src/session/bindable-value.js';

describe.each(DATABASE_FAMILIES)('on %s', (family) => {
  it.each(['', 'text', 0, -1.5, 1e300, Number.MAX_SAFE_INTEGER, 7n, true, false, null])(
    'binds %s as it is',
    (value) => {
      expect(bindable(value, 'a', family)).toBe(value);
    },
  );

  it('binds bytes as a Buffer over the same memory', () => {
    const buffer = Buffer.from('bytes');
    expect(bindable(buffer, 'a', family)).toBe(buffer);
    const memory = new Uint8Array([0, 1, 2, 3]);
    const bound = bindable(memory.subarray(1, 3), 'a', family) as Buffer;
    expect(Buffer.isBuffer(bound)).toBe(true);
    expect([...bound]).toEqual([1, 2]);
    expect(bound.buffer).toBe(memory.buffer);
  });

  it.each([
    [undefined, 'undefined (use null)'],
    [NaN, 'not a finite number'],
    [Infinity, 'not a finite number'],
    [-Infinity, 'not a finite number'],
    [new Date(NaN), 'an invalid Date'],
    [[1], 'an array inside an array'],
    [{}, 'a value of type object'],
    [{ toSqlString: () => '1 OR 1=1' }, 'a value of type object'],
    [{ toPostgres: () => '1 OR 1=1' }, 'a value of type object'],
    [new Map(), 'a value of type object'],
    [new String('boxed'), 'a value of type object'],
    [Promise.resolve(1), 'a value of type object'],
    [() => '1 OR 1=1', 'a value of type function'],
    [class Raw {}, 'a value of type function'],
    [Symbol('s'), 'a value of type symbol'],
    [new Uint16Array([1]), 'a value of type object'],
  ])('refuses %o', (value, kind) => {
    expect(() => bindable(value, 'a', family)).toThrow(InvalidParameterError);
    expect(() => bindable(value, 'a', family)).toThrow(
      `The parameter ":a" is ${kind}, which cannot be bound.`,
    );
  });
});

describe('a date', () => {
  const date = new Date('2024-02-29T12:34:56.789Z');

  it('is left to the drivers that know dates', () => {
    expect(bindable(date, 'a', 'mysql')).toBe(date);
    expect(bindable(date, 'a', 'postgres')).toBe(date);
  });

  it('is the text that TypeORM stores in SQLite', () => {
    expect(bindable(date, 'a', 'sqlite')).toBe('2024-02-29 12:34:56.789');
  });
});
