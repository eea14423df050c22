/** Links of the documentation lead somewhere: files that exist, headings that are there. */
import { existsSync, statSync } from 'node:fs';
import { posix } from 'node:path';
import { expect, it } from 'vitest';
import { markdownFiles, read, ROOT } from './source-files.js';

const LINK = /\[[^\]]*\]\(<?([^)\s>]+)>?(?: "[^"]*")?\)|^\[[^\]]+\]: (\S+)$/gm;
const IS_ELSEWHERE = /^[a-z][a-z+.-]*:/i;

/** Code shows links, and does not make them. */
function withoutCode(markdown: string): string {
  return markdown
    .replaceAll(/^([ \t]*)(`{3,}|~{3,})[^]*?^[ \t]*\2[ \t]*$/gm, '')
    .replaceAll(/`[^`\n]*`/g, '');
}

/** The anchors that GitHub gives to headings. */
function anchorsOf(markdown: string): Set<string> {
  const anchors = new Set<string>();
  const headings = markdown
    .replaceAll(/^([ \t]*)(`{3,}|~{3,})[^]*?^[ \t]*\2[ \t]*$/gm, '')
    .matchAll(/^#{1,6} +(.+?)[ #]*$/gm);
  for (const [, heading = ''] of headings) {
    const plain = heading.replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1').toLowerCase();
    const anchor = plain.replaceAll(/[^\p{L}\p{N}_ -]/gu, '').replaceAll(' ', '-');
    let unique = anchor;
    for (let count = 1; anchors.has(unique); count += 1) unique = `${anchor}-${count}`;
    anchors.add(unique);
  }
  return anchors;
}

function brokenLinks(path: string, markdown: string): string[] {
  const targets = [...withoutCode(markdown).matchAll(LINK)].map(
    ([, inline, reference]) => inline ?? reference!,
  );
  return targets.filter((target) => !IS_ELSEWHERE.test(target) && !leadsSomewhere(path, markdown, target));
}

function leadsSomewhere(path: string, markdown: string, link: string): boolean {
  const [file = '', anchor] = decodeURI(link).split('#');
  const target = file === '' ? path : posix.join(posix.dirname(path), file);
  if (file !== '' && (target.startsWith('..') || !existsSync(ROOT + target))) return false;
  if (anchor === undefined) return true;
  if (!target.endsWith('.md') || (file !== '' && !statSync(ROOT + target).isFile())) return false;
  return anchorsOf(file === '' ? markdown : read(target)).has(anchor);
}

it.each(markdownFiles())('the links of %s lead to files and headings that are there', (path) => {
  expect(brokenLinks(path, read(path))).toEqual([]);
});

it('a link that leads nowhere is found', () => {
  const markdown = [
    '# A `first` heading, of [two](b.md)',
    '# A first heading, of two',
    '[a](#a-first-heading-of-two) [b](#a-first-heading-of-two-1) [c](errors.md#ss_err_pool_timeout)',
    '[d](https://example.org/#x) [e](../LICENSE) `[f](nowhere.md)`',
    '[g](nowhere.md) [h](#nowhere) [i](errors.md#nowhere) [j](../../outside.md)',
    '[k]: elsewhere.md',
  ].join('\n');
  expect(brokenLinks('docs/a.md', markdown)).toEqual([
    'b.md',
    'nowhere.md',
    '#nowhere',
    'errors.md#nowhere',
    '../../outside.md',
    'elsewhere.md',
  ]);
});
