/** The page numbers for a row of links. */
import { type IterPagesOptions, Pagination } from 'nestjs-scoped-session';
import { expect, it } from 'vitest';

function links(page: number, pages: number, options?: IterPagesOptions): string {
  const made = new Pagination({ items: ['a'], page, perPage: 1, total: pages }, () =>
    Promise.reject(new Error()),
  );
  return [...made.iterPages(options)].map((number) => number ?? '…').join(' ');
}

it('PAG-08: iterPages leaves out what is neither at an edge nor near the current page', () => {
  expect(links(1, 15)).toBe('1 2 3 4 5 … 14 15');
  expect(links(6, 15)).toBe('1 2 … 4 5 6 7 8 9 10 … 14 15');
  expect(links(9, 15)).toBe('1 2 … 7 8 9 10 11 12 13 14 15');
  expect(links(15, 15)).toBe('1 2 … 13 14 15');
  expect(links(7, 20)).toBe('1 2 … 5 6 7 8 9 10 11 … 19 20');
});

it('PAG-09: no pages, no numbers', () => {
  expect(links(1, 0)).toBe('');
});

it('names each page once, also where edges overlap, and behind the last page', () => {
  expect(links(1, 1)).toBe('1');
  expect(links(2, 3, { leftEdge: 5 })).toBe('1 2 3');
  expect(links(1, 9, { leftEdge: 8 })).toBe('1 2 3 4 5 6 7 8 9');
  expect(links(1, 9, { rightEdge: 8 })).toBe('1 2 3 4 5 6 7 8 9');
  expect(links(5, 9, { leftEdge: 0, leftCurrent: 1, rightCurrent: 1, rightEdge: 0 })).toBe('… 4 5 6 …');
  expect(links(40, 9)).toBe('1 2 … 7 8 9');
});
