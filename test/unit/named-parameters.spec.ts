/** Named parameters: the statement as each driver takes it, values in order, own keys only, lists in IN alone. */
import { DATABASE_FAMILIES, InvalidParameterError } from 'nestjs-scoped-session';
import { describe, expect, it } from 'vitest';
import { bindParameters } from '../../src/session/named-parameters.js';

describe('on every database', () => {
  it.each([
    ['mysql', 'SELECT ?, ? WHERE a = ?'],
    ['sqlite', 'SELECT ?, ? WHERE a = ?'],
    ['postgres', 'SELECT $1, $2 WHERE a = $3'],
  ] as const)('%s gets its own placeholders and the values in order', (family, sql) => {
    const bound = bindParameters('SELECT :b, :a WHERE a = :b', { a: 1, b: 'two', unused: 3 }, family);
    expect(bound.sql).toBe(sql);
    expect(bound.values).toEqual(['two', 1, 'two']);
  });

  it.each(DATABASE_FAMILIES)('%s gets a statement without parameters as it is', (family) => {
    const sql = 'SELECT \'a:b\', "c:d" /* :e */ -- :f\n, 12 % 5';
    expect(bindParameters(sql, {}, family)).toMatchObject({ sql, values: [] });
  });

  it.each(DATABASE_FAMILIES)('%s gets a colon for a backslash and a colon', (family) => {
    expect(bindParameters('SELECT 1\\:2, \\:b', {}, family).sql).toBe('SELECT 1:2, :b');
  });

  it.each(DATABASE_FAMILIES)('%s: a missing value is refused by name', (family) => {
    expect(() => bindParameters('SELECT :id', {}, family)).toThrow(InvalidParameterError);
    expect(() => bindParameters('SELECT :id', { ID: 1 }, family)).toThrow(
      'A value is required for the parameter ":id"; it was not given.',
    );
  });

  it.each(['toString', 'constructor', '__proto__', 'hasOwnProperty'])(
    'what every object inherits is no value: :%s',
    (name) => {
      expect(() => bindParameters(`SELECT :${name}`, {}, 'mysql')).toThrow(
        `A value is required for the parameter ":${name}"`,
      );
      expect(() =>
        bindParameters(`SELECT :${name}`, Object.create(null) as object as never, 'mysql'),
      ).toThrow(InvalidParameterError);
    },
  );

  it('what came in through a prototype is no value', () => {
    // JSON.parse makes __proto__ an own key; Object.assign then sets the prototype with it.
    const poisoned = Object.assign({}, JSON.parse('{ "__proto__": { "admin": true } }')) as never;
    expect((poisoned as { admin: boolean }).admin).toBe(true);
    expect(() => bindParameters('SELECT :admin', poisoned, 'mysql')).toThrow(InvalidParameterError);
    expect(() => bindParameters('SELECT :a', Object.create({ a: 1 }) as never, 'mysql')).toThrow(
      InvalidParameterError,
    );
  });

  it('an own key counts, whatever its name', () => {
    const own = JSON.parse('{ "__proto__": 7, "toString": 8 }') as never;
    expect(bindParameters('SELECT :__proto__, :toString', own, 'mysql').values).toEqual([7, 8]);
    const bare = Object.assign(Object.create(null) as object, { a: 1 }) as never;
    expect(bindParameters('SELECT :a', bare, 'mysql').values).toEqual([1]);
  });

  it.each([
    ['mysql', 'SELECT ?, :id', '?'],
    ['sqlite', 'SELECT ?1, :id', '?1'],
    ['sqlite', 'SELECT @name, :id', '@name'],
    ['postgres', 'SELECT $2, :id', '$2'],
    ['mysql', 'SELECT ?', '?'],
  ] as const)("%s: the driver's own placeholder is refused in %s", (family, sql, placeholder) => {
    expect(() => bindParameters(sql, { id: 1 }, family)).toThrow(
      `The statement mixes ${placeholder} with named parameters`,
    );
  });

  it.each([undefined, NaN, Infinity, {}, () => 1, Symbol('s'), { toSqlString: () => '1; DROP TABLE a' }])(
    'a value that cannot be bound is refused by name and not told: %s',
    (value) => {
      for (const family of DATABASE_FAMILIES) {
        expect(() => bindParameters('SELECT :secret', { secret: value }, family)).toThrow(
          /^The parameter ":secret" is (?!.*DROP)/,
        );
        expect(() => bindParameters('SELECT 1 IN (:list)', { list: [1, value] }, family)).toThrow(
          /^The parameter ":list" is /,
        );
      }
    },
  );
});

