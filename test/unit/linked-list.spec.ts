/** The list of holders and of units of work: order, size, and that who leaves is not kept. */
import { describe, expect, it } from 'vitest';
import { LinkedList } from '../../src/engine/linked-list.js';

describe('a linked list', () => {
  it('keeps the order of coming, whoever leaves', () => {
    const list = new LinkedList<string>();
    const [first, second, third] = ['a', 'b', 'c'].map((value) => list.add(value));
    expect([...list]).toEqual(['a', 'b', 'c']);
    second!();
    expect([...list]).toEqual(['a', 'c']);
    list.add('d');
    first!();
    expect([...list]).toEqual(['c', 'd']);
    expect(list.first).toBe('c');
    third!();
    expect([...list]).toEqual(['d']);
  });

  it('counts, and lets a member leave once', () => {
    const list = new LinkedList<string>();
    const leave = list.add('a');
    list.add('b');
    leave();
    leave();
    expect(list.size).toBe(1);
    expect([...list]).toEqual(['b']);
  });

  it('is empty when all have left', () => {
    const list = new LinkedList<string>();
    const leaving = ['a', 'b'].map((value) => list.add(value));
    for (const leave of leaving) leave();
    expect(list.size).toBe(0);
    expect(list.first).toBeUndefined();
    expect([...list]).toEqual([]);
  });

  it('may lose a member while it is read', () => {
    const list = new LinkedList<() => void>();
    const leaving: (() => void)[] = [];
    for (let n = 0; n < 3; n += 1) leaving.push(list.add(() => leaving[n]!()));
    const seen = [];
    for (const leave of list) {
      leave();
      seen.push(list.size);
    }
    expect(seen).toEqual([2, 1, 0]);
  });
});
