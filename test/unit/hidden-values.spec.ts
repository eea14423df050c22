/** The values in a failed statement's error are there for those who ask, and for nobody else. */
import { inspect } from 'node:util';
import { QueryFailedError } from 'typeorm';
import { expect, it } from 'vitest';
import { hideValues } from '../../src/engine/hidden-values.js';

it('F112: parameters, and the SQL into which mysql2 wrote them, are not enumerated', () => {
  const driverError = Object.assign(new Error('refused'), { errno: 1054, sql: "SELECT 'canary'" });
  const error = new QueryFailedError('SELECT ?', ['canary'], driverError);
  hideValues(error);
  for (const shown of [inspect(error, { depth: 10 }), JSON.stringify(error), Object.values(error).join()])
    expect(shown).not.toContain('canary');
  expect(error.parameters).toEqual(['canary']);
  expect(error.query).toBe('SELECT ?');
  expect(driverError.sql).toBe("SELECT 'canary'");
});

it.each([[undefined], [null], ['a text'], [new Error('plain')], [Object.freeze({ parameters: ['canary'] })]])(
  'leaves alone what it cannot change: %s',
  (error) => {
    expect(() => hideValues(error)).not.toThrow();
  },
);
