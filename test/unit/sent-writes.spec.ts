/** Which of the statements that were sent are remembered, for whoever asks what they wrote. */
import type { EntityMetadata } from 'typeorm';
import { expect, it } from 'vitest';
import { SentWrites } from '../../src/unit-of-work/sent-writes.js';

const SHELF = { tableName: 'shelf' } as EntityMetadata;

it('gives the statements that wrote to a table, once', () => {
  const sent = new SentWrites();
  sent.note('UPDATE shelf SET name = ? WHERE id = ?', ['a', 1]);
  sent.note('UPDATE book SET name = ? WHERE id = ?', ['b', 2]);
  sent.note('SELECT * FROM shelf', []);
  expect(sent.take(SHELF)).toEqual([{ sql: 'UPDATE shelf SET name = ? WHERE id = ?', parameters: ['a', 1] }]);
  expect(sent.take(SHELF)).toEqual([]);
});

it('gives none where some were given up: it may have been any row', () => {
  const sent = new SentWrites();
  for (let id = 1; id <= 40; id += 1) sent.note('UPDATE shelf SET name = ? WHERE id = ?', ['a', id]);
  expect(sent.take(SHELF)).toEqual([]);
  sent.note('UPDATE shelf SET name = ? WHERE id = ?', ['a', 41]);
  expect(sent.take(SHELF)).toHaveLength(1);
});
