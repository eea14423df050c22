/** The rules of option objects: own and known keys only, every value checked, a frozen copy. */
import { InvalidOptionError } from 'nestjs-scoped-session';
import { describe, expect, it } from 'vitest';
import {
  anything,
  callable,
  describe as describeValue,
  flag,
  integer,
  isPlainObject,
  listOf,
  oneOf,
  readOptions,
  text,
  type Rule,
} from '../../src/engine/option-rules.js';

describe('readOptions', () => {
  const rules = { size: integer(1, 5), label: text };

  it('copies what is given, and freezes the copy', () => {
    const given = { size: 3, label: 'three' };
    const read = readOptions('the pool', given, rules);
    expect(read).toEqual(given);
    expect(read).not.toBe(given);
    expect(Object.isFrozen(read)).toBe(true);
    given.size = 99;
    expect(read.size).toBe(3);
  });

  it('takes no options, and undefined values, as not given', () => {
    expect(readOptions('the pool', undefined, rules)).toEqual({});
    expect(Object.keys(readOptions('the pool', { size: undefined }, rules))).toEqual([]);
    expect(Object.isFrozen(readOptions('the pool', undefined, rules))).toBe(true);
  });

  it('takes an object without a prototype', () => {
    const given = Object.assign(Object.create(null) as object, { size: 2 });
    expect(readOptions('the pool', given, rules)).toEqual({ size: 2 });
  });

  it.each([null, 7, 'text', true, [], () => undefined, new Map(), new Date(), Symbol('x')])(
    'refuses %s in place of an option object',
    (given) => {
      expect(() => readOptions('the pool', given, rules)).toThrow(InvalidOptionError);
      expect(() => readOptions('the pool', given, rules)).toThrow('The options of the pool must be');
    },
  );

  it.each(['sise', 'toString', 'constructor', '__proto__'])(
    'refuses the unknown key "%s" and names the known ones',
    (key) => {
      const given: unknown = JSON.parse(`{ "${key}": 1 }`);
      expect(() => readOptions('the pool', given, rules)).toThrow(
        `the pool knows no option "${key}". It knows: size, label.`,
      );
    },
  );

  it('refuses an unknown key even when its value is undefined', () => {
    expect(() => readOptions('the pool', { sise: undefined }, rules)).toThrow(InvalidOptionError);
  });

  it('does not read what is inherited', () => {
    const given: unknown = Object.assign({}, JSON.parse('{ "__proto__": { "size": 4 } }'));
    expect(() => readOptions('the pool', given, rules)).toThrow('must be a plain object');
  });

  it('names the option and the cure when a value is refused, before anything else is read', () => {
    expect(() => readOptions('the pool', { size: 0 }, rules)).toThrow(
      'The option size of the pool must be a whole number from 1 to 5, not 0.',
    );
  });
});

describe('a rule', () => {
  const refused = (rule: Rule<unknown>, value: unknown): string => {
    try {
      rule(value, 'It');
    } catch (error) {
      expect(error).toBeInstanceOf(InvalidOptionError);
      return (error as Error).message;
    }
    throw new Error(`${String(value)} was not refused`);
  };

  it('integer takes whole numbers of its range, both ends included', () => {
    const rule = integer(0, 10);
    expect([0, 5, 10].map((value) => rule(value, 'It'))).toEqual([0, 5, 10]);
    for (const value of [-1, 11, 1.5, NaN, Infinity, '5', 5n, null, true, [5], {}])
      expect(refused(rule, value)).toContain('It must be a whole number from 0 to 10');
  });

  it('integer ends where a timer of Node does, when no other end is given', () => {
    expect(integer(0)(2 ** 31 - 1, 'It')).toBe(2 ** 31 - 1);
    expect(refused(integer(0), 2 ** 31)).toContain('from 0 to 2147483647');
  });

  it('oneOf takes members of its set and names them', () => {
    const rule = oneOf(['join', 'leave', false]);
    expect(rule('leave', 'It')).toBe('leave');
    expect(rule(false, 'It')).toBe(false);
    expect(refused(rule, 'Join')).toBe(
      'It must be one of "join", "leave", false, not a value of type string.',
    );
    expect(refused(rule, undefined)).toContain('not undefined');
  });

  it('flag takes true and false alone', () => {
    expect([flag(true, 'It'), flag(false, 'It')]).toEqual([true, false]);
    for (const value of [0, 1, 'true', null, {}]) refused(flag, value);
  });

  it('text takes a text that is not empty', () => {
    expect(text('a', 'It')).toBe('a');
    for (const value of ['', 1, null, ['a'], new String('a')]) refused(text, value);
  });

  it('callable takes functions and classes', () => {
    expect(callable()(Map, 'It')).toBe(Map);
    for (const value of [undefined, null, {}, 'function']) refused(callable(), value);
  });

  it('listOf checks every item, names its place, and freezes the list', () => {
    const list = listOf(integer(1))([1, 2], 'It');
    expect(list).toEqual([1, 2]);
    expect(Object.isFrozen(list)).toBe(true);
    expect(refused(listOf(integer(1)), [1, 0])).toContain('It[1] must be a whole number');
    expect(refused(listOf(integer(1)), { length: 0 })).toContain('It must be an array');
  });

  it('anything takes anything', () => {
    const value = Symbol('x');
    expect(anything()(value, 'It')).toBe(value);
  });
});

describe('describe', () => {
  it('tells a value only where it cannot be a secret', () => {
    expect([null, undefined, true, 7, NaN, 7n].map(describeValue)).toEqual([
      'null',
      'undefined',
      'true',
      '7',
      'NaN',
      '7n',
    ]);
    expect(
      ['secret', ['secret'], { secret: 1 }, () => 'secret', Symbol('secret')].map(describeValue),
    ).toEqual([
      'a value of type string',
      'an array',
      'a value of type object',
      'a value of type function',
      'a value of type symbol',
    ]);
  });
});

describe('isPlainObject', () => {
  it('is true for object literals and objects without a prototype', () => {
    expect([{}, { a: 1 }, Object.create(null)].map(isPlainObject)).toEqual([true, true, true]);
    const others = [null, undefined, [], new Date(), new (class Options {})(), Object.create({}), () => 1];
    expect(others.filter(isPlainObject)).toEqual([]);
  });
});
