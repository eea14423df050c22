/** Executes a statement with named parameters, once or once for each set of them. */
import type { QueryResult } from 'typeorm';
import { isWrite } from '../engine/index.js';
import { InvalidParameterError } from '../errors.js';
import { bindParameters, type BoundStatement, type StatementParameters } from './named-parameters.js';
import { knownTokens } from './known-statements.js';
import { StatementResult } from './statement-result.js';
import type { Transaction } from './transaction.js';

export async function executeAll<Row>(
  transaction: Transaction,
  sql: string,
  parameters: StatementParameters | readonly StatementParameters[],
): Promise<StatementResult<Row>> {
  if (typeof sql !== 'string' || sql.trim() === '') {
    throw new InvalidParameterError('execute takes a statement that is not empty as its first argument.');
  }
  const { engine } = transaction;
  const { family } = engine.backend;
  const tokens = knownTokens(engine, sql);
  const sets = Array.isArray(parameters) ? (parameters as unknown[]) : [parameters];
  // All of them are bound before the first is sent: nothing is half-done for a mistake that could be seen.
  const bound = sets.map((set) => bindParameters(sql, parameterObject(set), family, tokens));
  let result = new StatementResult<Row>([], 0, undefined);
  for (const statement of bound) {
    // In order, on one connection. oxlint-disable-next-line no-await-in-loop
    const next = await transaction.admitStatement(undefined, () => executeOne<Row>(transaction, statement));
    result = new StatementResult(
      next.rows,
      result.affectedRows + next.affectedRows,
      next.insertId ?? result.insertId,
    );
  }
  return result;
}

async function executeOne<Row>(
  { runner, engine }: Transaction,
  { sql, values }: BoundStatement,
): Promise<StatementResult<Row>> {
  const answer: QueryResult = await runner.send(sql, values);
  const writes = isWrite(sql);
  const isInsert = writes && /^\s*(?:insert|replace)\b/i.test(sql);
  return new StatementResult<Row>(
    rowsOf<Row>(answer),
    writes ? (answer.affected ?? answer.records.length) : 0,
    isInsert ? engine.backend.insertedId(runner.connection, answer.raw) : undefined,
  );
}

/** A CALL answers with several results; the first is the one meant. */
function rowsOf<Row>({ records }: QueryResult): readonly Row[] {
  const [first] = (records ?? []) as unknown[];
  return (Array.isArray(first) ? first : (records ?? [])) as Row[];
}

function parameterObject(given: unknown): StatementParameters {
  if (typeof given === 'object' && given !== null && !Array.isArray(given))
    return given as StatementParameters;
  throw new InvalidParameterError(
    'execute takes its parameters as an object such as { id: 1 }, or an array of such objects; positional values go to query().',
  );
}
