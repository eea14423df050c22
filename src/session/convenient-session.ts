/** The part of a session that has Flask-SQLAlchemy's conveniences. */
import { type EntityTarget, type ObjectLiteral, SelectQueryBuilder } from 'typeorm';
import { readOptions, type Rules, text } from '../engine/index.js';
import { InvalidParameterError, MultipleResultsFoundError, NoResultFoundError } from '../errors.js';
import { copyOf } from '../unit-of-work/index.js';
import { LoadingSession, queryOf } from './loading-session.js';
import type { StatementParameters } from './named-parameters.js';
import { GET_RULES } from './object-options.js';
import { pageOptions, Pages } from './pages.js';
import type { Pagination } from './pagination.js';
import type { RecordedQuery } from './recorded-queries.js';
import { notFoundOf, promised, recordedOf, transactionOf } from './session-core.js';
import type {
  GetOr404Options,
  NotFoundOptions,
  PaginateOptions,
  QueryOf,
  SessionConveniences,
} from './session-conveniences-api.js';
import type { Identifier } from './session-objects-api.js';
import { streamOfQuery, streamOfStatement } from './streamed-rows.js';

const NOT_FOUND_RULES: Rules<NotFoundOptions> = { description: text };
const GET_OR_404_RULES: Rules<GetOr404Options> = { ...GET_RULES, ...NOT_FOUND_RULES };

export class ConvenientSession extends LoadingSession implements SessionConveniences {
  paginate<E extends ObjectLiteral>(query: QueryOf<E>, options?: PaginateOptions): Promise<Pagination<E>> {
    return promised(this, async () => {
      const read = pageOptions(options);
      const { page, errorOut = true } = read;
      return new Pages(builderOf(this, query, 'paginate'), read, notFoundOf(this)).at(page, errorOut);
    });
  }

  async getOr404<E extends ObjectLiteral>(
    target: EntityTarget<E>,
    identifier: Identifier,
    options?: GetOr404Options<E>,
  ): Promise<E> {
    const { description, ...own } = readOptions('getOr404', options, GET_OR_404_RULES);
    const found = await this.get(target, identifier, own as GetOr404Options<E>);
    if (found !== null) return found;
    throw notFoundOf(this)(description, new NoResultFoundError(NONE));
  }

  oneOr404<E extends ObjectLiteral>(query: QueryOf<E>, options?: NotFoundOptions): Promise<E> {
    return promised(this, async () => {
      const { description } = readOptions('oneOr404', options, NOT_FOUND_RULES);
      const [one, second] = await atMost(2, builderOf(this, query, 'oneOr404')).getMany();
      if (one !== undefined && second === undefined) return one;
      const cause = one === undefined ? new NoResultFoundError(NONE) : new MultipleResultsFoundError(MORE);
      throw notFoundOf(this)(description, cause);
    });
  }

  firstOr404<E extends ObjectLiteral>(query: QueryOf<E>, options?: NotFoundOptions): Promise<E> {
    return promised(this, async () => {
      const { description } = readOptions('firstOr404', options, NOT_FOUND_RULES);
      const first = await atMost(1, builderOf(this, query, 'firstOr404')).getOne();
      if (first !== null) return first;
      throw notFoundOf(this)(description, new NoResultFoundError(NONE));
    });
  }

  stream<Row>(
    sqlOrQuery: string | SelectQueryBuilder<ObjectLiteral>,
    parameters?: StatementParameters,
  ): AsyncIterableIterator<Row> {
    const transaction = transactionOf(this);
    if (sqlOrQuery instanceof SelectQueryBuilder) return streamOfQuery<Row>(transaction, copyOf(sqlOrQuery));
    return streamOfStatement<Row>(transaction, sqlOrQuery, parameters);
  }

  getRecordedQueries(): RecordedQuery[] {
    return recordedOf(this);
  }
}

function builderOf<E extends ObjectLiteral>(
  session: LoadingSession,
  query: QueryOf<E>,
  name: string,
): SelectQueryBuilder<E> {
  if (query instanceof SelectQueryBuilder) return query;
  if (typeof query === 'function' || (typeof query === 'object' && query !== null))
    return queryOf<E>(session, query, undefined);
  throw new InvalidParameterError(`${name} takes a query builder or a class of entities.`);
}

/** No more than is needed, unless the query says itself how many; TypeORM's `getOne` asks for all of them. */
function atMost<E extends ObjectLiteral>(count: number, query: SelectQueryBuilder<E>): SelectQueryBuilder<E> {
  const { take, limit } = query.expressionMap;
  return take === undefined && limit === undefined ? copyOf(query).take(count) : copyOf(query);
}

const NONE = 'No row was found when one was required.';
const MORE = 'Multiple rows were found when exactly one was required.';
