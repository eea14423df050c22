/** Whether a statement may change rows: anything that is not clearly a read counts as a write. */

const READ = /^(?:show|desc|describe|values|set|pragma|savepoint|release|use)\b/i;
const COMMENT_OR_SPACE = /^(?:\s+|--[^\n]*(?:\n|$)|#[^\n]*(?:\n|$)|\/\*[^]*?\*\/|\()+/;
const WRITE_WORD = /\b(?:insert|update|delete|merge|replace)\b/i;

export function isWrite(sql: string): boolean {
  const statement = sql.replace(COMMENT_OR_SPACE, '');
  // A common table expression may end in either.
  if (/^(?:with|explain)\b/i.test(statement)) return WRITE_WORD.test(statement);
  // SELECT … INTO makes a table or a file.
  if (/^select\b/i.test(statement)) return /\binto\b/i.test(statement);
  return !READ.test(statement);
}
