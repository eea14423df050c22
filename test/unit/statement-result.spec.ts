/** Results of a statement: rows and what can be asked of them. */
import { MultipleResultsFoundError, NoResultFoundError, StatementResult } from 'nestjs-scoped-session';
import { describe, expect, it } from 'vitest';

const [one, two] = [
  { id: 1, name: 'one' },
  { id: 2, name: 'two' },
];
const resultOf = (...rows: object[]): StatementResult<object> => new StatementResult(rows, 0, undefined);

describe('a result', () => {
  it('has its rows, in order, and can be walked', () => {
    const result = resultOf(one, two);
    expect(result.rows).toEqual([one, two]);
    expect([...result]).toEqual([one, two]);
    expect(result.first()).toBe(one);
  });

  it('tells what a write changed', () => {
    const result = new StatementResult([], 3, 7n);
    expect([result.affectedRows, result.insertId]).toEqual([3, 7n]);
  });

  it('without rows has no first row, and null as its scalar', () => {
    expect(resultOf().first()).toBeUndefined();
    expect(resultOf().scalar()).toBeNull();
    expect(resultOf().scalars()).toEqual([]);
    expect([...resultOf()]).toEqual([]);
  });

  it('gives the only row, and refuses none and more than one', () => {
    expect(resultOf(one).one()).toBe(one);
    expect(() => resultOf().one()).toThrow(NoResultFoundError);
    expect(() => resultOf().one()).toThrow('No row was found when one was required.');
    expect(() => resultOf(one, two).one()).toThrow(MultipleResultsFoundError);
    expect(() => resultOf(one, two).one()).toThrow('Multiple rows were found when exactly one was required.');
  });

  it('gives the first column of the first row, of the only row, of every row', () => {
    expect(resultOf(one, two).scalar()).toBe(1);
    expect(resultOf(one, two).scalars()).toEqual([1, 2]);
    expect(resultOf(two).scalarOne()).toBe(2);
    expect(() => resultOf().scalarOne()).toThrow(NoResultFoundError);
    expect(() => resultOf(one, two).scalarOne()).toThrow(MultipleResultsFoundError);
  });

  it('gives null for a first column that is NULL', () => {
    expect(resultOf({ name: null, id: 1 }).scalar()).toBeNull();
    expect(resultOf({ name: null, id: 1 }).scalarOne()).toBeNull();
  });
});
