/** Pagination: one page of what a query finds, Flask-SQLAlchemy's object of that name. */

/** What a page is made of. */
export interface Page<T> {
  readonly items: readonly T[];
  readonly page: number;
  readonly perPage: number;
  /** Null where nothing was counted. */
  readonly total: number | null;
}

/** Asks for another page of the same query. */
export type TurnPage<T> = (page: number, errorOut: boolean) => Promise<Pagination<T>>;

/** How many page numbers `iterPages` gives on each side. */
export interface IterPagesOptions {
  /** From the first page. Default 2. */
  readonly leftEdge?: number;
  /** Left of the current page. Default 2. */
  readonly leftCurrent?: number;
  /** Right of the current page. Default 4. */
  readonly rightCurrent?: number;
  /** From the last page. Default 2. */
  readonly rightEdge?: number;
}

/**
 * A page of entities; iterating over it iterates over its items. Made by `session.paginate`. Its values are properties of its
 * own, so that it can be a handler's answer as it is.
 *
 * @example
 * ```ts
 * import type { Pagination } from 'nestjs-scoped-session';
 * export const links = (page: Pagination<object>) =>
 *   [...page.iterPages()].map((number) => (number === null ? '…' : `?page=${number}`));
 * ```
 */
export class Pagination<T> implements Iterable<T> {
  readonly items: readonly T[];
  readonly page: number;
  readonly perPage: number;
  /** How many items all pages have together; null with `count: false`. */
  readonly total: number | null;
  /** How many pages there are; 0 where there is nothing, and with `count: false`. */
  readonly pages: number;
  readonly hasPrev: boolean;
  readonly hasNext: boolean;
  /** Null on the first page. */
  readonly prevNum: number | null;
  /** Null on the last page. */
  readonly nextNum: number | null;
  /** The number of the page's first item, from 1; 0 where it has none. */
  readonly first: number;
  /** The number of the page's last item; 0 where it has none. */
  readonly last: number;
  readonly #turn: TurnPage<T>;

  /** @internal */
  constructor({ items, page, perPage, total }: Page<T>, turn: TurnPage<T>) {
    this.items = items;
    this.page = page;
    this.perPage = perPage;
    this.total = total;
    this.pages = Math.ceil((total ?? 0) / perPage);
    this.hasPrev = page > 1;
    this.hasNext = page < this.pages;
    this.prevNum = this.hasPrev ? page - 1 : null;
    this.nextNum = this.hasNext ? page + 1 : null;
    this.first = items.length === 0 ? 0 : (page - 1) * perPage + 1;
    this.last = items.length === 0 ? 0 : this.first + items.length - 1;
    this.#turn = turn;
  }

  /**
   * The page before, without counting again; from the first page the first one.
   *
   * @param options - `errorOut` (default false): page 0 is an error of 404
   */
  prev({ errorOut = false }: { readonly errorOut?: boolean } = {}): Promise<Pagination<T>> {
    return this.#turn(this.page - 1, errorOut);
  }

  /**
   * The page behind, without counting again; behind the last page an empty one.
   *
   * @param options - `errorOut` (default false): a page without items is an error of 404
   */
  next({ errorOut = false }: { readonly errorOut?: boolean } = {}): Promise<Pagination<T>> {
    return this.#turn(this.page + 1, errorOut);
  }

  /** The numbers of pages for a row of links; null stands for those that are left out. */
  *iterPages(options: IterPagesOptions = {}): Generator<number | null, void, undefined> {
    const { leftEdge = 2, leftCurrent = 2, rightCurrent = 4, rightEdge = 2 } = options;
    const end = this.pages + 1;
    // A page behind the last one has its neighbours there.
    const current = Math.min(this.page, this.pages);
    const ranges = [
      [1, 1 + leftEdge],
      [current - leftCurrent, current + rightCurrent + 1],
      [end - rightEdge, end],
    ] as const;
    let next = 1;
    for (const [from, until] of ranges) {
      if (until <= next) continue;
      if (from > next) yield null;
      for (next = Math.max(next, from); next < Math.min(until, end); next += 1) yield next;
    }
  }

  [Symbol.iterator](): Iterator<T> {
    return this.items[Symbol.iterator]();
  }

  toJSON(): object {
    return Object.fromEntries(Object.entries(this));
  }
}
