/** Puts on a session's prototype what hands a class's work to the session of the database that the class belongs to. */
import { SelectQueryBuilder } from 'typeorm';
import { type SessionCore, otherOf, promised } from './session-core.js';

type Method = (this: SessionCore, first: unknown, ...more: unknown[]) => unknown;
type Methods = Record<string, Method>;

/** What the first argument of a method tells the class by. */
const BY_CLASS = {
  now: ['query', 'getRepository', 'getBind', 'stream'],
  promised: [
    'get',
    'getOrFail',
    'find',
    'findBy',
    'findOne',
    'findOneBy',
    'count',
    'exists',
    'paginate',
    'oneOr404',
    'firstOr404',
    'bulkInsertMappings',
    'bulkUpdateMappings',
  ],
} as const;
const BY_OBJECT = {
  now: [
    'add',
    'delete',
    'expunge',
    'has',
    'isModified',
    'inspect',
    'expire',
    'makeTransient',
    'makeTransientToDetached',
  ],
  promised: ['merge', 'refresh'],
} as const;

export function routeToBinds(prototype: SessionCore): void {
  const methods = prototype as unknown as Methods;
  const route = (name: string, targetOf: (first: unknown) => unknown, isPromised: boolean): void => {
    const own = methods[name]!;
    const routed: Method = function (first, ...more) {
      const other = otherOf(this, targetOf(first), name);
      return other === undefined
        ? own.call(this, first, ...more)
        : (other as unknown as Methods)[name]!.call(other, first, ...more);
    };
    const value: Method = isPromised
      ? function (first, ...more) {
          try {
            return routed.call(this, first, ...more);
          } catch (error) {
            return promised(this, () => Promise.reject(error as Error));
          }
        }
      : routed;
    Object.defineProperty(prototype, name, { configurable: true, writable: true, value });
  };
  for (const name of BY_CLASS.now) route(name, classGiven, false);
  for (const name of BY_CLASS.promised) route(name, classOfQuery, true);
  for (const name of BY_OBJECT.now) route(name, classOf, false);
  for (const name of BY_OBJECT.promised) route(name, classOf, true);
}

/** A text is SQL. */
function classGiven(target: unknown): unknown {
  return typeof target === 'string' ? undefined : classOfQuery(target);
}

/** A query builder is one of its class. */
function classOfQuery(target: unknown): unknown {
  if (!(target instanceof SelectQueryBuilder)) return target;
  const { mainAlias } = target.expressionMap;
  return mainAlias?.hasMetadata === true ? mainAlias.metadata.target : undefined;
}

export function classOf(entity: unknown): unknown {
  return typeof entity === 'object' && entity !== null ? entity.constructor : undefined;
}
