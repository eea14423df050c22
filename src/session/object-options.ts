/** The options of calls about objects, and how they are read: a lock that nobody knows would be no lock. */
import type { ObjectLiteral } from 'typeorm';
import { anything, flag, oneOf, readOptions, type Rules } from '../engine/index.js';
import { type GetOptions, ROW_LOCKS, type RowLock } from './session-objects-api.js';

export const GET_RULES: Rules<GetOptions> = {
  lock: oneOf(ROW_LOCKS),
  populateExisting: flag,
  relations: anything(),
  withDeleted: flag,
};

const REFRESH_RULES: Rules<{ lock?: RowLock }> = { lock: oneOf(ROW_LOCKS) };
const MERGE_RULES: Rules<{ load?: boolean }> = { load: flag };

export const getOptions = <E extends ObjectLiteral>(given: GetOptions<E> | undefined): GetOptions<E> =>
  readOptions('get', given as GetOptions | undefined, GET_RULES) as GetOptions<E>;

export const refreshOptions = (given: unknown): { readonly lock?: RowLock } =>
  readOptions('refresh', given, REFRESH_RULES);

export const mergeOptions = (given: unknown): { readonly load?: boolean } =>
  readOptions('merge', given, MERGE_RULES);
