/** Finds the TypeScript examples of the documentation: fenced blocks of Markdown files and of TSDoc comments. */
import ts from 'typescript';
import { parse, type SourceFile } from './source-files.js';

export interface CodeBlock {
  /** The document, from the root. */
  readonly document: string;
  /** The line of its first line of code. */
  readonly line: number;
  readonly code: string;
  /** False where the block says `no-check`. */
  readonly isChecked: boolean;
}

const FENCE =
  /^([ \t]*)(`{3,}|~{3,})[ \t]*(?:ts|typescript|tsx|mts|cts)\b([^\n]*)\n([\s\S]*?)^[ \t]*\2[ \t]*$/gm;

/** All TypeScript blocks of a Markdown text; `firstLine` is the line of the document at which the text begins. */
export function blocksOf(document: string, markdown: string, firstLine = 1): CodeBlock[] {
  return [...markdown.matchAll(FENCE)].map(({ index, 1: indent = '', 3: info = '', 4: code = '' }) => ({
    document,
    line: firstLine + markdown.slice(0, index).split('\n').length,
    code: code.replaceAll(new RegExp(`^${indent}`, 'gm'), ''),
    isChecked: !info.split(/\s+/).includes('no-check'),
  }));
}

/** The blocks in the comments of a source file. */
export function commentBlocksOf({ path, text }: SourceFile): CodeBlock[] {
  return commentsOf(text).flatMap(({ start, end }) => {
    const firstLine = text.slice(0, start).split('\n').length;
    const markdown = text.slice(start, end).replaceAll(/^[ \t]*\* ?/gm, '');
    return blocksOf(path, markdown, firstLine);
  });
}

function commentsOf(text: string): { start: number; end: number }[] {
  const comments: { start: number; end: number }[] = [];
  const { tree } = parse(text);
  const visit = (node: ts.Node): void => {
    for (const doc of ts.getJSDocCommentsAndTags(node))
      if (ts.isJSDoc(doc)) comments.push({ start: doc.pos, end: doc.end });
    ts.forEachChild(node, visit);
  };
  visit(tree);
  return comments.filter(
    ({ start }, index) => comments.findIndex((other) => other.start === start) === index,
  );
}
