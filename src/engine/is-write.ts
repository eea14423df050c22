/** Whether a statement may change rows: anything that is not clearly a read counts as a write. */

const READ = /^(?:show|desc|describe|values|set|pragma|savepoint|release|use)\b/i;
const COMMENT_OR_SPACE = /^(?:\s+|--[^\n]*(?:\n|$)|#[^\n]*(?:\n|$)|\/\*[^]*?\*\/|\()+/;
const WRITE_WORD = /\b(?:insert|update|delete|merge|replace)\b/i;

const ASKS = /^(?:select|with|values|table|show|desc|describe|explain)\b/i;
/** Locks, targets and sequences; a column of such a name costs no more than a BEGIN. */
const CHANGES = /\b(?:into|insert|update|delete|merge|replace|share|nextval|setval)\b|;\s*\S/i;

/** Whether a statement only looks at rows, and locks none: what is not clearly that may need its transaction. */
export function onlyReads(sql: string): boolean {
  return ASKS.test(withoutComments(sql)) && !CHANGES.test(sql);
}

/** The statement from its first word on. */
export function withoutComments(sql: string): string {
  // Most begin with it.
  if (/^[a-z]/i.test(sql)) return sql;
  return sql.replace(COMMENT_OR_SPACE, '');
}

export function isWrite(sql: string): boolean {
  const statement = withoutComments(sql);
  // A common table expression may end in either.
  if (/^(?:with|explain)\b/i.test(statement)) return WRITE_WORD.test(statement);
  // SELECT … INTO makes a table or a file.
  if (/^select\b/i.test(statement)) return /\binto\b/i.test(statement);
  return !READ.test(statement);
}
