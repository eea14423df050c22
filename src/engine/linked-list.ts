/** A list whose members come and go by the thousand: each knows its neighbours, and none is kept by where it once stood. */

class Link<T> {
  previous: Link<T> | undefined;
  next: Link<T> | undefined;

  constructor(readonly value: T) {}
}

/**
 * In the order of their coming. Not a `Set`: V8 chains the tables that a set has outgrown, and one old table then keeps the
 * members of all later ones, with all they lead to, until a major collection.
 */
export class LinkedList<T> implements Iterable<T> {
  #first: Link<T> | undefined;
  #last: Link<T> | undefined;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get first(): T | undefined {
    return this.#first?.value;
  }

  /** Adds `value` at the end; what is returned takes it out again, once. */
  add(value: T): () => void {
    const link = new Link(value);
    link.previous = this.#last;
    if (this.#last === undefined) this.#first = link;
    else this.#last.next = link;
    this.#last = link;
    this.#size += 1;
    let isIn = true;
    return () => {
      if (isIn) this.#remove(link);
      isIn = false;
    };
  }

  #remove(link: Link<T>): void {
    const { previous, next } = link;
    if (previous === undefined) this.#first = next;
    else previous.next = next;
    if (next === undefined) this.#last = previous;
    else next.previous = previous;
    link.previous = undefined;
    link.next = undefined;
    this.#size -= 1;
  }

  *[Symbol.iterator](): Generator<T> {
    let link = this.#first;
    while (link !== undefined) {
      const { value, next } = link;
      // Whoever reads may take this one out.
      yield value;
      link = next;
    }
  }
}
