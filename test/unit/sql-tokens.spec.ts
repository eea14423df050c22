/** The tokens of a statement: what may hold a placeholder and what may not, in each database's own grammar. */
import { DATABASE_FAMILIES, type DatabaseFamily } from 'nestjs-scoped-session';
import { describe, expect, it } from 'vitest';
import { tokenize } from '../../src/session/sql-tokens.js';

/** The names of the parameters that were found, in order. */
const parameters = (sql: string, family: DatabaseFamily): string[] =>
  tokenize(sql, family)
    .filter(({ kind }) => kind === 'parameter')
    .map(({ text }) => text);

const kinds = (sql: string, family: DatabaseFamily): string[] =>
  tokenize(sql, family).map(({ kind, text }) => `${kind} ${text}`);

describe.each(DATABASE_FAMILIES)('tokens of %s', (family) => {
  it('cut a statement into its parts, which together are the statement', () => {
    expect(kinds("SELECT :a, ':b' /* :c */ WHERE d = :d", family)).toEqual([
      'text SELECT ',
      'parameter a',
      'text , ',
      "quoted ':b'",
      'text  ',
      'comment /* :c */',
      'text  WHERE d = ',
      'parameter d',
    ]);
  });

  it('are none for an empty statement, and one for plain text', () => {
    expect(tokenize('', family)).toEqual([]);
    expect(kinds('SELECT 1', family)).toEqual(['text SELECT 1']);
  });

  it.each([
    [':a', ['a']],
    ['(:a,:b)', ['a', 'b']],
    [':a_1', ['a_1']],
    [':_a', ['_a']],
    [':ÄB', []],
    [':a:b', []],
    ['x=:a', ['a']],
    ['x =:a;', ['a']],
    [':a+:a', ['a', 'a']],
    [':1', []],
    [': a', []],
    [':', []],
    ['a ::int', []],
    [':a::int', ['a']],
    [':abc::int', ['abc']],
    [':abc ::int', ['abc']],
    [':abc:d', []],
    [':abc:', []],
    ['[:abc:d]', []],
    ['(:a)::int', ['a']],
    ['12:30:00', []],
    ['1:n', []],
    ['label:x', []],
    ['@v := 1', []],
    [':toString, :__proto__', ['toString', '__proto__']],
  ])('find the parameters of %s', (sql, expected) => {
    expect(parameters(sql, family)).toEqual(expected);
  });

  it('take a backslash and a colon for a literal colon', () => {
    expect(kinds('SELECT 1\\:n, \\:b', family)).toEqual([
      'text SELECT 1',
      'escapedColon :',
      'text n, ',
      'escapedColon :',
      'text b',
    ]);
  });

  it.each([
    ["'it''s :a'", []],
    ["':a' :b ':c'", ['b']],
    ['":a" "x"":b" :c', ['c']],
    ["'a\n:b'", []],
    ["':a", ['a']],
  ])('leave quoted text alone: %j', (sql, expected) => {
    expect(parameters(sql, family)).toEqual(expected);
  });

  it.each([
    ['-- :a\n:b', ['b']],
    ['-- :a', []],
    ['/* :a */ :b', ['b']],
    ['/* :a \n :b */', []],
    ["-- it's\n:a -- it's\n:b", ['a', 'b']],
    ["/* it's */ :a /* it's */", ['a']],
    ["'--' :a '/*' :b '*/'", ['a', 'b']],
    ['"--" :a', ['a']],
  ])('leave comments alone: %j', (sql, expected) => {
    expect(parameters(sql, family)).toEqual(expected);
  });

  it.each(["data -> '$.a'", "data ->> 'a:b'", "data #>> '{a}'", "data @> '{}'", 'a || b', 'a <=> b'])(
    'find no parameter in the operator of %s',
    (sql) => {
      expect(parameters(sql, family)).toEqual([]);
    },
  );

  it('find the end of a long statement without getting slow or running out of stack', () => {
    const sql = `SELECT ${"'x', ".repeat(20_000)}:last`;
    expect(parameters(sql, family)).toEqual(['last']);
    expect(parameters(`SELECT '${"''".repeat(50_000)}' , :last`, family)).toEqual(['last']);
    for (const quote of [`'`, '"'])
      expect(parameters(`SELECT ${quote}${'x'.repeat(2 ** 24)}${quote} , :last`, family)).toEqual(['last']);
  });
});

