/** The page of recipes shows what the tests run: each block is a file of test/recipes, and each bug is in a test's name. */
import { posix } from 'node:path';
import { describe, expect, it } from 'vitest';
import { blocksOf } from './code-blocks.js';
import { importsOf, read, sourceFiles, targetOf } from './source-files.js';

const PAGE = 'docs/recipes.md';
const page = read(PAGE);
const [recipesPart = '', bugsPart = ''] = page.split('\n## Bugs of others');

/** What follows each heading of this level, by its text. */
function sectionsOf(markdown: string, level: string): { title: string; text: string }[] {
  return markdown
    .split(new RegExp(`^${level} `, 'm'))
    .slice(1)
    .map((section) => ({ title: section.split('\n')[0]!, text: section }));
}

/** The files of test/recipes without the sentence that they begin with; on the page their name stands in its place. */
const files = sourceFiles('test/recipes').map(({ path, text }) => ({
  path,
  shown: `// ${posix.basename(path)}\n${text.slice(text.indexOf('\n') + 1)}`,
}));

describe('the recipes', () => {
  it('are files that the tests import, word for word', () => {
    expect(blocksOf(PAGE, page).map(({ code }) => code)).toEqual(
      expect.arrayContaining(files.map(({ shown }) => shown)),
    );
    expect(blocksOf(PAGE, page)).toHaveLength(files.length);
  });

  it('are each imported by a test', () => {
    const tests = sourceFiles('test/integration').filter(({ path }) => path.includes('/recipes-'));
    const imported = tests.flatMap((file) =>
      importsOf(file).map(({ specifier }) => targetOf(file, specifier)),
    );
    expect(files.map(({ path }) => path).filter((path) => !imported.includes(path))).toEqual([]);
  });

  it('answer 28 questions, each with its thread, its snippet and its place in the table of contents', () => {
    const sections = sectionsOf(recipesPart, '###');
    expect(sections).toHaveLength(28);
    const incomplete = sections.filter(
      ({ title, text }) =>
        !text.includes('](https://github.com/') ||
        !text.includes('\n```ts\n// ') ||
        !recipesPart.includes(`\n  - [${title}](#`),
    );
    expect(incomplete.map(({ title }) => title)).toEqual([]);
  });
});

it('each bug of others is in the names of tests, in the files that the page names', () => {
  const rows = [...bugsPart.matchAll(/^\| (5\.[A-H](?:\.\d+)?) \|.*\| ([^|]+) \|$/gm)];
  expect(rows.length).toBeGreaterThan(50);
  const missing = rows.flatMap(([, id = '', names = '']) =>
    [...names.matchAll(/`([^`]+)`/g)]
      .map(([, name = '']) => `test/integration/${name}`)
      .filter((path) => !new RegExp(`['"][^'"]*\\b${id.replaceAll('.', '\\.')}[:,]`).test(read(path)))
      .map((path) => `${id} ${path}`),
  );
  expect(missing).toEqual([]);
});
