/** A graph of tracked objects becomes a tree where it leads back to itself, and stays the same object where it does not. */
import { Readable } from 'node:stream';
import { StreamableFile } from '@nestjs/common';
import { Exclude, Expose, instanceToPlain } from 'class-transformer';
import { describe, expect, it, vi } from 'vitest';
import { withoutCycles } from '../../src/unit-of-work/index.js';
import { Author, Fame, Post, Tag, useTracking, writing } from '../support/tracked.js';

const tracking = useTracking();
const { make } = tracking;

/** As a client sees it. */
const seen = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

describe('a graph of tracked objects with a cycle', () => {
  it('cannot be written as it is', () => {
    const { author } = writing(tracking, 2);
    expect(() => JSON.stringify(author)).toThrow('circular structure');
    expect(() => instanceToPlain(author)).toThrow('Maximum call stack size exceeded');
  });

  it('has what leads back left out, as seen from where it is begun', () => {
    const { author, posts } = writing(tracking, 2);
    expect(seen(withoutCycles(author))).toEqual({
      id: 1,
      name: 'ann',
      posts: [
        { id: 1, title: 'post 1' },
        { id: 2, title: 'post 2' },
      ],
    });
    expect(seen(withoutCycles(posts))).toEqual([
      { id: 1, title: 'post 1', author: { id: 1, name: 'ann', posts: [{ id: 2, title: 'post 2' }] } },
      { id: 2, title: 'post 2', author: { id: 1, name: 'ann', posts: [{ id: 1, title: 'post 1' }] } },
    ]);
  });

  it('is written with its properties in their order', () => {
    const author = make(Author, { id: 1 });
    const post = make(Post, { id: 2, author, title: 'a' });
    Object.assign(author, { posts: [post], name: 'ann', last: true });
    expect(JSON.stringify(withoutCycles(author))).toBe(
      '{"id":1,"name":"ann","posts":[{"id":2,"title":"a"}],"last":true}',
    );
  });

  it('is not changed, and its copies are of the same classes and untracked', () => {
    const { author, posts } = writing(tracking, 1);
    const copy = withoutCycles(author);
    expect([copy === author, copy.posts === author.posts, copy.posts![0] === posts[0]]).toEqual([
      false,
      false,
      false,
    ]);
    expect([copy instanceof Author, copy.posts![0] instanceof Post]).toEqual([true, true]);
    expect(copy.posts![0]!.loud).toBe('post 1!');
    expect(Object.hasOwn(copy.posts![0]!, 'author')).toBe(false);
    expect(tracking.of(copy)).toBeUndefined();
    expect(posts[0]!.author).toBe(author);
  });

  it('is found through arrays and plain objects around it and in it', () => {
    const author = make(Author, { id: 1 });
    author.extra = { first: [{ again: author, kept: 1 }], by: [[author]] };
    expect(seen(withoutCycles({ page: { items: [author] }, total: 1 }))).toEqual({
      page: { items: [{ id: 1, extra: { first: [{ kept: 1 }], by: [[]] } }] },
      total: 1,
    });
  });

  it('is found through an object that leads to itself at once', () => {
    const post = make(Post, { id: 1 });
    Object.assign(post, { next: post });
    expect(seen(withoutCycles(post))).toEqual({ id: 1 });
  });

  it('is found through what is embedded, and through what is not tracked yet', () => {
    const author = make(Author, { id: 1 });
    const post = Object.assign(new Post(), { id: 2, author });
    author.fame = Object.assign(new Fame(), { prizes: 3, best: post });
    expect(seen(withoutCycles(author))).toEqual({ id: 1, fame: { prizes: 3, best: { id: 2 } } });
    expect(withoutCycles(author).fame).toBeInstanceOf(Fame);
  });

  it('keeps what is shared shared, also on the way to a cycle', () => {
    const { author } = writing(tracking, 1);
    const tag = make(Tag, { id: 7 });
    author.posts![0]!.tags = [tag];
    const cut = withoutCycles({ first: { author }, second: { author } });
    expect(cut.first.author).toBe(cut.second.author);
    expect(cut.first.author.posts![0]!.tags![0]).toBe(tag);
  });

  it('is left to class-transformer with its decorators', () => {
    class Hidden {
      id = 1;
      @Exclude() secret = 'x';
      @Expose() get double(): number {
        return this.id * 2;
      }
    }
    const hidden = make(Author, {});
    Object.setPrototypeOf(hidden, Hidden.prototype);
    Object.assign(hidden, { id: 4, secret: 'x', self: [hidden] });
    expect(instanceToPlain(withoutCycles(hidden))).toEqual({ id: 4, double: 8, self: [] });
  });
});

