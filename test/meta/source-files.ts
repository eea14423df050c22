/** Reads the library's sources for the tests of how it is put together: files, what they import, their module level. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { posix } from 'node:path';
import ts from 'typescript';

/** The root of the project, with a slash at its end. */
export const ROOT = fileURLToPath(new URL('../../', import.meta.url));

export interface SourceFile {
  /** From the root, with forward slashes. */
  readonly path: string;
  readonly text: string;
  readonly tree: ts.SourceFile;
}

export interface Import {
  readonly specifier: string;
  readonly line: number;
}

/** The paths of all files below `folder` that end in `extension`, from the root; none when there is no such folder. */
export function filesIn(folder: string, extension = ''): string[] {
  if (!existsSync(ROOT + folder)) return [];
  return readdirSync(ROOT + folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(extension))
    .map((entry) => posix.join(entry.parentPath.replaceAll('\\', '/').slice(ROOT.length), entry.name))
    .toSorted();
}

/** What is written for people: the pages beside the package and those of docs. */
export function markdownFiles(): string[] {
  const beside = readdirSync(ROOT).filter((name) => name.endsWith('.md'));
  return [...beside.toSorted(), ...filesIn('docs', '.md')];
}

export function read(path: string): string {
  return readFileSync(ROOT + path, 'utf8');
}

export function sourceFiles(folder = 'src'): SourceFile[] {
  return filesIn(folder, '.ts').map((path) => parse(read(path), path));
}

export function parse(text: string, path = 'src/example.ts'): SourceFile {
  return { path, text, tree: ts.createSourceFile(path, text, ts.ScriptTarget.ESNext, true) };
}

/** Where something stands, as editors understand it. */
export function place({ path, tree }: SourceFile, node: ts.Node): string {
  return `${path}:${lineOf(tree, node)}`;
}

/** Every node of the tree, outermost first. */
export function* nodesOf(node: ts.Node): Generator<ts.Node> {
  yield node;
  for (const child of childrenOf(node)) yield* nodesOf(child);
}

function childrenOf(node: ts.Node): ts.Node[] {
  const children: ts.Node[] = [];
  ts.forEachChild(node, (child) => void children.push(child));
  return children;
}

/** Whatever makes a file depend on another: `import`, `import type`, `export … from`, `import()`, `import('x')`, `require`. */
export function importsOf({ tree }: SourceFile): Import[] {
  const imports: Import[] = [];
  for (const node of nodesOf(tree)) {
    const specifier = specifierOf(node);
    if (specifier !== undefined) imports.push({ specifier, line: lineOf(tree, node) });
  }
  return imports;
}

function specifierOf(node: ts.Node): string | undefined {
  if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) return textOf(node.moduleSpecifier);
  if (ts.isExternalModuleReference(node)) return textOf(node.expression);
  if (ts.isImportTypeNode(node))
    return ts.isLiteralTypeNode(node.argument) ? textOf(node.argument.literal) : undefined;
  if (!ts.isCallExpression(node)) return undefined;
  const { expression } = node;
  const isLoading =
    expression.kind === ts.SyntaxKind.ImportKeyword ||
    (ts.isIdentifier(expression) && expression.text === 'require');
  return isLoading ? (textOf(node.arguments[0]) ?? 'an expression') : undefined;
}

/** The file that a relative import means. */
export function targetOf({ path }: SourceFile, specifier: string): string | undefined {
  if (!specifier.startsWith('.')) return undefined;
  return posix.join(posix.dirname(path), specifier).replace(/\.js$/, '.ts');
}

function textOf(node: ts.Node | undefined): string | undefined {
  return node !== undefined && ts.isStringLiteralLike(node) ? node.text : undefined;
}

function lineOf(tree: ts.SourceFile, node: ts.Node): number {
  return tree.getLineAndCharacterOfPosition(node.getStart(tree)).line + 1;
}
