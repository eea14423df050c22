/** What Flask-SQLAlchemy offers beside the session itself: pages, answers of 404, and rows one by one. */
import type { EntityTarget, ObjectLiteral, SelectQueryBuilder } from 'typeorm';
import type { StatementParameters } from './named-parameters.js';
import type { Pagination } from './pagination.js';
import type { RecordedQuery } from './recorded-queries.js';
import type { EntityClass, GetOptions, Identifier } from './session-objects-api.js';

/** A query of TypeORM's builder, or a class of entities for all of its rows. */
export type QueryOf<E extends ObjectLiteral> = SelectQueryBuilder<E> | EntityClass<E>;

/** Options of `oneOr404` and `firstOr404`. */
export interface NotFoundOptions {
  /** The error's message, which clients are told. Default: Nest's own "Not Found". */
  readonly description?: string;
}

/** Options of `getOr404`: those of `get`, and the message. */
export interface GetOr404Options<E extends ObjectLiteral = ObjectLiteral>
  extends GetOptions<E>, NotFoundOptions {}

/** Options of `paginate`. */
export interface PaginateOptions {
  /** The page, from 1; a text is read as a number, so that a query parameter can be given as it came. Default 1. */
  readonly page?: number | string;
  /** How many items a page has at most; a text is read as a number. Default 20. */
  readonly perPage?: number | string;
  /** The limit of `perPage`; null for none. Default 100. */
  readonly maxPerPage?: number | null;
  /** False asks for no total: `total` is null, and `pages` 0. Default true. */
  readonly count?: boolean;
  /**
   * A page or `perPage` that is no whole number from 1, and a page behind the last one, are errors of 404. False: page 1 and 20
   * items instead, and an empty page. Default true.
   */
  readonly errorOut?: boolean;
}

/** Flask-SQLAlchemy's conveniences. */
export interface SessionConveniences {
  /**
   * One page of what a query finds, and how many pages there are: a query for the items, then one that counts. Items are
   * entities, however many rows a join makes of each. Without an order of its own a query has no pages: give it one.
   *
   * @param query - a builder, which stays as it is, or a class for all of its rows
   * @throws `SS_ERR_NOT_FOUND`, in a Nest application its `NotFoundException`, unless `errorOut` is false;
   *   `SS_ERR_INVALID_OPTION`, `SS_ERR_INVALID_PARAMETER`
   *
   * @example
   * ```ts
   * import type { Session } from 'nestjs-scoped-session';
   * class Post {}
   * export const posts = (session: Session, page?: string) =>
   *   session.paginate(session.query(Post, 'post').orderBy('post.id', 'DESC'), { page });
   * ```
   */
  paginate<E extends ObjectLiteral>(query: QueryOf<E>, options?: PaginateOptions): Promise<Pagination<E>>;
  /**
   * As `get`, and an error of 404 where there is no such row.
   *
   * @throws `SS_ERR_NOT_FOUND`, in a Nest application its `NotFoundException`; what `get` throws
   */
  getOr404<E extends ObjectLiteral>(
    target: EntityTarget<E>,
    identifier: Identifier,
    options?: GetOr404Options<E>,
  ): Promise<E>;
  /**
   * The one entity that a query finds; an error of 404 where there is none, and where there are more.
   *
   * @throws `SS_ERR_NOT_FOUND`, in a Nest application its `NotFoundException`
   */
  oneOr404<E extends ObjectLiteral>(query: QueryOf<E>, options?: NotFoundOptions): Promise<E>;
  /**
   * The first entity that a query finds; an error of 404 where there is none.
   *
   * @throws `SS_ERR_NOT_FOUND`, in a Nest application its `NotFoundException`
   */
  firstOr404<E extends ObjectLiteral>(query: QueryOf<E>, options?: NotFoundOptions): Promise<E>;
  /**
   * Rows one by one, for results that are too many to be held at once. The statement is sent when the first row is asked for;
   * until the last one was read, or the loop was left, other statements of the session are refused. Rows are plain and not
   * tracked, those of a builder as its `stream()` gives them, by their aliases.
   *
   * @param sql - with `:name` placeholders, as `execute`; on PostgreSQL something that a cursor can be declared for
   * @throws `SS_ERR_INVALID_PARAMETER` at the call; while it is read, TypeORM's `QueryFailedError` and what `execute` throws
   *
   * @example
   * ```ts
   * import type { Session } from 'nestjs-scoped-session';
   * export async function total(session: Session, year: number) {
   *   let cents = 0;
   *   const rows = session.stream<{ cents: number }>('SELECT cents FROM entry WHERE year = :year', { year });
   *   for await (const row of rows) cents += row.cents;
   *   return cents;
   * }
   * ```
   */
  stream<Row = Record<string, unknown>>(
    sql: string,
    parameters?: StatementParameters,
  ): AsyncIterableIterator<Row>;
  stream<Row = Record<string, unknown>>(query: SelectQueryBuilder<ObjectLiteral>): AsyncIterableIterator<Row>;
  /**
   * The statements that this session has sent, in the order of their answers; none without `recordQueries`. What failed is not
   * among them, nor are BEGIN, COMMIT and ROLLBACK. They can be read after the session's end too.
   *
   * @returns Flask-SQLAlchemy's `get_recorded_queries()`, a copy
   */
  getRecordedQueries(): RecordedQuery[];
}
