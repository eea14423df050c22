/** The pages of a query: which one is asked for, its items, and how many items there are. */
import type { ObjectLiteral, SelectQueryBuilder } from 'typeorm';
import { anything, flag, integer, readOptions, type Rule, type Rules } from '../engine/index.js';
import { NoResultFoundError } from '../errors.js';
import { copyOf, countOf } from '../unit-of-work/index.js';
import type { NotFound } from './not-found.js';
import { Pagination } from './pagination.js';
import type { PaginateOptions } from './session-conveniences-api.js';

const DEFAULT_PER_PAGE = 20;
const DEFAULT_MAX_PER_PAGE = 100;

const limit: Rule<number | null> = (value, name) => (value === null ? null : integer(1)(value, name));

const RULES: Rules<PaginateOptions> = {
  // What a client may have sent is an answer of 404, and no mistake of the program.
  page: anything(),
  perPage: anything(),
  maxPerPage: limit,
  count: flag,
  errorOut: flag,
};

/** @param given - refused before anything is sent */
export const pageOptions = (given: unknown): Readonly<PaginateOptions> =>
  readOptions('paginate', given, RULES);

export class Pages<E extends ObjectLiteral> {
  readonly #query: SelectQueryBuilder<E>;

  constructor(
    query: SelectQueryBuilder<E>,
    private readonly options: PaginateOptions,
    private readonly notFound: NotFound,
  ) {
    this.#query = copyOf(query);
  }

  /** @param known - the total, where it was counted before or is not to be */
  async at(asked: unknown, errorOut: boolean, known?: number | null): Promise<Pagination<E>> {
    const { maxPerPage = DEFAULT_MAX_PER_PAGE, count = true } = this.options;
    const wanted = this.#number(this.options.perPage, DEFAULT_PER_PAGE, 'perPage', errorOut);
    const perPage = Math.min(wanted, maxPerPage ?? Infinity);
    const page = this.#number(asked, 1, 'page', errorOut, perPage);
    const items = await this.#items(page, perPage);
    if (items.length === 0 && page !== 1 && errorOut) throw this.#refusal(`Page ${page} has no items.`);
    const total = known !== undefined ? known : count ? await countOf(this.#query) : null;
    return new Pagination({ items, page, perPage, total }, (next, isError) => this.at(next, isError, total));
  }

  #items(page: number, perPage: number): Promise<E[]> {
    // Counted are entities: a join makes several rows of one.
    return copyOf(this.#query)
      .limit(undefined)
      .offset(undefined)
      .skip((page - 1) * perPage)
      .take(perPage)
      .getMany();
  }

  /** @param times - what it is multiplied with to count rows */
  #number(asked: unknown, usual: number, name: string, errorOut: boolean, times = 1): number {
    const read = asked === undefined ? usual : wholeNumber(asked);
    if (read >= 1 && Number.isSafeInteger(read * times)) return read;
    if (errorOut) throw this.#refusal(`${name} is no whole number from 1.`);
    return usual;
  }

  #refusal(message: string): Error {
    return this.notFound(undefined, new NoResultFoundError(message));
  }
}

/** As Python's `int` reads a text; NaN for what is none. */
function wholeNumber(given: unknown): number {
  if (typeof given === 'string' && /^\s*[+-]?\d+\s*$/.test(given)) return Number(given);
  return typeof given === 'number' && Number.isInteger(given) ? given : NaN;
}
