/** Rows one by one, for whoever goes through them: nothing is sent before the first is asked for. */
import type { Readable } from 'node:stream';
import type { ObjectLiteral, SelectQueryBuilder } from 'typeorm';
import { InvalidParameterError, TransactionClosedError } from '../errors.js';
import { knownTokens } from './known-statements.js';
import { bindParameters, type StatementParameters } from './named-parameters.js';
import type { Transaction } from './transaction.js';

/** @throws `SS_ERR_INVALID_PARAMETER` at once */
export function streamOfStatement<Row>(
  transaction: Transaction,
  sql: string,
  parameters: StatementParameters = {},
): AsyncIterableIterator<Row> {
  if (typeof sql !== 'string' || sql.trim() === '')
    throw new InvalidParameterError('stream takes a statement that is not empty, or a query builder.');
  if (typeof parameters !== 'object' || parameters === null || Array.isArray(parameters))
    throw new InvalidParameterError('stream takes its parameters as an object such as { id: 1 }.');
  const { engine } = transaction;
  const bound = bindParameters(sql, parameters, engine.backend.family, knownTokens(engine, sql));
  return rowsOf<Row>(transaction, () => transaction.queryRunner.stream(bound.sql, bound.values));
}

/** The rows of a builder, which nobody else has. */
export function streamOfQuery<Row>(
  transaction: Transaction,
  query: SelectQueryBuilder<ObjectLiteral>,
): AsyncIterableIterator<Row> {
  return rowsOf<Row>(transaction, () => query.stream());
}

async function* rowsOf<Row>(
  transaction: Transaction,
  open: () => Promise<Readable>,
): AsyncGenerator<Row, void, undefined> {
  const rows = await open();
  try {
    for await (const row of rows) yield row as Row;
    // mysql2 says that rows have ended also where they were cut off.
    if (!rows.readableEnded) refuse(transaction);
  } catch (error) {
    if ((error as { code?: unknown }).code !== 'ERR_STREAM_PREMATURE_CLOSE') throw error;
    refuse(transaction);
  } finally {
    rows.destroy();
    // Whoever leaves the loop may send something next: the connection must be free by then.
    if (!rows.closed) await new Promise((resolve) => rows.once('close', resolve));
  }
}

function refuse(transaction: Transaction): never {
  transaction.refuseAfterEnd();
  throw new TransactionClosedError(ENDED);
}

const ENDED =
  'The transaction of these rows has ended while they were read; commit or roll back behind the loop.';
