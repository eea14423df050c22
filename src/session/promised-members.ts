/** The members of a session that promise something: what they cannot do they reject with, and never throw. */
import type { SessionApi } from './session-api.js';

type Promising = (...given: never[]) => Promise<unknown>;

/** `noAutoflush(fn)` returns whatever its function returns. */
type PromisedMember = {
  [Name in keyof SessionApi]: SessionApi[Name] extends Promising ? Name : never;
}[Exclude<keyof SessionApi, 'noAutoflush'>];

/** All of them: the type below is an error as long as one is missing. */
const PROMISED = [
  'begin',
  'beginNested',
  'commit',
  'prepare',
  'rollback',
  'close',
  'reset',
  'invalidate',
  'merge',
  'flush',
  'bulkSaveObjects',
  'bulkInsertMappings',
  'bulkUpdateMappings',
  'get',
  'getOrFail',
  'find',
  'findBy',
  'findOne',
  'findOneBy',
  'count',
  'exists',
  'query',
  'refresh',
  'paginate',
  'getOr404',
  'oneOr404',
  'firstOr404',
  'execute',
  'scalar',
  'scalars',
  'connection',
] as const satisfies readonly PromisedMember[];

type Missing = Exclude<PromisedMember, (typeof PROMISED)[number]>;
const NONE_IS_MISSING: [Missing] extends [never] ? true : Missing = true;

const NAMES: ReadonlySet<string | symbol> = new Set(NONE_IS_MISSING && PROMISED);

/** @param given - `query` promises rows for a text, and makes a builder of a class */
export function isPromised(name: string | symbol, given: readonly unknown[]): boolean {
  return NAMES.has(name) && (name !== 'query' || typeof given[0] === 'string');
}
