/** The files of this folder compile, whichever way an application's compiler treats imports. */
import { describe, expect, it } from 'vitest';
import { filesIn, read } from '../meta/source-files.js';
import { complaints, optionsOf, programOf, type SourceCache } from '../meta/type-check.js';

const files = filesIn('test/types', '.test-d.ts');
const cache: SourceCache = new Map();

describe.each([
  { verbatimModuleSyntax: true, isolatedModules: true },
  { verbatimModuleSyntax: false, isolatedModules: true },
  { verbatimModuleSyntax: false, isolatedModules: false },
])('with %o', (imports) => {
  it('everything compiles that should, and nothing else', () => {
    const options = optionsOf('tsconfig.json', {
      strict: true,
      experimentalDecorators: true,
      emitDecoratorMetadata: true,
      ...imports,
    });
    const program = programOf([], options, { files, cache });
    expect(complaints(program, (path) => files.includes(path))).toEqual([]);
  });
});

it('what should not compile is said in every file', () => {
  const counts = files.map((path) => read(path).split('// @ts-expect-error: ').length - 1);
  expect(Math.min(...counts)).toBeGreaterThan(0);
});
