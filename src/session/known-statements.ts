/** Statements that were taken apart before: a program sends the same few again and again. */
import type { Engine } from '../engine/index.js';
import { tokenize, type Token } from './sql-tokens.js';

/** Programs that write values into their statements send ever new ones. */
const MOST_STATEMENTS = 500;
/** Characters; what is longer is not sent twice. */
const LONGEST_STATEMENT = 10_000;

const KNOWN = new WeakMap<Engine, Map<string, readonly Token[]>>();

/** The tokens of `sql`; those that came first are forgotten first. */
export function knownTokens(engine: Engine, sql: string): readonly Token[] {
  let statements = KNOWN.get(engine);
  if (statements === undefined) KNOWN.set(engine, (statements = new Map()));
  const known = statements.get(sql);
  if (known !== undefined) return known;
  const tokens = tokenize(sql, engine.backend.family);
  if (sql.length > LONGEST_STATEMENT) return tokens;
  if (statements.size >= MOST_STATEMENTS) statements.delete(statements.keys().next().value!);
  statements.set(sql, tokens);
  return tokens;
}
