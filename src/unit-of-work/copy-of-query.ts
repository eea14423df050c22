/** Copies a query with all that it was told: TypeORM's own copy forgets its find options. */
import type { ObjectLiteral, SelectQueryBuilder } from 'typeorm';

/** What TypeORM's `clone` leaves behind. */
interface Told {
  findOptions: unknown;
  relationMetadatas: unknown[];
  eagerLoadChain?: Iterable<unknown>;
  readonly expressionMap: { options: unknown[] };
}

/** Gives `copy` what its `clone` has left behind. */
export function takeAll<Builder>(from: Builder, copy: Builder): Builder {
  const told = from as unknown as Told;
  const taking = copy as unknown as Told;
  taking.findOptions = told.findOptions;
  taking.relationMetadatas = [...told.relationMetadatas];
  // Older ones have none.
  if (told.eagerLoadChain !== undefined) taking.eagerLoadChain = new Set(told.eagerLoadChain);
  taking.expressionMap.options = [...told.expressionMap.options];
  return copy;
}

/** A query of its own: what becomes of it is nothing to `query`. */
export function copyOf<E extends ObjectLiteral>(query: SelectQueryBuilder<E>): SelectQueryBuilder<E> {
  return takeAll(query, query.clone());
}
