/** Which statements end a transaction by themselves. */
import { describe, expect, it } from 'vitest';
import { endsTransaction, setsAutocommit } from '../../src/engine/ends-transaction.js';

describe('endsTransaction', () => {
  it.each([
    'COMMIT',
    'commit work',
    '/* by hand */ COMMIT AND CHAIN',
    '-- first\n ROLLBACK',
    'ROLLBACK AND CHAIN',
    'END',
    'ABORT',
    "PREPARE TRANSACTION 'one'",
  ])('does so on every database: %s', (sql) => {
    for (const family of ['mysql', 'postgres', 'sqlite'] as const)
      expect(endsTransaction(sql, family)).toBe(true);
  });

  it.each([
    'START TRANSACTION',
    'BEGIN',
    'CREATE TABLE a (id INT)',
    'DROP TABLE a',
    'alter table a ADD b INT',
    'TRUNCATE a',
    'ANALYZE TABLE a',
    'OPTIMIZE LOCAL TABLE a',
    'LOCK TABLES a READ',
    'GRANT SELECT ON a TO b',
    "SET PASSWORD = ''",
  ])('does so on MySQL alone: %s', (sql) => {
    expect(endsTransaction(sql, 'mysql')).toBe(true);
    expect(endsTransaction(sql, 'postgres')).toBe(false);
    expect(endsTransaction(sql, 'sqlite')).toBe(false);
  });

  it.each([
    'SELECT 1',
    "INSERT INTO note (text) VALUES ('COMMIT')",
    'SAVEPOINT a',
    'RELEASE SAVEPOINT a',
    'ROLLBACK TO SAVEPOINT a',
    'ROLLBACK WORK TO a',
    'BEGIN NOT ATOMIC SELECT 1; END',
    'CREATE TEMPORARY TABLE a (id INT)',
    'CREATE OR REPLACE TEMPORARY TABLE a (id INT)',
    'DROP TEMPORARY TABLE a',
    'DROP PREPARE a',
    'PREPARE a FROM "SELECT 1"',
    'ANALYZE SELECT 1',
    'SET @a = 1',
    'commitments',
  ])('does not: %s', (sql) => {
    expect(endsTransaction(sql, 'mysql')).toBe(false);
  });
});

describe('setsAutocommit', () => {
  it.each([
    'SET autocommit=0',
    'set SESSION autocommit = 1',
    'SET @@autocommit = OFF',
    'SET @a = 1,\n autocommit = 0',
  ])('does: %s', (sql) => {
    expect(setsAutocommit(sql, 'mysql')).toBe(true);
    expect(setsAutocommit(sql, 'postgres')).toBe(false);
  });

  it.each(['SELECT @@autocommit', "UPDATE note SET text = 'autocommit'", 'SET @a = 1'])(
    'does not: %s',
    (sql) => {
      expect(setsAutocommit(sql, 'mysql')).toBe(false);
    },
  );
});
