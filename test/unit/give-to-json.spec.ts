/** A tracked object can be given a toJSON, which leaves out what leads back to it. */
import { describe, expect, it } from 'vitest';
import { giveToJson, withoutCycles } from '../../src/unit-of-work/index.js';
import { Author, Post, useTracking, writing } from '../support/tracked.js';

const tracking = useTracking();
const { make } = tracking;

/** As a client sees it. */
const seen = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

describe('an object that was given a toJSON', () => {
  it('is written without what leads back, also inside other objects', () => {
    const { author, posts } = writing(tracking, 2);
    const expected = seen(withoutCycles({ author, posts }));
    class Answer {
      readonly author = author;
      readonly posts = posts;
    }
    for (const entity of [author, ...posts]) giveToJson(tracking.of(entity));
    expect(seen(new Answer())).toEqual(expected);
    expect(JSON.stringify(author)).toBe(JSON.stringify(withoutCycles(author)));
  });

  it('has the one function of all, which comparisons and copies do not see', () => {
    const [first, second] = [make(Author, { id: 1 }), make(Author, { id: 1 })];
    giveToJson(tracking.of(first));
    expect(first).toEqual(second);
    expect(first).toStrictEqual(second);
    expect(Object.hasOwn(Object.assign(new Author(), first), 'toJSON')).toBe(false);
    giveToJson(tracking.of(second));
    const functionOf = (entity: object): unknown => (entity as { toJSON?: unknown }).toJSON;
    expect(functionOf(first)).toBeTypeOf('function');
    expect(functionOf(first)).toBe(functionOf(second));
  });

  it('keeps its own, or that of its class', () => {
    class WithOwn extends Author {
      toJSON(): object {
        return { author: this.id };
      }
    }
    const entity = make(Author, { id: 1 });
    Object.setPrototypeOf(entity, WithOwn.prototype);
    giveToJson(tracking.of(entity));
    expect(Object.hasOwn(entity, 'toJSON')).toBe(false);
    const post = make(Post, { id: 2, author: entity });
    entity.posts = [post];
    giveToJson(tracking.of(post));
    expect(seen([post, withoutCycles(post)])).toEqual([
      { id: 2, author: { author: 1 } },
      { id: 2, author: { author: 1 } },
    ]);
    const own = make(Author, {});
    Object.assign(own, { toJSON: () => 'mine' });
    giveToJson(tracking.of(own));
    expect(seen(own)).toBe('mine');
  });
});
