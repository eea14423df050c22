/** queryProperty: a property of a class whose value is a query of the current scope's session, as `Model.query` in Flask. */
import type { ObjectLiteral } from 'typeorm';
import { InvalidParameterError } from '../errors.js';
import type { EntityClass, SessionQuery } from './session-objects-api.js';

/** What `Object.defineProperty` takes: a getter that makes another query at each reading. */
export interface QueryProperty<Query> {
  readonly configurable: true;
  readonly enumerable: false;
  get(this: unknown): Query;
}

/** Makes something else of the builder; `owner` is the class on which the property was read. */
export type MakeQuery<E extends ObjectLiteral, Query> = (
  builder: SessionQuery<E>,
  owner: EntityClass<E>,
) => Query;

/** @param query - begins a query of the session that the running code has */
export function queryProperty<E extends ObjectLiteral, Query>(
  query: (owner: EntityClass<E>) => SessionQuery<E>,
  make: MakeQuery<E, Query>,
): QueryProperty<Query> {
  return {
    configurable: true,
    enumerable: false,
    get(this: unknown): Query {
      if (typeof this !== 'function')
        throw new InvalidParameterError(
          'queryProperty() is a property of a class of entities: Object.defineProperty(User, "query", …).',
        );
      const owner = this as unknown as EntityClass<E>;
      return make(query(owner), owner);
    },
  };
}
