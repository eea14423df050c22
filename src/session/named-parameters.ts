/** `:name` placeholders: the statement as the driver takes it, and its values in order. */
import type { DatabaseFamily } from '../engine/index.js';
import { InvalidParameterError } from '../errors.js';
import { bindable } from './bindable-value.js';
import { tokenize, type Token } from './sql-tokens.js';

/** The values of one execution by name; only the object's own keys count. */
export type StatementParameters = Readonly<Record<string, unknown>>;

export interface BoundStatement {
  readonly sql: string;
  readonly values: unknown[];
}

const IN = /\b(not\s+)?in\s*\(\s*$/i;
/** No row at all: `IN` is then false and `NOT IN` true, as for any other list. */
const EMPTY_LIST = 'SELECT 1 FROM (SELECT 1) AS no_rows WHERE 1 <> 1';

/**
 * Binds `parameters` to the `:name` placeholders of `sql`. Strings, quoted names, comments, casts and JSON operators are
 * left as they are; `\:` is a literal colon; an array expands in `IN (:list)` and nowhere else.
 *
 * @param tokens - of `sql`, where it was taken apart before
 * @throws {@link InvalidParameterError} `SS_ERR_INVALID_PARAMETER` for a missing value or one that cannot be bound
 */
export function bindParameters(
  sql: string,
  parameters: StatementParameters,
  family: DatabaseFamily,
  tokens: readonly Token[] = tokenize(sql, family),
): BoundStatement {
  const statement = new Statement(family);
  tokens.forEach((token, index) => {
    if (token.kind === 'parameter') statement.parameter(token.text, parameters, tokens[index + 1]);
    else statement.literal(token);
  });
  return statement;
}

class Statement implements BoundStatement {
  sql = '';
  readonly values: unknown[] = [];

  constructor(private readonly family: DatabaseFamily) {}

  literal({ kind, text }: Token): void {
    if (kind === 'placeholder') {
      throw new InvalidParameterError(
        `The statement mixes ${text} with named parameters: name all of them, as in :id.`,
      );
    }
    if (this.family === 'mysql' && kind !== 'text' && text.includes('?')) {
      // mysql2 looks for ? in double quotes and in # comments too; given as a value, the text stays what it is.
      this.sql += '?';
      this.values.push({ toSqlString: () => text });
    } else this.sql += text;
  }

  parameter(name: string, parameters: StatementParameters, next: Token | undefined): void {
    if (!Object.hasOwn(parameters, name)) {
      throw new InvalidParameterError(`A value is required for the parameter ":${name}"; it was not given.`);
    }
    const value = parameters[name];
    if (!Array.isArray(value)) return this.#value(bindable(value, name, this.family));
    const list = value.map((item: unknown) => bindable(item, name, this.family));
    const isList = IN.test(this.sql) && next?.kind === 'text' && /^\s*\)/.test(next.text);
    if (isList) this.#list(list);
    else if (this.family === 'postgres') this.#value(list);
    else
      throw new InvalidParameterError(
        `The parameter ":${name}" is an array; that is possible in IN (:${name}) only.`,
      );
  }

  #value(value: unknown): void {
    this.values.push(value);
    this.sql += this.family === 'postgres' ? `$${this.values.length}` : '?';
  }

  #list(list: readonly unknown[]): void {
    if (this.family === 'postgres') {
      // One array value: any length is the same statement, and an empty one needs no case of its own.
      this.sql = this.sql.replace(IN, (_, not: string | undefined) =>
        not === undefined ? '= ANY(' : '<> ALL(',
      );
      this.#value(list);
    } else if (list.length === 0) this.sql += EMPTY_LIST;
    else {
      list.forEach((item, index) => {
        if (index > 0) this.sql += ', ';
        this.#value(item);
      });
    }
  }
}
