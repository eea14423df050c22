/** Every example that the documentation shows compiles: README, docs and the comments of the sources. */
import { describe, expect, it } from 'vitest';
import ts from 'typescript';
import { blocksOf, type CodeBlock, commentBlocksOf } from './code-blocks.js';
import { markdownFiles, parse, read, sourceFiles } from './source-files.js';
import { complaints, optionsOf, programOf } from './type-check.js';

/** Blocks that are shown and not checked, by document; never in the README. */
const UNCHECKED: Readonly<Record<string, number>> = {};

const inDocuments = markdownFiles().flatMap((path) => blocksOf(path, read(path)));
const inComments = sourceFiles().flatMap(commentBlocksOf);

/**
 * As a user's compiler sees them, on the sources of the library. Lines are those of the document. A block that begins with
 * `// app.module.ts` is that file to the other blocks of its document.
 */
function objections(blocks: readonly CodeBlock[]): string[] {
  const options = optionsOf('tsconfig.json', {
    strict: true,
    experimentalDecorators: true,
    emitDecoratorMetadata: true,
    moduleDetection: ts.ModuleDetectionKind.Force,
  });
  const texts = blocks.map(({ document, line, code }) => {
    const [, name = `${line}.ts`] = /^\/\/ (\S+\.ts)$/m.exec(code.split('\n')[0] ?? '') ?? [];
    return { path: `${document}.blocks/${name}`, text: '\n'.repeat(line - 1) + code };
  });
  const paths = new Set(texts.map(({ path }) => path));
  if (paths.size < texts.length) throw new Error('Two blocks of one document have the same name.');
  return complaints(programOf(texts, options), (path) => paths.has(path)).map((complaint) =>
    complaint.replace(/\.blocks\/[^:]+:/, ':'),
  );
}

describe('the examples', () => {
  it('of README, docs and comments compile with one import from the package', () => {
    const checked = [...inDocuments, ...inComments].filter(({ isChecked }) => isChecked);
    expect(objections(checked)).toEqual([]);
  });

  it('are all checked, but for those listed here and none of the README', () => {
    const counts: Record<string, number> = {};
    for (const { document, isChecked } of [...inDocuments, ...inComments])
      if (!isChecked) counts[document] = (counts[document] ?? 0) + 1;
    expect(counts).toEqual(UNCHECKED);
    expect(Object.keys(UNCHECKED)).not.toContain('README.md');
  });

  it('are found wherever a comment says @example', () => {
    const said = sourceFiles().map(({ path, text }) => [path, text.split('* @example').length - 1]);
    const found = said.map(([path]) => [path, inComments.filter(({ document }) => document === path).length]);
    expect(found).toEqual(said);
    expect(inComments.length).toBeGreaterThan(10);
  });
});

describe('the check itself', () => {
  it('tells the document and line of an example that does not compile', () => {
    const markdown = 'Text\n\n```ts\nimport { run } from "nestjs-scoped-session";\nrun();\n```\n';
    expect(objections(blocksOf('docs/a.md', markdown))).toEqual([
      expect.stringMatching(/^docs\/a\.md:4 TS2305: .*no exported member 'run'/),
    ]);
  });

  it('lets a block import another one of its document that is named', () => {
    const markdown = [
      '```ts',
      '// answer.ts',
      'export const answer = 42;',
      '```',
      '```ts',
      "import { answer } from './answer.js';",
      'export const wrong: string = answer;',
      "export * from './question.js';",
      '```',
    ].join('\n');
    expect(objections(blocksOf('docs/a.md', markdown))).toEqual([
      expect.stringMatching(/^docs\/a\.md:7 TS2322: /),
      expect.stringMatching(/^docs\/a\.md:8 TS2307: /),
    ]);
  });

  it('reads indented and long fences, comments, and what is not to be checked', () => {
    const markdown =
      '1. one\n\n   ```typescript\n   a;\n   ```\n\n````ts no-check\nb;\n```\nc;\n````\n```json\n{}\n```\n';
    expect(blocksOf('a.md', markdown)).toEqual([
      { document: 'a.md', line: 4, code: 'a;\n', isChecked: true },
      { document: 'a.md', line: 8, code: 'b;\n```\nc;\n', isChecked: false },
    ]);
    const source = parse(
      '/** First. */\n/**\n * Text.\n *\n * @example\n * ```ts\n * d({\n *   e: 1,\n * });\n * ```\n */\nexport const d = 1;\n',
    );
    expect(commentBlocksOf(source)).toEqual([
      { document: 'src/example.ts', line: 7, code: 'd({\n  e: 1,\n});\n', isChecked: true },
    ]);
  });
});