describe('tokens of MySQL', () => {
  it.each([
    ["'it\\'s :a' :b", ['b']],
    ['"it\\"s :a" :b', ['b']],
    ["'\\\\' :a", ['a']],
    ['`:a` :b', ['b']],
    ['`a``:b` :c', ['c']],
  ])('know backslashes in strings, and backticks: %j', (sql, expected) => {
    expect(parameters(sql, 'mysql')).toEqual(expected);
  });

  it.each([
    ['# :a\n:b', ['b']],
    ['5--:a', ['a']],
    ['5 --:a', ['a']],
    ['--\t:a\n:b', ['b']],
    ['SELECT :a --', ['a']],
  ])('know its comments: %j', (sql, expected) => {
    expect(parameters(sql, 'mysql')).toEqual(expected);
  });

  it('do not nest comments', () => {
    expect(parameters('/* /* */ :a */', 'mysql')).toEqual(['a']);
  });

  it('name its own placeholder', () => {
    expect(kinds("a = ? AND b = '?'", 'mysql')).toEqual([
      'text a = ',
      'placeholder ?',
      'text  AND b = ',
      "quoted '?'",
    ]);
  });
});

describe('tokens of PostgreSQL', () => {
  it.each([
    ['$$ :a $$ :b', ['b']],
    ['$tag$ :a $$ :b $tag$ :c', ['c']],
    ["$$ it's $$ :a $$ it's $$", ['a']],
    ["E'it\\'s :a' :b", ['b']],
    ["e'it\\'s :a' :b", ['b']],
    ["'a\\' :b", ['b']],
    ["name'\\' :a", ['a']],
    ["U&'\\0041 :a' :b", ['b']],
  ])('know its strings: %j', (sql, expected) => {
    expect(parameters(sql, 'postgres')).toEqual(expected);
  });

  it('take a dollar inside a name for a part of the name', () => {
    expect(parameters('SELECT col$x$ FROM t WHERE a = :a AND col$x$ = 1', 'postgres')).toEqual(['a']);
    expect(kinds('SELECT col$1', 'postgres')).toEqual(['text SELECT col$1']);
  });

  it.each([
    ['/* a /* :b */ :c */ :d', ['d']],
    ['/* /* /* :a */ */ */ :b', ['b']],
    ['/* never :a /* closed */', []],
    ['/* a */ :b /* /* c */ */ :d', ['b', 'd']],
  ])('nest comments: %j', (sql, expected) => {
    expect(parameters(sql, 'postgres')).toEqual(expected);
  });

  it('know that two dashes begin a comment without a space', () => {
    expect(parameters('5--:a\n:b', 'postgres')).toEqual(['b']);
  });

  it('know no comment after a number sign, and no quotes of backticks', () => {
    expect(parameters("data #> '{a}' = :a", 'postgres')).toEqual(['a']);
    expect(parameters('`:a`', 'postgres')).toEqual(['a']);
  });

  it('name its own placeholder, and leave the question marks of JSON operators alone', () => {
    expect(kinds('a = $1', 'postgres')).toEqual(['text a = ', 'placeholder $1']);
    expect(kinds("data ? 'a' AND data ?| b", 'postgres')).toEqual([
      'text data ? ',
      "quoted 'a'",
      'text  AND data ?| b',
    ]);
  });
});

describe('tokens of SQLite', () => {
  it.each([
    ['[:a] :b', ['b']],
    ['`:a` :b', ['b']],
    ["'\\' :a", ['a']],
    ['5--:a\n:b', ['b']],
  ])('know its quotes and comments: %j', (sql, expected) => {
    expect(parameters(sql, 'sqlite')).toEqual(expected);
  });

  it.each(['?', '?1', '@name', '$name'])('name its own placeholder %s', (placeholder) => {
    expect(kinds(`a = ${placeholder}`, 'sqlite')).toEqual(['text a = ', `placeholder ${placeholder}`]);
  });
});