describe('a list', () => {
  it.each([
    ['mysql', 'a IN (?, ?, ?) AND b = ?'],
    ['sqlite', 'a IN (?, ?, ?) AND b = ?'],
  ] as const)('%s: expands in IN', (family, sql) => {
    const bound = bindParameters('a IN (:ids) AND b = :b', { ids: [3, 1, 2], b: 'x' }, family);
    expect(bound).toMatchObject({ sql, values: [3, 1, 2, 'x'] });
  });

  it('is one array in PostgreSQL, so that every length is the same statement', () => {
    expect(bindParameters('a IN (:ids) AND b = :b', { ids: [3, 1], b: 'x' }, 'postgres')).toMatchObject({
      sql: 'a = ANY($1) AND b = $2',
      values: [[3, 1], 'x'],
    });
    expect(bindParameters('a NOT IN (:ids)', { ids: [3] }, 'postgres')).toMatchObject({
      sql: 'a <> ALL($1)',
      values: [[3]],
    });
  });

  it.each(['in(:ids)', 'In ( :ids )', 'NOT  IN\n(\n:ids\n)'])('is found in any spelling: %s', (sql) => {
    expect(bindParameters(`a ${sql}`, { ids: [1, 2] }, 'mysql').values).toEqual([1, 2]);
    expect(bindParameters(`a ${sql}`, { ids: [1, 2] }, 'postgres').values).toEqual([[1, 2]]);
  });

  it.each(['mysql', 'sqlite'] as const)('%s: an empty one is a list without rows', (family) => {
    const bound = bindParameters('a NOT IN (:ids)', { ids: [] }, family);
    expect(bound.sql).toBe('a NOT IN (SELECT 1 FROM (SELECT 1) AS no_rows WHERE 1 <> 1)');
    expect(bound.values).toEqual([]);
  });

  it('is an empty array in PostgreSQL when it is empty', () => {
    expect(bindParameters('a IN (:ids)', { ids: [] }, 'postgres')).toMatchObject({
      sql: 'a = ANY($1)',
      values: [[]],
    });
  });

  it.each([
    'a = :ids',
    'a IN (:ids, 4)',
    'a IN (4, :ids)',
    'f(:ids)',
    'VALUES (:ids)',
    'min (:ids)',
    "'in (' :ids",
  ])('is refused elsewhere: %s', (sql) => {
    for (const family of ['mysql', 'sqlite'] as const) {
      expect(() => bindParameters(sql, { ids: [1] }, family)).toThrow(
        'The parameter ":ids" is an array; that is possible in IN (:ids) only.',
      );
    }
  });

  it('is an array value elsewhere in PostgreSQL, which has arrays', () => {
    expect(bindParameters('a = ANY(:ids)', { ids: [1, 2] }, 'postgres')).toMatchObject({
      sql: 'a = ANY($1)',
      values: [[1, 2]],
    });
  });

  it('holds no lists', () => {
    for (const family of DATABASE_FAMILIES) {
      expect(() => bindParameters('a IN (:ids)', { ids: [[1]] }, family)).toThrow('an array inside an array');
    }
  });

  it('does not change the caller’s array', () => {
    const ids = Object.freeze([1, 2]);
    bindParameters('a IN (:ids)', { ids }, 'postgres').values.push('more');
    expect(ids).toEqual([1, 2]);
  });

  it('of one value that is no array is that value', () => {
    expect(bindParameters('a IN (:id)', { id: 5 }, 'mysql')).toMatchObject({ sql: 'a IN (?)', values: [5] });
  });
});

describe('a question mark on MySQL', () => {
  const asSent = (sql: string, parameters = {}): string => {
    const { sql: bound, values } = bindParameters(sql, parameters, 'mysql');
    let index = 0;
    return bound.replaceAll('?', () => {
      const value = values[index++];
      return typeof value === 'object' && value !== null
        ? (value as { toSqlString(): string }).toSqlString()
        : `<${String(value)}>`;
    });
  };

  it.each([
    "SELECT 'why?'",
    'SELECT "why?"',
    'SELECT `why?`',
    'SELECT 1 /* why? */',
    'SELECT 1 -- why?\n',
    'SELECT 1 # why? who?\n',
  ])('in quotes or a comment stays what it is: %s', (sql) => {
    expect(asSent(sql)).toBe(sql);
  });

  it('in quotes takes no value of a parameter after it', () => {
    expect(asSent('SELECT "why?", :a /* ? */, :b', { a: 1, b: 2 })).toBe('SELECT "why?", <1> /* ? */, <2>');
  });
});
