/** What every source file keeps to: its size, its first line, no state of the module, nothing that runs text as code. */
import { describe, expect, it } from 'vitest';
import ts from 'typescript';
import { mutableState } from './module-state.js';
import { importsOf, nodesOf, parse, place, type SourceFile, sourceFiles } from './source-files.js';

const MOST_LINES = 250;
const FIRST_LINE = /^\/\*\* [^ ].*[^ .]\. \*\/$/;

const files = sourceFiles();

function forbidden(file: SourceFile): string[] {
  const found = importsOf(file)
    .filter(({ specifier }) => /^(node:)?vm$/.test(specifier))
    .map(({ specifier, line }) => `${file.path}:${line} ${specifier}`);
  for (const node of nodesOf(file.tree)) {
    const what = forbiddenNode(node);
    if (what !== undefined) found.push(`${place(file, node)} ${what}`);
  }
  return found;
}

function forbiddenNode(node: ts.Node): string | undefined {
  if (ts.isCallExpression(node) || ts.isNewExpression(node)) {
    const called = node.expression.getText().replace(/^globalThis\./, '');
    if (called === 'eval' || called === 'Function') return called;
  }
  if (ts.isPropertyAccessExpression(node)) {
    if (node.name.text === 'enterWith') return 'enterWith';
    if (node.expression.getText() === 'console') return 'console';
  }
  // Jest, and bundlers that make CommonJS, cannot write it.
  if (ts.isMetaProperty(node) && node.keywordToken === ts.SyntaxKind.ImportKeyword) return 'import.meta';
  if (ts.isBinaryExpression(node) && node.operatorToken.kind === ts.SyntaxKind.EqualsToken) {
    if (/\.prototype(\.|\[|$)/.test(node.left.getText())) return 'a patched prototype';
  }
  return undefined;
}

describe('every file of src', () => {
  it(`has no more than ${MOST_LINES} lines`, () => {
    const long = files
      .map(({ path, text }) => ({ path, lines: text.trimEnd().split('\n').length }))
      .filter(({ lines }) => lines > MOST_LINES);
    expect(long).toEqual([]);
  });

  it('has no mutable state at module level', () => {
    expect(files.flatMap(mutableState)).toEqual([]);
  });

  it('F94: runs no text as code, enters no scope without leaving it, prints nothing, patches no prototype, can be compiled to CommonJS', () => {
    expect(files.flatMap(forbidden)).toEqual([]);
  });

  it('is named for what it is, not for its being of use', () => {
    expect(files.map(({ path }) => path).filter((path) => /manager|helper|util/i.test(path))).toEqual([]);
  });
});

it('every file of src and test begins with one sentence that says what it is for', () => {
  const all = ['src', 'test'].flatMap((folder) => sourceFiles(folder));
  const without = all.filter(({ text }) => {
    // A word for the test runner has to stand before everything else.
    const [first = ''] = text.replace(/^\/\/ @vitest.*\n/, '').split('\n');
    return !FIRST_LINE.test(first) || /[^.]\. [A-Z]/.test(first);
  });
  expect(without.map(({ path }) => path)).toEqual([]);
});

describe('the rules themselves', () => {
  it.each([
    'let count = 0;',
    'export var last;',
    'let current: string | undefined; export const set = (text: string) => (current = text);',
    'let friend: unknown; class A { static { friend = 1; } } export const other = () => (friend = 2);',
    'const cache = new Map<string, string>();',
    'export const names: Set<string> = new Set();',
    'const seen = new Map() as ReadonlyMap<string, string>;',
    'const storage = new AsyncLocalStorage();',
    'const emitter = new EventEmitter();',
    'const list: string[] = []; export const add = (text: string) => list.push(text);',
    'const byName: Record<string, string> = {}; export const add = (n: string) => { byName[n] = n; };',
    'const byName: Record<string, string> = {}; export const drop = (n: string) => { delete byName[n]; };',
    'const settings = { a: 1 }; export const set = (more: object) => Object.assign(settings, more);',
    'const settings = { a: { b: 1 } }; export const set = () => (settings as any).a.b++;',
    'const WORD = /a/g;',
    'class A { static count = 0; }',
    'class A { static readonly all = new Map(); }',
  ])('find the state in %s', (text) => {
    expect(mutableState(parse(text))).toHaveLength(1);
  });

  it.each([
    'const LEVELS = ["a", "b"] as const;',
    'const CODES: ReadonlySet<number> = new Set([1, 2]);',
    'const ENGINES = new WeakMap<object, object>();',
    'export let friend: (a: A) => number; class A { #n = 1; static { friend = (a) => a.#n; } }',
    'const WORD = /a/i;',
    'class A { readonly #all = new Map(); static readonly name = "a"; }',
    'export function f() { let n = 0; const list: number[] = []; list.push(n++); return list; }',
  ])('find no state in %s', (text) => {
    expect(mutableState(parse(text))).toEqual([]);
  });

  it.each([
    'eval("1");',
    'const f = new Function("return 1");',
    'import { runInContext } from "node:vm";',
    'storage.enterWith({});',
    'console.log("here");',
    'const here = import.meta.url;',
    'DataSource.prototype.query = () => undefined;',
  ])('forbid %s', (text) => {
    expect(forbidden(parse(text))).toHaveLength(1);
  });
});