describe('what is on no cycle', () => {
  it('is returned as it is', () => {
    const author = make(Author, { id: 1 });
    const posts = [make(Post, { id: 1, author }), make(Post, { id: 2, author })];
    for (const value of [posts, author, { posts }, 5, 'text', null, undefined, () => 1])
      expect(withoutCycles(value)).toBe(value);
  });

  it('stays the same object beside a cycle', () => {
    const { author } = writing(tracking, 1);
    const beside = { a: make(Tag, { id: 1 }), date: new Date(), bytes: Buffer.from('a'), map: new Map() };
    const cut = withoutCycles({ author, beside });
    expect(cut.beside).toBe(beside);
  });

  it('is gone through once, however many ways lead to it', () => {
    let below: object = { end: make(Tag, { id: 1 }) };
    for (let level = 0; level < 60; level += 1) below = { left: below, right: below };
    expect(withoutCycles(below)).toBe(below);
    const { author } = writing(tracking, 1);
    let above: object = author;
    for (let level = 0; level < 60; level += 1) above = { left: above, right: above };
    const cut = withoutCycles(above) as { left: object; right: object };
    expect(cut.left).toBe(cut.right);
  });

  it('may be a chain longer than the stack is deep', () => {
    let chain: object = { end: true };
    for (let length = 0; length < 50_000; length += 1) chain = { chain };
    expect(withoutCycles(chain)).toBe(chain);
  });
});

describe('what is not the library’s', () => {
  it('fails as before: a cycle of plain objects', () => {
    const plain: Record<string, unknown> = { id: 1 };
    plain['itself'] = [plain];
    expect(withoutCycles(plain)).toBe(plain);
    const { author } = writing(tracking, 1);
    expect(() => JSON.stringify(withoutCycles({ plain, author }))).toThrow('circular structure');
    author.extra = plain;
    Object.assign(plain, { author });
    expect(() => JSON.stringify(withoutCycles(author))).toThrow('circular structure');
  });

  it.each([
    ['a stream', (author: Author) => Object.assign(Readable.from([]), { author })],
    ['a file', (author: Author) => Object.assign(new StreamableFile(Buffer.from('a')), { author })],
    ['a map', (author: Author) => new Map([['author', author]])],
    ['a promise', (author: Author) => Promise.resolve(author)],
    ['an object of a class', (author: Author) => Object.assign(new (class Answer {})(), { author })],
  ])('is left alone: %s', (_name, around) => {
    const value = around(writing(tracking, 1).author);
    expect(withoutCycles(value)).toBe(value);
    expect(withoutCycles([value])[0]).toBe(value);
  });

  it('is not run: getters are copied as they are, lazy relations stay unloaded', () => {
    const { author } = writing(tracking, 1);
    const get = vi.fn(() => 'now');
    const load = vi.fn();
    Object.defineProperty(author, 'expired', { get, enumerable: true, configurable: true });
    Object.defineProperty(author, 'lazy', { get: load, enumerable: false, configurable: true });
    const promise = Promise.resolve([]);
    const plain = Object.defineProperty({ author }, 'total', { get, enumerable: true });
    Object.assign(author, { __promise_lazy__: promise, __other__: [author], __has_other__: true });
    const cut = withoutCycles(plain);
    expect([get.mock.calls, load.mock.calls]).toEqual([[], []]);
    expect(cut.author).toMatchObject({ __promise_lazy__: promise, __other__: [], __has_other__: true });
    expect(Object.hasOwn(cut.author, 'lazy')).toBe(false);
    expect((cut.author as unknown as { expired: string }).expired).toBe('now');
  });
});

describe('where there are more ways through a graph than can be written', () => {
  it('the first levels are there, each of them complete', () => {
    const tags = Array.from({ length: 50 }, (_, id) => make(Tag, { id }));
    const posts = Array.from({ length: 50 }, (_, id) => make(Post, { id, tags }));
    for (const tag of tags) tag.posts = posts;
    const [post] = withoutCycles(posts) as [Post];
    expect(post.tags).toHaveLength(50);
    expect(post.tags!.map((tag) => tag.posts)).toEqual(tags.map(() => undefined));
    const one = withoutCycles(posts[0]!);
    expect(one.tags!.map((tag) => tag.posts!.length)).toEqual(tags.map(() => 49));
    expect(JSON.stringify(withoutCycles(posts)).length).toBeLessThan(1e6);
  });

  it('a list whose every element leads to all of them has what each leads to itself', () => {
    const { posts } = writing(tracking, 1000);
    expect(seen(withoutCycles(posts))).toEqual(
      posts.map(({ id, title }) => ({ id, title, author: { id: 1, name: 'ann' } })),
    );
  });

  it('a way there and back of thousands of objects is not followed to its end', () => {
    const posts = Array.from({ length: 5000 }, (_, id) => make(Post, { id }));
    for (const [index, post] of posts.entries())
      Object.assign(post, { next: posts[index + 1], previous: posts[index - 1] });
    const cut = withoutCycles(posts[0]!);
    expect(() => [JSON.stringify(cut), instanceToPlain(cut)]).not.toThrow();
    expect(seen(cut)).toMatchObject({ id: 0, next: { id: 1, next: { id: 2 } } });
  });
});
