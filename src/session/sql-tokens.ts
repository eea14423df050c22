/** Cuts SQL into what may hold a placeholder and what may not: strings, names in quotes, comments, casts. */
import type { DatabaseFamily } from '../engine/index.js';

export const TOKEN_KINDS = ['text', 'quoted', 'comment', 'parameter', 'placeholder', 'escapedColon'] as const;
export type TokenKind = (typeof TOKEN_KINDS)[number];

export interface Token {
  readonly kind: TokenKind;
  readonly text: string;
}

const NAME = String.raw`[A-Za-z_][A-Za-z0-9_]*`;
// Not after a word, a colon or a backslash (casts, array slices, labels), not before a colon: SQLAlchemy's rule, but a
// cast may follow, and it is always the whole name.
const PARAMETER = `(?<![:\\w\\\\]):(?<parameter>${NAME})(?!\\w|:(?!:))`;
const ESCAPED = String.raw`\\:(?<escaped>)`;
const DASHES = String.raw`--[^\n]*`;
const BLOCK_COMMENT = String.raw`/\*[^]*?\*/`;
// Runs of characters are taken as one: one at a time, a text of some megabytes would overflow the engine's stack.
const PLAIN_STRING = `'[^']*(?:''[^']*)*'`;
const BACKSLASH_STRING = String.raw`'[^'\\]*(?:(?:''|\\[^])[^'\\]*)*'`;
const DOUBLE_QUOTED = `"[^"]*(?:""[^"]*)*"`;
const BACKTICKED = '`[^`]*(?:``[^`]*)*`';

function grammar(parts: { quoted: string[]; comments: string[]; placeholder: string }): RegExp {
  const { quoted, comments, placeholder } = parts;
  return new RegExp(
    `(?<quoted>${quoted.join('|')})|(?<comment>${comments.join('|')})|${ESCAPED}|${PARAMETER}|(?<placeholder>${placeholder})`,
    'g',
  );
}

const GRAMMARS: Readonly<Record<DatabaseFamily, () => RegExp>> = {
  mysql: () =>
    grammar({
      quoted: [BACKSLASH_STRING, BACKSLASH_STRING.replaceAll("'", '"'), BACKTICKED],
      // Two dashes begin a comment only before a space: `5--1` is a subtraction.
      comments: [String.raw`--(?=\s|$)[^\n]*`, String.raw`#[^\n]*`, BLOCK_COMMENT],
      placeholder: String.raw`\?`,
    }),
  postgres: () =>
    grammar({
      quoted: [
        `(?<![A-Za-z0-9_])[eE]${BACKSLASH_STRING}`,
        PLAIN_STRING,
        DOUBLE_QUOTED,
        // A name may hold a dollar sign, but not begin with one.
        String.raw`(?<![\w$])(?<tag>\$(?:${NAME})?\$)[^]*?\k<tag>`,
      ],
      comments: [DASHES, BLOCK_COMMENT],
      placeholder: String.raw`(?<![\w$])\$\d+`,
    }),
  sqlite: () =>
    grammar({
      quoted: [PLAIN_STRING, DOUBLE_QUOTED, BACKTICKED, String.raw`\[[^\]]*\]`],
      comments: [DASHES, BLOCK_COMMENT],
      placeholder: String.raw`\?\d*|[@$]${NAME}`,
    }),
};

/** Cuts `sql` into tokens whose texts together are the statement; a parameter's text is its name. */
export function tokenize(sql: string, family: DatabaseFamily): Token[] {
  const tokens: Token[] = [];
  const pattern = GRAMMARS[family]();
  let end = 0;
  for (let match = pattern.exec(sql); match !== null; match = pattern.exec(sql)) {
    if (match.index > end) tokens.push({ kind: 'text', text: sql.slice(end, match.index) });
    end =
      family === 'postgres' && match[0].startsWith('/*') ? endOfComment(sql, match.index) : pattern.lastIndex;
    pattern.lastIndex = end;
    tokens.push(tokenOf(sql.slice(match.index, end), match.groups!));
  }
  if (end < sql.length) tokens.push({ kind: 'text', text: sql.slice(end) });
  return tokens;
}

/** PostgreSQL's comments nest. */
function endOfComment(sql: string, start: number): number {
  const mark = /\/\*|\*\//g;
  mark.lastIndex = start;
  let depth = 0;
  for (let match = mark.exec(sql); match !== null; match = mark.exec(sql)) {
    depth += match[0] === '/*' ? 1 : -1;
    if (depth === 0) return mark.lastIndex;
  }
  return sql.length;
}

function tokenOf(text: string, groups: Record<string, string | undefined>): Token {
  if (groups['parameter'] !== undefined) return { kind: 'parameter', text: groups['parameter'] };
  if (groups['escaped'] !== undefined) return { kind: 'escapedColon', text: ':' };
  if (groups['quoted'] !== undefined) return { kind: 'quoted', text };
  return { kind: groups['comment'] === undefined ? 'placeholder' : 'comment', text };
}
