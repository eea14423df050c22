/** Reads and writes: anything that is not clearly a read counts as a write. */
import { describe, expect, it } from 'vitest';
import { isWrite } from '../../src/engine/is-write.js';

describe('isWrite', () => {
  it.each([
    'SELECT 1',
    'select * from users',
    '  \n\tSELECT 1',
    '(SELECT 1) UNION (SELECT 2)',
    '((SELECT 1))',
    '-- a note\nSELECT 1',
    '# a note\nSELECT 1',
    '/* a\n note */ SELECT 1',
    '/* one */ -- two\n ( SELECT 1 )',
    'SHOW TABLES',
    'EXPLAIN SELECT 1',
    'DESCRIBE users',
    'DESC users',
    'VALUES (1)',
    'SET @a = 1',
    'PRAGMA table_info(users)',
    'SAVEPOINT ss_1',
    'RELEASE SAVEPOINT ss_1',
    'USE other',
    'WITH recent AS (SELECT 1) SELECT * FROM recent',
    'SELECT * FROM updates',
  ])('is false for a read: %s', (sql) => {
    expect(isWrite(sql)).toBe(false);
  });

  it.each([
    'INSERT INTO users VALUES (1)',
    'insert into users values (1)',
    'UPDATE users SET name = 1',
    'DELETE FROM users',
    'REPLACE INTO users VALUES (1)',
    'MERGE INTO users USING x ON true WHEN MATCHED THEN DO NOTHING',
    'CREATE TABLE a (b INT)',
    'DROP TABLE a',
    'TRUNCATE users',
    'CALL transfer()',
    'LOCK TABLES users WRITE',
    'DO $$ BEGIN END $$',
    'COPY users FROM STDIN',
    '/* SELECT */ UPDATE users SET name = 1',
    '-- SELECT\nDELETE FROM users',
    '# SELECT\nDELETE FROM users',
    'WITH old AS (SELECT 1) DELETE FROM users',
    'WITH gone AS (DELETE FROM users RETURNING id) SELECT * FROM gone',
    'with a as (select 1) insert into users select * from a',
    'SELECTED',
    'SELECT * INTO copy FROM users',
    'EXPLAIN ANALYZE DELETE FROM users',
    'something unheard of',
    '',
  ])('is true for anything else: %s', (sql) => {
    expect(isWrite(sql)).toBe(true);
  });
});
