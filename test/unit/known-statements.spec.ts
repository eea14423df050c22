/** The memory of statements is bounded, and remembers what it was given. */
import { createEngine } from 'nestjs-scoped-session';
import { expect, it } from 'vitest';
import { knownTokens } from '../../src/session/known-statements.js';
import { tokenize } from '../../src/session/sql-tokens.js';

const engine = createEngine('sqlite+sqljs:///:memory:');

it('a statement is taken apart once', () => {
  const sql = 'SELECT :a';
  const tokens = knownTokens(engine, sql);
  expect(tokens).toEqual(tokenize(sql, 'sqlite'));
  expect(knownTokens(engine, sql)).toBe(tokens);
});

it('each engine has its own: their databases read the same text differently', () => {
  const other = createEngine('mysql://app@127.0.0.1/none');
  const sql = String.raw`SELECT 'it\'s', :a`;
  expect(knownTokens(other, sql)).toEqual(tokenize(sql, 'mysql'));
  expect(knownTokens(engine, sql)).toEqual(tokenize(sql, 'sqlite'));
});

it('a text of more than 10 000 characters is not kept', () => {
  const sql = `SELECT '${'x'.repeat(10_000)}'`;
  expect(knownTokens(engine, sql)).not.toBe(knownTokens(engine, sql));
});

it('no more than 500 are remembered, the first of them is forgotten first', () => {
  const first = knownTokens(engine, 'SELECT 0');
  for (let n = 1; n <= 500; n += 1) knownTokens(engine, `SELECT ${n}`);
  const last = knownTokens(engine, 'SELECT 500');
  expect(knownTokens(engine, 'SELECT 500')).toBe(last);
  expect(knownTokens(engine, 'SELECT 0')).not.toBe(first);
});
